package risk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// node is a value of a JSON document with the path that leads to it. Reading
// through it is strict: what nobody asks for is an error, and every error
// names its place.
type node struct {
	path   string
	value  any // string, json.Number, bool, nil, or json.Delim for what is below
	names  []string
	values []*node
}

// fields are the members an object may have.
type fields map[string]func(*node) error

// maxDepth is deeper than any document of ours.
const maxDepth = 8

func readNode(document []byte) (*node, error) {
	if !utf8.Valid(document) {
		return nil, fmt.Errorf("risk: the document is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.UseNumber()
	root, err := nextNode(dec, "config", 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("risk: something follows the document")
	}
	return root, nil
}

func nextNode(dec *json.Decoder, path string, depth int) (*node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, fmt.Errorf("risk: %s: %w", path, err)
	}
	n := &node{path: path, value: token}
	open, below := token.(json.Delim)
	if !below {
		return n, nil
	}
	if depth == maxDepth {
		return nil, n.fault("is nested too deeply")
	}
	for dec.More() {
		at := fmt.Sprintf("%s[%d]", path, len(n.values))
		if open == '{' {
			name, err := dec.Token()
			if err != nil {
				return nil, fmt.Errorf("risk: %s: %w", path, err)
			}
			n.names = append(n.names, name.(string))
			at = path + "." + name.(string)
		}
		v, err := nextNode(dec, at, depth+1)
		if err != nil {
			return nil, err
		}
		n.values = append(n.values, v)
	}
	if _, err := dec.Token(); err != nil { // the closing bracket
		return nil, fmt.Errorf("risk: %s: %w", path, err)
	}
	return n, nil
}

func (n *node) fault(format string, args ...any) error {
	return fmt.Errorf("risk: %s: "+format, append([]any{n.path}, args...)...)
}

// members calls take with each member of an object.
func (n *node) members(take func(name string, n *node) error) error {
	if n.value != json.Delim('{') {
		return n.fault("must be an object")
	}
	seen := map[string]bool{}
	for i, name := range n.names {
		if seen[name] {
			return n.values[i].fault("is there twice")
		}
		seen[name] = true
		if err := take(name, n.values[i]); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) object(f fields) error {
	return n.members(func(name string, n *node) error {
		take := f[name]
		if take == nil {
			return n.fault("is not known")
		}
		return take(n)
	})
}

func (n *node) array(take func(*node) error) error {
	if n.value != json.Delim('[') {
		return n.fault("must be an array")
	}
	for _, v := range n.values {
		if err := take(v); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) text() (string, error) {
	s, ok := n.value.(string)
	if !ok {
		return "", n.fault("must be a string")
	}
	return s, nil
}

// name reads a string that is reported as it is.
func (n *node) name(into *string) error {
	s, err := n.text()
	switch {
	case err != nil:
		return err
	case strings.TrimSpace(s) == "":
		return n.fault("must not be empty")
	case len(s) > maxText:
		return n.fault("is longer than %d bytes", maxText)
	}
	*into = s
	return nil
}

func (n *node) positive(into *int64) error {
	number, ok := n.value.(json.Number)
	if !ok {
		return n.fault("must be a whole number")
	}
	v, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || v < 1 || v > maxBound {
		return n.fault("must be a whole number from 1 to %d; leave it out for no bound", int64(maxBound))
	}
	*into = v
	return nil
}

// maxBound keeps the sum of an amount and a bound within 64 bits.
const maxBound = 1 << 60

func (n *node) boolean(into *bool) error {
	b, ok := n.value.(bool)
	if !ok {
		return n.fault("must be true or false")
	}
	*into = b
	return nil
}

// oneOf reads one of a few words.
func oneOf[T ~string](n *node, into *T, words ...T) error {
	s, err := n.text()
	if err != nil {
		return err
	}
	names := make([]string, len(words))
	for i, w := range words {
		if T(s) == w {
			*into = w
			return nil
		}
		names[i] = strconv.Quote(string(w))
	}
	return n.fault("must be one of %s", strings.Join(names, ", "))
}
