// Command sumdb reads a log in the layout of C2SP tlog-tiles with golang.org/x/mod/sumdb, the
// packages by the authors of the format, and checks all that they can check: the signature of the
// checkpoint, the tree over the bytes of the entries, inclusion, consistency, and receipts.
//
//	sumdb DIR...
//
// Each DIR holds `checkpoint`, `tile/`, the log's key in `log.vkey`, and, if it was made with
// `cargo xtask log --receipts`, `receipts/`. Nothing but golang.org/x/mod and the standard library
// is used, so that nobody's reading of the format but theirs takes part.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// Up to this size every leaf and every older size is proved; beyond it a sample is.
	exhaustive = 600
	// How many leaves and how many older sizes are sampled beyond that.
	sample = 2000
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: sumdb DIR...")
		os.Exit(2)
	}
	for _, dir := range os.Args[1:] {
		if err := check(dir); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", dir, err)
			os.Exit(1)
		}
	}
}

func check(dir string) error {
	verifier, err := verifierOf(dir)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(text, verifier)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	leaves, err := readEntries(dir, tree.N)
	if err != nil {
		return err
	}
	whole := &hashes{}
	for _, leaf := range leaves {
		if err := whole.append(leaf); err != nil {
			return err
		}
	}
	root, err := tlog.TreeHash(tree.N, whole)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return fmt.Errorf("the entries have the root %v, the checkpoint says %v", root, tree.Hash)
	}
	tiles := tlog.TileHashReader(tree, &directory{dir: dir, kept: map[string][]byte{}})
	included, err := checkInclusion(tree, tiles, leaves)
	if err != nil {
		return err
	}
	consistent, err := checkConsistency(tree, tiles, whole)
	if err != nil {
		return err
	}
	receipts, err := checkReceipts(dir, verifier, tree, tiles, leaves)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d entries, root of all, %d inclusion proofs, %d consistency proofs, %d receipts\n",
		dir, tree.N, included, consistent, receipts)
	return nil
}

func verifierOf(dir string) (note.Verifier, error) {
	key, err := os.ReadFile(filepath.Join(dir, "log.vkey"))
	if err != nil {
		return nil, err
	}
	// A second line is a key of type 0x06, which this package does not know.
	first, _, _ := strings.Cut(string(key), "\n")
	return note.NewVerifier(first)
}

// openCheckpoint returns the tree of a checkpoint that the log has signed.
func openCheckpoint(text []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("the origin is not the key's name, or lines are missing")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	hash, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, err
	}
	return tlog.Tree{N: size, Hash: hash}, nil
}

// tilePath is the path of C2SP tlog-tiles, which is that of the sum database without the height.
func tilePath(tile tlog.Tile) string {
	if tile.L == -1 {
		return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/data/", tile.H), "tile/entries/", 1)
	}
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tile.H), "tile/", 1)
}

// readEntries returns the bytes of the first n entries.
func readEntries(dir string, n int64) ([][]byte, error) {
	leaves := make([][]byte, 0, n)
	for first := int64(0); first < n; first += tileWidth {
		width := min(n-first, tileWidth)
		tile := tlog.Tile{H: tileHeight, L: -1, N: first / tileWidth, W: int(width)}
		bundle, err := os.ReadFile(filepath.Join(dir, tilePath(tile)))
		if err != nil {
			return nil, err
		}
		for range width {
			if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
				return nil, fmt.Errorf("%s ends within an entry", tilePath(tile))
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			leaves = append(leaves, bundle[2:end])
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			return nil, fmt.Errorf("%s has more entries than the checkpoint", tilePath(tile))
		}
	}
	return leaves, nil
}

// hashes are all stored hashes of a tree, made from the bytes of its entries alone.
type hashes struct {
	size int64
	all  []tlog.Hash
}

func (h *hashes) append(leaf []byte) error {
	more, err := tlog.StoredHashes(h.size, leaf, h)
	if err != nil {
		return err
	}
	h.size++
	h.all = append(h.all, more...)
	return nil
}

func (h *hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 || index >= int64(len(h.all)) {
			return nil, fmt.Errorf("there is no stored hash %d", index)
		}
		found[i] = h.all[index]
	}
	return found, nil
}

