package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// keys are the log's public keys, as an auditor keeps them, and the witnesses that he demands.
type keys struct {
	list      []note.Verifier
	origin    string
	witnesses []note.Verifier
}

func readKeys(path, witnessPath string) (keys, error) {
	lines, err := readLines(path)
	if err != nil {
		return keys{}, err
	}
	var read keys
	for _, line := range lines {
		verifier, err := note.NewVerifier(line)
		if err != nil {
			return keys{}, err
		}
		read.list = append(read.list, verifier)
	}
	read.origin = read.list[0].Name()
	if witnessPath == "" {
		return read, nil
	}
	if lines, err = readLines(witnessPath); err != nil {
		return keys{}, err
	}
	for _, line := range lines {
		verifier, err := newWitness(line)
		if err != nil {
			return keys{}, err
		}
		read.witnesses = append(read.witnesses, verifier)
	}
	return read, nil
}

func readLines(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	return strings.Split(strings.TrimSpace(string(text)), "\n"), err
}

// introduce takes in each key that a trusted one has introduced, the oldest first.
func (k *keys) introduce(introductions []string) error {
	for _, text := range introductions {
		lines := strings.Split(text, "\n")
		if len(lines) < 5 || lines[0] != "leasehold-signer-introduction/v1" || lines[1] != k.origin || lines[3] != "" {
			return fmt.Errorf("an introduction of a key is malformed")
		}
		made, err := note.NewVerifier(lines[2])
		if err != nil || made.Name() != k.origin {
			return fmt.Errorf("an introduction of a key names none of this log")
		}
		if _, err := note.Open([]byte(text), note.VerifierList(made)); err != nil {
			return fmt.Errorf("an introduction is not signed by the key that it introduces: %w", err)
		}
		var unverified *note.UnverifiedNoteError
		if _, err := note.Open([]byte(text), note.VerifierList(k.list...)); errors.As(err, &unverified) {
			continue
		} else if err != nil {
			return fmt.Errorf("an introduction of a key: %w", err)
		}
		if !k.knows(made) {
			k.list = append(k.list, made)
		}
	}
	return nil
}

func (k *keys) knows(made note.Verifier) bool {
	for _, known := range k.list {
		if known.KeyHash() == made.KeyHash() {
			return true
		}
	}
	return false
}

// witnessed says whether every witness that is demanded has co-signed.
func (k *keys) witnessed(text string) error {
	for _, witness := range k.witnesses {
		if _, err := note.Open([]byte(text), note.VerifierList(witness)); err != nil {
			return fmt.Errorf("not co-signed by the witness %s: %w", witness.Name(), err)
		}
	}
	return nil
}

// witness verifies co-signatures (C2SP tlog-cosignature): Ed25519 with the time, a key of type 4.
type witness struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func newWitness(text string) (note.Verifier, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("a witness's key is written name+id+key")
	}
	id, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 33 || key[0] != 4 {
		return nil, fmt.Errorf("not a witness's key")
	}
	return witness{parts[0], uint32(id), ed25519.PublicKey(key[1:])}, nil
}

func (w witness) Name() string    { return w.name }
func (w witness) KeyHash() uint32 { return w.id }

func (w witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	seconds := binary.BigEndian.Uint64(signature)
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", seconds, text)
	return seconds < 1<<63 && ed25519.Verify(w.key, []byte(signed), signature[8:])
}
