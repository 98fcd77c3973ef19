package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// read checks a log with torchwood's client: every entry, its proofs, its tiles' names.
func read(dir string) error {
	policy, err := policyOf(dir)
	if err != nil {
		return err
	}
	signed, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	checkpoint, opened, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return err
	}
	if checkpoint.String() != opened.Text {
		return fmt.Errorf("the checkpoint reads %q, and they write %q", opened.Text, checkpoint)
	}
	tiles, err := torchwood.NewTileFS(os.DirFS(dir))
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(tiles)
	if err != nil {
		return err
	}
	var next int64
	for index := range client.AllEntries(context.Background(), checkpoint.Tree, 0) {
		if index != next {
			return fmt.Errorf("entry %d where %d was expected", index, next)
		}
		next++
	}
	if err := client.Err(); err != nil {
		return err
	}
	if next != checkpoint.N {
		return fmt.Errorf("%d of %d entries", next, checkpoint.N)
	}
	proofs, err := compareProofs(dir, policy, client, checkpoint, signed)
	if err != nil {
		return err
	}
	paths, err := comparePaths(dir)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d entries, %d signatures, %d proofs to the byte, %d tiles\n",
		dir, next, len(opened.Sigs), proofs, paths)
	return nil
}

// compareProofs verifies our proofs, and makes the same ones.
func compareProofs(
	dir string, policy torchwood.Policy, client *torchwood.Client, checkpoint torchwood.Checkpoint, signed []byte,
) (int, error) {
	files, err := filepath.Glob(filepath.Join(dir, "proofs", "*.tlog-proof"))
	if err != nil {
		return 0, err
	}
	if len(files) == 0 {
		return 0, errors.New("no proofs to compare")
	}
	for _, file := range files {
		ours, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		index, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(file), ".tlog-proof"), 10, 64)
		if err != nil {
			return 0, err
		}
		entry, proof, err := client.Entry(context.Background(), checkpoint.Tree, index)
		if err != nil {
			return 0, fmt.Errorf("entry %d: %w", index, err)
		}
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(entry), ours); err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		if err := torchwood.VerifyProof(policy, tlog.RecordHash([]byte("other")), ours); err == nil {
			return 0, fmt.Errorf("%s proves what is not there", file)
		}
		if theirs := torchwood.FormatProof(index, proof, signed); !bytes.Equal(ours, theirs) {
			return 0, fmt.Errorf("%s is not what they write", file)
		}
	}
	return len(files), nil
}

// comparePaths reads the name of each tile and writes it again.
func comparePaths(dir string) (int, error) {
	count := 0
	err := filepath.WalkDir(filepath.Join(dir, "tile"), func(path string, file fs.DirEntry, err error) error {
		if err != nil || file.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		tile, err := torchwood.ParseTilePath(filepath.ToSlash(name))
		if err != nil {
			return err
		}
		if written := torchwood.TilePath(tile); written != filepath.ToSlash(name) {
			return fmt.Errorf("tile %q is %q to them", name, written)
		}
		count++
		return nil
	})
	return count, err
}
