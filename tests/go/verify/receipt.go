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

// entry is what is hashed of an event.
type entry struct {
	V           int    `json:"v"`
	Seq         int64  `json:"seq"`
	At          string `json:"at"`
	Tenant      string `json:"tenant"`
	TenantSeq   uint64 `json:"tenant_seq"`
	TenantPrev  string `json:"tenant_prev"`
	Kind        string `json:"kind"`
	PayloadHash string `json:"payload_hash"`
}

// record is an entry with its payload, as bytes.
type record struct {
	entry   []byte
	salt    *string
	payload []byte
}

// check hashes the entry and compares its payload; a payload that is not there is erased.
func (r record) check() (entry, tlog.Hash, error) {
	var parsed entry
	decoder := json.NewDecoder(bytes.NewReader(r.entry))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&parsed); err != nil {
		return parsed, tlog.Hash{}, err
	}
	if (r.salt == nil) != (r.payload == nil) {
		return parsed, tlog.Hash{}, fmt.Errorf("entry %d: half of its payload is missing", parsed.Seq)
	}
	if r.salt != nil {
		salt, err := base64.StdEncoding.DecodeString(*r.salt)
		if err != nil || len(salt) != 32 {
			return parsed, tlog.Hash{}, fmt.Errorf("entry %d: its salt is malformed", parsed.Seq)
		}
		hash := sha256.Sum256(append(salt, r.payload...))
		if base64.StdEncoding.EncodeToString(hash[:]) != parsed.PayloadHash {
			return parsed, tlog.Hash{}, fmt.Errorf("entry %d: its payload does not match its hash", parsed.Seq)
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
		return parsed, nil, tlog.Tree{}, fmt.Errorf("entry %d has no proof", parsed.Seq)
	}
	proof, err := parseProof(*r.Proof)
	if err != nil {
		return parsed, nil, tlog.Tree{}, err
	}
	tree, err := proof.check(keys, parsed.Seq, leaf)
	return parsed, rec.payload, tree, err
}

func verifyReceipt(keys keys, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var answer struct {
		Entries []receiptEntry `json:"entries"`
		Receipt *struct {
			Entries []receiptEntry `json:"entries"`
		} `json:"receipt"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	entries := answer.Entries
	if answer.Receipt != nil {
		entries = answer.Receipt.Entries
	}
	if len(entries) == 0 {
		return fmt.Errorf("no entry")
	}
	for _, entry := range entries {
		if _, _, _, err := entry.check(keys); err != nil {
			return err
		}
	}
	return nil
}
