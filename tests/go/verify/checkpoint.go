package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// openCheckpoint checks the signature of a C2SP tlog-checkpoint.
func openCheckpoint(keys keys, text string) (tlog.Tree, error) {
	opened, err := note.Open([]byte(text), note.VerifierList(keys.list...))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("the checkpoint: %w", err)
	}
	lines := strings.Split(strings.TrimSuffix(opened.Text, "\n"), "\n")
	if len(lines) < 3 || lines[0] != keys.origin {
		return tlog.Tree{}, fmt.Errorf("the checkpoint is not of %s", keys.origin)
	}
	for _, extension := range lines[3:] {
		if extension == "" {
			return tlog.Tree{}, fmt.Errorf("the checkpoint is malformed")
		}
	}
	size, err := parseSize(lines[1])
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := parseHashes(lines[2:3])
	if err != nil {
		return tlog.Tree{}, err
	}
	return tlog.Tree{N: size, Hash: root[0]}, nil
}

// proof is a C2SP tlog-proof.
type proof struct {
	index      int64
	hashes     tlog.RecordProof
	checkpoint string
}

func parseProof(text string) (proof, error) {
	head, checkpoint, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		return proof{}, fmt.Errorf("not a tlog-proof")
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return proof{}, fmt.Errorf("not a tlog-proof")
	}
	index, err := parseSize(strings.TrimPrefix(lines[0], "index "))
	if err != nil {
		return proof{}, err
	}
	hashes, err := parseHashes(lines[1:])
	return proof{index, hashes, checkpoint}, err
}

// check says whether leaf stands at seq in the tree that the proof's checkpoint signs.
func (p proof) check(keys keys, seq int64, leaf tlog.Hash) (tlog.Tree, error) {
	tree, err := openCheckpoint(keys, p.checkpoint)
	if err != nil {
		return tree, err
	}
	if err := keys.witnessed(p.checkpoint); err != nil {
		return tree, err
	}
	if p.index != seq {
		return tree, fmt.Errorf("entry %d has the proof of entry %d", seq, p.index)
	}
	if err := tlog.CheckRecord(p.hashes, tree.N, tree.Hash, seq, leaf); err != nil {
		return tree, fmt.Errorf("entry %d is not in the tree: %w", seq, err)
	}
	return tree, nil
}

func verifyConsistency(keys keys, olderPath, newerPath, proofPath string) error {
	trees := [2]tlog.Tree{}
	for at, path := range []string{olderPath, newerPath} {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if trees[at], err = openCheckpoint(keys, string(text)); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(proofPath)
	if err != nil {
		return err
	}
	hashes, err := parseHashes(strings.Fields(string(text)))
	if err != nil {
		return err
	}
	return checkConsistency(hashes, trees[0], trees[1])
}

func checkConsistency(hashes tlog.TreeProof, older, newer tlog.Tree) error {
	if older.N > newer.N {
		return fmt.Errorf("the log was shortened from %d to %d entries", older.N, newer.N)
	}
	if err := tlog.CheckTree(hashes, newer.N, newer.Hash, older.N, older.Hash); err != nil {
		return fmt.Errorf("the log does not continue the older checkpoint: %w", err)
	}
	return nil
}
