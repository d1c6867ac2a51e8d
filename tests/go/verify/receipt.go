package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// record is an entry with its payload, as bytes.
type record struct {
	entry   []byte
	salt    *string
	payload []byte
}

// check hashes the entry and compares its payload; a payload that is not there is erased.
func (r record) check() (entry, tlog.Hash, error) {
	parsed, err := parseEntry(r.entry)
	if err != nil {
		return parsed, tlog.Hash{}, err
	}
	if (r.salt == nil) != (r.payload == nil) {
		return parsed, tlog.Hash{}, fmt.Errorf("entry %d: half of its payload is missing", parsed.seq)
	}
	if r.salt != nil {
		salt, err := base64.StdEncoding.DecodeString(*r.salt)
		if err != nil || len(salt) != 32 {
			return parsed, tlog.Hash{}, fmt.Errorf("entry %d: its salt is malformed", parsed.seq)
		}
		hash := sha256.Sum256(append(salt, r.payload...))
		if base64.StdEncoding.EncodeToString(hash[:]) != parsed.payloadHash {
			return parsed, tlog.Hash{}, fmt.Errorf("entry %d: its payload does not match its hash", parsed.seq)
		}
		if err := checkObject(r.payload); err != nil {
			return parsed, tlog.Hash{}, fmt.Errorf("entry %d: %w", parsed.seq, err)
		}
	}
	return parsed, tlog.RecordHash(r.entry), nil
}

// receiptEntry is an entry with its proof; what is hashed stands in it as text.
type receiptEntry struct {
	Entry   string  `json:"entry"`
	Salt    *string `json:"salt"`
	Payload *string `json:"payload"`
	Proof   *string `json:"proof"`
}

type receipt struct {
	Origin        string         `json:"origin"`
	Entries       []receiptEntry `json:"entries"`
	Introductions []string       `json:"introductions"`
}

func (r receiptEntry) check(keys keys) (entry, []byte, tlog.Tree, error) {
	rec := record{entry: []byte(r.Entry), salt: r.Salt}
	if r.Payload != nil {
		rec.payload = []byte(*r.Payload)
	}
	parsed, leaf, err := rec.check()
	if err != nil {
		return parsed, nil, tlog.Tree{}, err
	}
	if r.Proof == nil {
		return parsed, nil, tlog.Tree{}, fmt.Errorf("entry %d has no proof", parsed.seq)
	}
	proof, err := parseProof(*r.Proof)
	if err != nil {
		return parsed, nil, tlog.Tree{}, err
	}
	tree, err := proof.check(keys, parsed.seq, leaf)
	return parsed, rec.payload, tree, err
}

func verifyReceipt(keys keys, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := checkObject(text); err != nil {
		return err
	}
	var answer struct {
		Receipt json.RawMessage `json:"receipt"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	if answer.Receipt != nil {
		text = answer.Receipt
	}
	var read receipt
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		return err
	}
	if err := keys.introduce(read.Introductions); err != nil {
		return err
	}
	if len(read.Entries) == 0 {
		return fmt.Errorf("no entry")
	}
	for _, entry := range read.Entries {
		if _, _, _, err := entry.check(keys); err != nil {
			return err
		}
	}
	return nil
}
