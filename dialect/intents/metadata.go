package intents

import (
	"strings"
	"unicode/utf8"

	"github.com/capstan-pay/capstan/dialect"
)

// Bounds of metadata (section 3).
const (
	metadataKeys  = 50
	metadataKey   = 40
	metadataValue = 500
)

// metadata reads the metadata parameter as a patch: a JSON object whose empty
// strings take a key away, or null to take away all. Nil is nothing sent.
func (p *params) metadata() []byte {
	if p.cleared("metadata") {
		return []byte("null")
	}
	sent := p.below("metadata")
	if len(sent) == 0 {
		return nil
	}
	patch := []byte{'{'}
	for i, it := range sent {
		key := strings.TrimSuffix(it.name[1:], "]")
		switch {
		case it.kind == kindEmpty || !strings.HasSuffix(it.name, "]") || strings.ContainsAny(key, "[]") || key == "":
			p.fail(invalid("metadata", "Metadata must be a set of strings under keys without square brackets."))
		case utf8.RuneCountInString(key) > metadataKey:
			p.fail(invalid("metadata", "Metadata keys can be up to 40 characters long."))
		case utf8.RuneCountInString(it.value) > metadataValue:
			p.fail(invalid("metadata", "Metadata values can be up to 500 characters long."))
		}
		if i > 0 {
			patch = append(patch, ',')
		}
		patch = append(dialect.AppendString(patch, key), ':')
		patch = dialect.AppendString(patch, it.value)
	}
	if len(sent) > metadataKeys {
		p.fail(invalid("metadata", "Metadata can have up to 50 keys."))
	}
	return append(patch, '}')
}

// mergeMetadata puts a patch on metadata; either may be nil, and so is nothing
// left. Keys keep their places, new ones come last.
func mergeMetadata(old, patch []byte) []byte {
	if patch == nil {
		return old
	}
	if string(patch) == "null" {
		return nil
	}
	var keys []string
	values := map[string]string{}
	for _, document := range [][]byte{old, patch} {
		var all params
		all.decodeJSON(string(document))
		for _, it := range all.list {
			if _, known := values[it.name]; !known {
				keys = append(keys, it.name)
			}
			values[it.name] = it.value
		}
	}
	merged := []byte{'{'}
	for _, key := range keys {
		if values[key] == "" {
			continue
		}
		if len(merged) > 1 {
			merged = append(merged, ',')
		}
		merged = append(dialect.AppendString(merged, key), ':')
		merged = dialect.AppendString(merged, values[key])
	}
	if len(merged) == 1 {
		return nil
	}
	return append(merged, '}')
}

// addMetadata is mergeMetadata for what is kept: metadata has a bound.
func addMetadata(old, patch []byte) ([]byte, *problem) {
	merged := mergeMetadata(old, patch)
	if patch != nil && countMetadata(merged) > metadataKeys {
		full := invalid("metadata", "Metadata can have up to 50 keys.")
		full.unkept = true
		return merged, full
	}
	return merged, nil
}

// countMetadata is how many keys metadata has.
func countMetadata(document []byte) int {
	var all params
	all.decodeJSON(string(document))
	return len(all.list)
}

// metadataValueOf is the value under a key of metadata, and whether there is one.
func metadataValueOf(document []byte, key string) (string, bool) {
	var all params
	all.decodeJSON(string(document))
	for _, it := range all.list {
		if it.name == key {
			return it.value, true
		}
	}
	return "", false
}
