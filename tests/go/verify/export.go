package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const noEntry = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

type opening struct {
	Version int    `json:"leasehold_export"`
	Origin  string `json:"origin"`
	Tenant  string `json:"tenant"`
	Entries uint64 `json:"entries"`
}

type step struct {
	Bit     uint8  `json:"bit"`
	Sibling string `json:"sibling"`
}

type closing struct {
	Newest      string       `json:"newest"`
	Map         receiptEntry `json:"map"`
	Path        []step       `json:"path"`
	Consistency []string     `json:"consistency"`
}

type line struct {
	Entry   json.RawMessage `json:"entry"`
	Salt    *string         `json:"salt"`
	Payload json.RawMessage `json:"payload"`
}

// head is the newest entry that was read of the chain.
type head struct {
	seq       int64
	tenantSeq uint64
	leaf      tlog.Hash
}

func verifyExport(keys keys, path, olderPath string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 64*1024), 1024*1024)
	if !lines.Scan() {
		return fmt.Errorf("the file is empty")
	}
	var open opening
	if err := json.Unmarshal(lines.Bytes(), &open); err != nil {
		return err
	}
	if open.Version != 1 || open.Origin != keys.origin {
		return fmt.Errorf("not an export of %s", keys.origin)
	}
	newest, err := readChain(lines, open)
	if err != nil {
		return err
	}
	if !lines.Scan() {
		return fmt.Errorf("the file ends without its proofs")
	}
	var end closing
	if err := json.Unmarshal(lines.Bytes(), &end); err != nil {
		return err
	}
	if lines.Scan() {
		return fmt.Errorf("the file goes on behind its proofs")
	}
	return checkClosing(keys, open, end, newest, olderPath)
}

// readChain reads the entries: each continues the one before it, and none is missing.
func readChain(lines *bufio.Scanner, open opening) (head, error) {
	var newest head
	missing := map[uint64]bool{}
	prev := noEntry
	for place := uint64(0); place < open.Entries; place++ {
		if !lines.Scan() {
			return newest, fmt.Errorf("the file ends after %d of %d entries", place, open.Entries)
		}
		var read line
		if err := json.Unmarshal(lines.Bytes(), &read); err != nil {
			return newest, err
		}
		rec := record{entry: read.Entry, salt: read.Salt}
		if !bytes.Equal(read.Payload, []byte("null")) {
			rec.payload = read.Payload
		}
		parsed, leaf, err := rec.check()
		if err != nil {
			return newest, err
		}
		if parsed.Tenant != open.Tenant || parsed.TenantSeq != place || parsed.TenantPrev != prev {
			return newest, fmt.Errorf("the chain breaks at entry %d", parsed.Seq)
		}
		if place > 0 && parsed.Seq <= newest.seq {
			return newest, fmt.Errorf("entry %d stands out of order", parsed.Seq)
		}
		if rec.payload == nil {
			missing[place] = true
		} else if parsed.Kind == "log.payloads_erased" {
			var erasure struct {
				Details struct {
					From    uint64 `json:"from"`
					Through uint64 `json:"through"`
				} `json:"details"`
			}
			if err := json.Unmarshal(rec.payload, &erasure); err != nil {
				return newest, err
			}
			for erased := erasure.Details.From; erased <= erasure.Details.Through && erased < place; erased++ {
				delete(missing, erased)
			}
		}
		newest = head{parsed.Seq, place, leaf}
		prev = base64.StdEncoding.EncodeToString(leaf[:])
	}
	if open.Entries == 0 || len(missing) > 0 {
		return newest, fmt.Errorf("%d payloads are missing, and nothing says that they were erased", len(missing))
	}
	return newest, nil
}

func checkClosing(keys keys, open opening, end closing, newest head, olderPath string) error {
	proof, err := parseProof(end.Newest)
	if err != nil {
		return err
	}
	tree, err := proof.check(keys, newest.seq, newest.leaf)
	if err != nil {
		return err
	}
	committed, payload, under, err := end.Map.check(keys)
	if err != nil {
		return fmt.Errorf("the map: %w", err)
	}
	if committed.Kind != "log.heads_committed" || strings.Trim(committed.Tenant, "0-") != "" || under != tree {
		return fmt.Errorf("entry %d does not commit the map under the same checkpoint", committed.Seq)
	}
	var commits struct {
		Details struct {
			Root string `json:"root"`
		} `json:"details"`
	}
	if err := json.Unmarshal(payload, &commits); err != nil {
		return err
	}
	root, err := rootOfPath(open.Tenant, newest, end.Path)
	if err != nil {
		return err
	}
	if root != commits.Details.Root {
		return fmt.Errorf("entry %d is not the tenant's newest: the end was cut off, or the chain was forked", newest.seq)
	}
	if olderPath == "" {
		return nil
	}
	text, err := os.ReadFile(olderPath)
	if err != nil {
		return err
	}
	older, err := openCheckpoint(keys, string(text))
	if err != nil {
		return err
	}
	var hashes tlog.TreeProof
	for _, text := range end.Consistency {
		hash, err := tlog.ParseHash(text)
		if err != nil {
			return err
		}
		hashes = append(hashes, hash)
	}
	return checkConsistency(hashes, older, tree)
}

// rootOfPath climbs from the tenant's place in the map: a leaf is SHA-256(2, tenant, place, leaf hash), a branch
// SHA-256(3, bit, zeros, ones), and the tenant's own bit says on which side it hangs.
func rootOfPath(tenant string, newest head, path []step) (string, error) {
	id, err := hex.DecodeString(strings.ReplaceAll(tenant, "-", ""))
	if err != nil || len(id) != 16 {
		return "", fmt.Errorf("%s is no tenant", tenant)
	}
	leaf := append([]byte{2}, id...)
	leaf = binary.BigEndian.AppendUint64(leaf, newest.tenantSeq)
	hash := sha256.Sum256(append(leaf, newest.leaf[:]...))
	last := 128
	for _, step := range path {
		sibling, err := base64.StdEncoding.DecodeString(step.Sibling)
		if err != nil || len(sibling) != 32 || int(step.Bit) >= last {
			return "", fmt.Errorf("the path in the map is malformed")
		}
		last = int(step.Bit)
		branch := []byte{3, step.Bit}
		if id[step.Bit/8]>>(7-step.Bit%8)&1 == 1 {
			branch = append(append(branch, sibling...), hash[:]...)
		} else {
			branch = append(append(branch, hash[:]...), sibling...)
		}
		hash = sha256.Sum256(branch)
	}
	return base64.StdEncoding.EncodeToString(hash[:]), nil
}
