package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The longest answer that a witness may give here.
const longestAnswer = 1 << 16

var background = context.Background()

// A log whose checkpoints are submitted.
type source struct {
	checkpoints []signed
	hashes      tlog.HashReader
}

// A checkpoint with its signatures.
type signed struct {
	torchwood.Checkpoint
	text []byte
}

// A witness.
type witness struct {
	url      string
	verifier note.Verifier
}

// What a witness answered.
type answer struct {
	status      int
	contentType string
	body        []byte
}

// submit has a witness cosign every checkpoint that a log answered with, oldest first, and looks
// between them whether the witness refuses what it must refuse (C2SP tlog-witness).
func submit(url, vkey, dir string) error {
	verifier, err := torchwood.NewCosignatureVerifier(vkey)
	if err != nil {
		return err
	}
	to := witness{url: strings.TrimSuffix(url, "/"), verifier: verifier}
	from, err := sourceOf(dir)
	if err != nil {
		return err
	}
	var old int64
	refusals := 0
	for i, checkpoint := range from.checkpoints {
		refused, err := to.checkRefusals(from, old, checkpoint)
		if err != nil {
			return fmt.Errorf("at size %d: %w", checkpoint.N, err)
		}
		refusals += refused
		cosigned, err := to.cosign(from, old, checkpoint)
		if err != nil {
			return fmt.Errorf("at size %d: %w", checkpoint.N, err)
		}
		old = checkpoint.N
		if i == len(from.checkpoints)-1 {
			// The same once more: a witness may be asked again.
			if cosigned, err = to.cosign(from, old, checkpoint); err != nil {
				return fmt.Errorf("again at size %d: %w", checkpoint.N, err)
			}
			if err := os.WriteFile(filepath.Join(dir, "cosigned"), cosigned, 0o644); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%s: %s cosigned %d checkpoints up to size %d, and refused %d requests\n",
		dir, verifier.Name(), len(from.checkpoints), old, refusals)
	return nil
}

// sourceOf reads the checkpoints of a directory, which must all be signed by its log.
func sourceOf(dir string) (*source, error) {
	policy, err := policyOf(dir)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "receipts", "*.checkpoint"))
	if err != nil {
		return nil, err
	}
	known := map[int64]bool{}
	from := &source{}
	for _, file := range append(files, filepath.Join(dir, "checkpoint")) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		checkpoint, _, err := torchwood.VerifyCheckpoint(text, policy)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if !known[checkpoint.N] {
			known[checkpoint.N] = true
			from.checkpoints = append(from.checkpoints, signed{checkpoint, text})
		}
	}
	if len(from.checkpoints) == 0 {
		return nil, errors.New("no checkpoints")
	}
	sort.Slice(from.checkpoints, func(i, j int) bool {
		return from.checkpoints[i].N < from.checkpoints[j].N
	})
	tiles, err := torchwood.NewTileFS(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	newest := from.checkpoints[len(from.checkpoints)-1]
	from.hashes = torchwood.TileHashReaderWithContext(background, newest.Tree, tiles)
	return from, nil
}

// cosign submits a checkpoint and returns it with the cosignature, which must verify.
func (w witness) cosign(from *source, old int64, checkpoint signed) ([]byte, error) {
	proof, err := from.consistency(old, checkpoint.N)
	if err != nil {
		return nil, err
	}
	got, err := w.post(request(old, proof, checkpoint.text))
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, fmt.Errorf("the witness answered %v", got)
	}
	if !bytes.HasPrefix(got.body, []byte("\u2014 ")) || !bytes.HasSuffix(got.body, []byte("\n")) {
		return nil, fmt.Errorf("the answer is no signature line: %q", got.body)
	}
	cosigned := append(bytes.Clone(checkpoint.text), got.body...)
	opened, err := note.Open(cosigned, note.VerifierList(w.verifier))
	if err != nil {
		return nil, err
	}
	at, err := torchwood.CosignatureTimestamp(opened.Sigs[0])
	if err != nil {
		return nil, err
	}
	if age := time.Since(time.Unix(at, 0)).Abs(); age > time.Minute {
		return nil, fmt.Errorf("the cosignature is of another time, %v away", age)
	}
	return cosigned, nil
}

