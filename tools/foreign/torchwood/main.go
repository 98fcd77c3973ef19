// Command torchwood holds a log, and a witness, against filippo.io/torchwood: a client of tlog-tiles,
// tlog-proof, tlog-policy and tlog-cosignature that shares nothing with this repository.
//
//	torchwood read DIR...             read logs, their entries and their proofs
//	torchwood submit URL VKEY DIR     have a witness cosign all checkpoints of a log, good and bad ones
//	torchwood policy POLICY CHECKPOINT  ask whether a checkpoint satisfies a tlog-policy
//	torchwood keygen NAME FILE        make a signing key; prints its vkey
//
// Each DIR is what `cargo xtask log --receipts` makes. Exit codes: 0 yes, 1 no, 2 usage.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) >= 2 && arguments[0] == "read":
		for _, dir := range arguments[1:] {
			if err := read(dir); err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
		}
		return nil
	case len(arguments) == 4 && arguments[0] == "submit":
		return submit(arguments[1], arguments[2], arguments[3])
	case len(arguments) == 3 && arguments[0] == "policy":
		return satisfies(arguments[1], arguments[2])
	case len(arguments) == 3 && arguments[0] == "keygen":
		return keygen(arguments[1], arguments[2])
	}
	fmt.Fprintln(os.Stderr, "usage: torchwood read DIR... | submit URL VKEY DIR | policy POLICY CHECKPOINT | keygen NAME FILE")
	os.Exit(2)
	return nil
}

func satisfies(policyFile, checkpointFile string) error {
	text, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return err
	}
	checkpoint, err := os.ReadFile(checkpointFile)
	if err != nil {
		return err
	}
	verified, opened, err := torchwood.VerifyCheckpoint(checkpoint, policy)
	if err != nil {
		return err
	}
	fmt.Printf("%s: size %d satisfies the policy with %d signatures\n",
		verified.Origin, verified.N, len(opened.Sigs))
	return nil
}

func keygen(name, file string) error {
	secret, vkey, err := note.GenerateKey(nil, name)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		return err
	}
	fmt.Println(vkey)
	return nil
}

// keysOf are the keys of the log in a directory, one a line.
func keysOf(dir string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "log.vkey"))
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(text)), nil
}

// policyOf asks for the signatures of all keys of the log, and for no witness.
func policyOf(dir string) (torchwood.Policy, error) {
	keys, err := keysOf(dir)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&text, "log %s\n", key)
	}
	text.WriteString("quorum none\n")
	return torchwood.ParsePolicy([]byte(text.String()))
}
