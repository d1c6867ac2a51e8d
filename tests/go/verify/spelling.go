package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// An entry, and a line that holds one, have one spelling each: what two programs read in the same bytes must not differ.
var (
	number      = `(0|[1-9][0-9]*)`
	hash        = `([A-Za-z0-9+/]{43}=)`
	entrySpells = regexp.MustCompile(`^\{"v":1,"seq":` + number +
		`,"at":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z)"` +
		`,"tenant":"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})","tenant_seq":` + number +
		`,"tenant_prev":"` + hash + `","kind":"([a-z._]+)","payload_hash":"` + hash + `"\}$`)
	lineSpells = regexp.MustCompile(`^\{"entry":(\{[^}]*\}),"salt":(?:null|"([^"]*)"),"payload":(.*)\}$`)
)

// entry is what is hashed of an event.
type entry struct {
	seq         int64
	at          string
	tenant      string
	tenantSeq   uint64
	tenantPrev  string
	kind        string
	payloadHash string
}

func parseEntry(bytes []byte) (entry, error) {
	found := entrySpells.FindSubmatch(bytes)
	if found == nil {
		return entry{}, fmt.Errorf("not an entry in its one spelling: %.60q", bytes)
	}
	seq, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		return entry{}, err
	}
	place, err := strconv.ParseUint(string(found[4]), 10, 64)
	return entry{seq, string(found[2]), string(found[3]), place, string(found[5]), string(found[6]), string(found[7])}, err
}

// unmarshalSpelled reads a value that is written as this program would write it, and in no other way.
func unmarshalSpelled(text []byte, value interface{}) error {
	if err := json.Unmarshal(text, value); err != nil {
		return err
	}
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	if !bytes.Equal(bytes.TrimSuffix(written.Bytes(), []byte("\n")), text) {
		return fmt.Errorf("a line is not in its one spelling: %.60q", text)
	}
	return nil
}

// checkObject says whether text is one JSON object in which no object says a name twice.
func checkObject(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	first, err := decoder.Token()
	if err == nil && first != json.Delim('{') {
		err = fmt.Errorf("not an object")
	}
	if err == nil {
		err = checkMembers(decoder, 1)
	}
	if err != nil {
		return fmt.Errorf("a payload: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("a payload goes on behind its object")
	}
	return nil
}

func checkMembers(decoder *json.Decoder, depth int) error {
	if depth > 128 {
		return fmt.Errorf("it nests too deep")
	}
	names := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		name := token.(string)
		if names[name] {
			return fmt.Errorf("the name %q stands twice in one object", name)
		}
		names[name] = true
		if err := checkValue(decoder, depth); err != nil {
			return err
		}
	}
	_, err := decoder.Token()
	return err
}

func checkValue(decoder *json.Decoder, depth int) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return checkMembers(decoder, depth+1)
	case json.Delim('['):
		if depth > 128 {
			return fmt.Errorf("it nests too deep")
		}
		for decoder.More() {
			if err := checkValue(decoder, depth+1); err != nil {
				return err
			}
		}
		_, err = decoder.Token()
	}
	return err
}

func parseHashes(texts []string) ([]tlog.Hash, error) {
	if len(texts) > 64 {
		return nil, fmt.Errorf("a proof has more hashes than any tree is deep")
	}
	var hashes []tlog.Hash
	for _, text := range texts {
		hash, err := tlog.ParseHash(text)
		if err != nil || hash.String() != text {
			return nil, fmt.Errorf("%.60q is no hash", text)
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

// parseSize reads a number in its one spelling.
func parseSize(text string) (int64, error) {
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != text {
		return 0, fmt.Errorf("%.60q is no number in its one spelling", text)
	}
	return size, nil
}
