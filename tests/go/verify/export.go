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
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const noEntry = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

type opening struct {
	Version    int    `json:"leasehold_export"`
	Origin     string `json:"origin"`
	Tenant     string `json:"tenant"`
	Entries    uint64 `json:"entries"`
	ExportedAt string `json:"exported_at"`
}

type step struct {
	Bit     uint8  `json:"bit"`
	Sibling string `json:"sibling"`
}

type closing struct {
	Newest        string       `json:"newest"`
	Map           receiptEntry `json:"map"`
	Path          []step       `json:"path"`
	Introductions []string     `json:"introductions"`
	Consistency   []string     `json:"consistency"`
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
	lines.Split(scanWholeLines)
	if !lines.Scan() {
		return fmt.Errorf("the file is empty")
	}
	var open opening
	if err := unmarshalSpelled(lines.Bytes(), &open); err != nil {
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
	if err := unmarshalSpelled(lines.Bytes(), &end); err != nil {
		return err
	}
	if lines.Scan() || lines.Err() != nil {
		return fmt.Errorf("the file goes on behind its proofs")
	}
	if err := keys.introduce(end.Introductions); err != nil {
		return err
	}
	return checkClosing(keys, open, end, newest, olderPath)
}

// scanWholeLines is bufio.ScanLines, except that a carriage return is a byte of its line like any other.
func scanWholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if end := bytes.IndexByte(data, '\n'); end >= 0 {
		return end + 1, data[:end], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// readChain reads the entries: each continues the one before it, and none is missing.
func readChain(lines *bufio.Scanner, open opening) (head, error) {
	var newest head
	var missing ranges
	prev, at := noEntry, ""
	for place := uint64(0); place < open.Entries; place++ {
		if !lines.Scan() {
			if lines.Err() != nil {
				return newest, lines.Err()
			}
			return newest, fmt.Errorf("the file ends after %d of %d entries", place, open.Entries)
		}
		rec, err := parseLine(lines.Bytes())
		if err != nil {
			return newest, err
		}
		parsed, leaf, err := rec.check()
		if err != nil {
			return newest, err
		}
		if parsed.tenant != open.Tenant || parsed.tenantSeq != place || parsed.tenantPrev != prev {
			return newest, fmt.Errorf("the chain breaks at entry %d", parsed.seq)
		}
		if place > 0 && (parsed.seq <= newest.seq || parsed.at < at) {
			return newest, fmt.Errorf("entry %d stands out of order", parsed.seq)
		}
		if rec.payload == nil {
			missing.miss(place)
		} else if parsed.kind == "log.payloads_erased" {
			from, err := numberAt(rec.payload, "from")
			if err != nil {
				return newest, err
			}
			through, err := numberAt(rec.payload, "through")
			if err != nil {
				return newest, err
			}
			missing.account(from, through, place)
		}
		newest = head{parsed.seq, place, leaf}
		prev, at = base64.StdEncoding.EncodeToString(leaf[:]), parsed.at
	}
	if open.Entries == 0 {
		return newest, fmt.Errorf("the file holds no entry")
	}
	if len(missing) > 0 {
		return newest, fmt.Errorf("payloads are missing from place %d on, and nothing says that they were erased", missing[0].first)
	}
	return newest, nil
}

func parseLine(line []byte) (record, error) {
	found := lineSpells.FindSubmatch(line)
	if found == nil {
		return record{}, fmt.Errorf("not a record in its one spelling: %.60q", line)
	}
	rec := record{entry: found[1]}
	if found[2] != nil {
		salt := string(found[2])
		rec.salt = &salt
	}
	if !bytes.Equal(found[3], []byte("null")) {
		rec.payload = found[3]
	}
	return rec, nil
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
	if committed.kind != "log.heads_committed" || strings.Trim(committed.tenant, "0-") != "" || under != tree || payload == nil {
		return fmt.Errorf("entry %d does not commit the map under the same checkpoint", committed.seq)
	}
	size, err := numberAt(payload, "size")
	if err != nil {
		return err
	}
	if size > uint64(committed.seq) {
		return fmt.Errorf("entry %d claims to cover entries that come after it", committed.seq)
	}
	var committedRoot string
	if err := json.Unmarshal(detail(payload, "root"), &committedRoot); err != nil {
		return err
	}
	root, err := rootOfPath(open.Tenant, newest, end.Path)
	if err != nil {
		return err
	}
	if root != committedRoot || uint64(newest.seq) >= size {
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
	if end.Consistency == nil {
		return fmt.Errorf("the file has no proof that the log continues the older checkpoint")
	}
	hashes, err := parseHashes(end.Consistency)
	if err != nil {
		return err
	}
	return checkConsistency(hashes, older, tree)
}

// detail finds a member of a payload's details by its exact name: encoding/json alone would take `FROM` for `from`.
func detail(payload []byte, name string) json.RawMessage {
	var outer, details map[string]json.RawMessage
	if json.Unmarshal(payload, &outer) != nil || json.Unmarshal(outer["details"], &details) != nil {
		return nil
	}
	return details[name]
}

func numberAt(payload []byte, name string) (uint64, error) {
	number, err := strconv.ParseUint(string(detail(payload, name)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("a payload does not say `%s`", name)
	}
	return number, nil
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