// checkRefusals submits what a witness must not sign, and returns how many requests it refused.
func (w witness) checkRefusals(from *source, old int64, checkpoint signed) (int, error) {
	proof, err := from.consistency(old, checkpoint.N)
	if err != nil {
		return 0, err
	}
	type refusal struct {
		what   string
		body   []byte
		status int
	}
	wrong := []refusal{
		{"a signature with a changed bit", request(old, proof, changedSignature(checkpoint.text)), http.StatusForbidden},
		{"a log that nobody knows", request(old, proof, otherOrigin(checkpoint.text)), http.StatusNotFound},
		{"an old size beyond the new one", request(checkpoint.N+1, proof, checkpoint.text), http.StatusBadRequest},
		{"no old size", request(old, proof, checkpoint.text)[4:], http.StatusBadRequest},
		{"64 lines of proof", request(old, make(tlog.TreeProof, 64), checkpoint.text), http.StatusBadRequest},
	}
	if old > 0 {
		wrong = append(wrong, refusal{"an old size that is past", request(0, nil, checkpoint.text), http.StatusConflict})
	}
	if len(proof) > 0 {
		bent := append(tlog.TreeProof{}, proof...)
		bent[0][0] ^= 1
		wrong = append(wrong,
			refusal{"a proof with a changed bit", request(old, bent, checkpoint.text), http.StatusUnprocessableEntity},
			refusal{"a proof that ends early", request(old, proof[1:], checkpoint.text), http.StatusUnprocessableEntity},
		)
	}
	for _, wrong := range wrong {
		got, err := w.post(wrong.body)
		if err != nil {
			return 0, err
		}
		if got.status != wrong.status {
			return 0, fmt.Errorf("%s: expected %d, got %v", wrong.what, wrong.status, got)
		}
		if got.status == http.StatusConflict {
			if string(got.body) != strconv.FormatInt(old, 10)+"\n" || got.contentType != "text/x.tlog.size" {
				return 0, fmt.Errorf("%s: expected the size %d, got %v", wrong.what, old, got)
			}
		}
	}
	return len(wrong), nil
}

func (s *source) consistency(old, size int64) (tlog.TreeProof, error) {
	if old == 0 || old == size {
		return nil, nil
	}
	return tlog.ProveTree(size, old, s.hashes)
}

func request(old int64, proof tlog.TreeProof, checkpoint []byte) []byte {
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", old)
	for _, hash := range proof {
		fmt.Fprintf(&body, "%s\n", base64.StdEncoding.EncodeToString(hash[:]))
	}
	body.WriteString("\n")
	body.Write(checkpoint)
	return body.Bytes()
}

// changedSignature changes a bit within the last signature of a note.
func changedSignature(text []byte) []byte {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	last := strings.Fields(lines[len(lines)-1])
	signature, err := base64.StdEncoding.DecodeString(last[2])
	if err != nil {
		panic(err)
	}
	signature[len(signature)-8] ^= 1
	last[2] = base64.StdEncoding.EncodeToString(signature)
	lines[len(lines)-1] = strings.Join(last, " ")
	return []byte(strings.Join(lines, "\n") + "\n")
}

func otherOrigin(text []byte) []byte {
	return append([]byte("other."), text...)
}

func (w witness) post(body []byte) (answer, error) {
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Post(w.url+"/add-checkpoint", "text/plain; charset=utf-8", bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer))
	return answer{response.StatusCode, response.Header.Get("Content-Type"), read}, err
}

func (a answer) String() string {
	return fmt.Sprintf("%d (%s) %q", a.status, a.contentType, a.body)
}
