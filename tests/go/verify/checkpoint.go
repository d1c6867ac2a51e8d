package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// keys are the log's public keys, as an auditor keeps them: one a line.
type keys struct {
	verifiers note.Verifiers
	origin    string
}

func readKeys(path string) (keys, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return keys{}, err
	}
	var list []note.Verifier
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		verifier, err := note.NewVerifier(line)
		if err != nil {
			return keys{}, err
		}
		list = append(list, verifier)
	}
	return keys{note.VerifierList(list...), list[0].Name()}, nil
}

// openCheckpoint checks the signature of a C2SP tlog-checkpoint.
func openCheckpoint(keys keys, text string) (tlog.Tree, error) {
	opened, err := note.Open([]byte(text), keys.verifiers)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("the checkpoint: %w", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != keys.origin {
		return tlog.Tree{}, fmt.Errorf("the checkpoint is not of %s", keys.origin)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	hash, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: hash}, err
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
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return proof{}, fmt.Errorf("not a tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return proof{}, err
	}
	parsed := proof{index: index, checkpoint: checkpoint}
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return proof{}, err
		}
		parsed.hashes = append(parsed.hashes, hash)
	}
	return parsed, nil
}

// check says whether leaf stands at seq in the tree that the proof's checkpoint signs.
func (p proof) check(keys keys, seq int64, leaf tlog.Hash) (tlog.Tree, error) {
	tree, err := openCheckpoint(keys, p.checkpoint)
	if err != nil {
		return tree, err
	}
	if p.index != seq {
		return tree, fmt.Errorf("entry %d has the proof of entry %d", seq, p.index)
	}
	if err := tlog.CheckRecord(p.hashes, tree.N, tree.Hash, seq, leaf); err != nil {
		return tree, fmt.Errorf("entry %d: %w", seq, err)
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
	var hashes tlog.TreeProof
	for _, line := range strings.Fields(string(text)) {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		hashes = append(hashes, hash)
	}
	return checkConsistency(hashes, trees[0], trees[1])
}

func checkConsistency(hashes tlog.TreeProof, older, newer tlog.Tree) error {
	if older.N > newer.N {
		return fmt.Errorf("the log was shortened from %d to %d entries", older.N, newer.N)
	}
	return tlog.CheckTree(hashes, newer.N, newer.Hash, older.N, older.Hash)
}