// directory reads the tiles of a directory; what it reads is checked by tlog.TileHashReader.
type directory struct {
	dir  string
	kept map[string][]byte
}

func (d *directory) Height() int { return tileHeight }

func (d *directory) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		path := tilePath(tile)
		if kept, ok := d.kept[path]; ok {
			data[i] = kept
			continue
		}
		read, err := os.ReadFile(filepath.Join(d.dir, path))
		if err != nil {
			return nil, err
		}
		data[i] = read
	}
	return data, nil
}

func (d *directory) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, tile := range tiles {
		d.kept[tilePath(tile)] = data[i]
	}
}

// sampled returns the numbers from first to last, or, if they are many, those at the edges of
// tiles that are there for sure, and some of the others.
func sampled(first, last int64) []int64 {
	var chosen []int64
	if last-first < exhaustive {
		for n := first; n <= last; n++ {
			chosen = append(chosen, n)
		}
		return chosen
	}
	for _, edge := range []int64{first, tileWidth, tileWidth * tileWidth, last &^ (tileWidth - 1), last} {
		for n := edge - 2; n <= edge+2; n++ {
			if n >= first && n <= last {
				chosen = append(chosen, n)
			}
		}
	}
	random := rand.New(rand.NewSource(last))
	for range sample {
		chosen = append(chosen, first+random.Int63n(last-first+1))
	}
	return chosen
}

func checkInclusion(tree tlog.Tree, tiles tlog.HashReader, leaves [][]byte) (int, error) {
	chosen := sampled(0, tree.N-1)
	for _, index := range chosen {
		proof, err := tlog.ProveRecord(tree.N, index, tiles)
		if err != nil {
			return 0, fmt.Errorf("entry %d: %w", index, err)
		}
		leaf := tlog.RecordHash(leaves[index])
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf); err != nil {
			return 0, fmt.Errorf("entry %d: %w", index, err)
		}
	}
	return len(chosen), nil
}

func checkConsistency(tree tlog.Tree, tiles tlog.HashReader, whole *hashes) (int, error) {
	chosen := sampled(1, tree.N)
	for _, old := range chosen {
		root, err := tlog.TreeHash(old, whole)
		if err != nil {
			return 0, err
		}
		proof, err := tlog.ProveTree(tree.N, old, tiles)
		if err != nil {
			return 0, fmt.Errorf("size %d: %w", old, err)
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, old, root); err != nil {
			return 0, fmt.Errorf("size %d: %w", old, err)
		}
	}
	return len(chosen), nil
}

// checkReceipts checks each tlog-proof against the checkpoint in it, and that one against the
// checkpoint that was published.
func checkReceipts(
	dir string, verifier note.Verifier, tree tlog.Tree, tiles tlog.HashReader, leaves [][]byte,
) (int, error) {
	files, err := filepath.Glob(filepath.Join(dir, "receipts", "*.tlog-proof"))
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		index, proof, checkpoint, err := parseProof(string(text))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		old, err := openCheckpoint([]byte(checkpoint), verifier)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		if index >= tree.N || old.N > tree.N {
			return 0, fmt.Errorf("%s is of a tree that was not published", file)
		}
		leaf := tlog.RecordHash(leaves[index])
		if err := tlog.CheckRecord(proof, old.N, old.Hash, index, leaf); err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		consistency, err := tlog.ProveTree(tree.N, old.N, tiles)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckTree(consistency, tree.N, tree.Hash, old.N, old.Hash); err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
	}
	return len(files), nil
}

// parseProof takes a c2sp.org/tlog-proof@v1 apart.
func parseProof(text string) (index int64, proof tlog.RecordProof, checkpoint string, err error) {
	head, checkpoint, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, nil, "", errors.New("this is no c2sp.org/tlog-proof@v1")
	}
	number, found := strings.CutPrefix(lines[1], "index ")
	if !found {
		return 0, nil, "", errors.New("there is no index")
	}
	index, err = strconv.ParseInt(number, 10, 64)
	if err != nil || index < 0 {
		return 0, nil, "", fmt.Errorf("index %q", number)
	}
	for _, line := range lines[2:] {
		hash, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			return 0, nil, "", fmt.Errorf("hash %q", line)
		}
		proof = append(proof, tlog.Hash(hash))
	}
	return index, proof, checkpoint, nil
}
