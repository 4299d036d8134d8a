package merchant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Declaration says that there is a setting, and what may be set. Every setting
// is declared once, by whoever reads it.
type Declaration struct {
	Name    string // "<dialect>.<setting>"
	Type    string // what its values are, in words
	Default string // what holds where it is not set: JSON, or words
	Meaning string // a sentence's beginning, without a full stop

	check func(json.RawMessage) error
}

// Check says what is wrong with a value, without quoting it; the error begins
// with the setting's name.
func (d Declaration) Check(value json.RawMessage) error { return d.check(value) }

// Document declares a setting whose value only its reader understands. The
// errors of check begin with the setting's name.
func Document(name, what, otherwise, meaning string, check func(json.RawMessage) error) Declaration {
	return Declaration{Name: name, Type: what, Default: otherwise, Meaning: meaning, check: check}
}

// Setting is a declared setting with values of type T.
type Setting[T any] struct {
	Declaration
	otherwise T
	legal     func(T) bool
}

// Of returns a merchant's setting, its default where he has none.
func (s Setting[T]) Of(m *Merchant) T { return s.Or(m, s.otherwise) }

// Or returns a merchant's setting, or otherwise where he has none.
func (s Setting[T]) Or(m *Merchant, otherwise T) T {
	if raw, ok := m.Settings[s.Name]; ok {
		if value, err := s.read(raw); err == nil {
			return value
		}
	}
	return otherwise
}

// Given tells whether a merchant has the setting.
func (s Setting[T]) Given(m *Merchant) bool {
	raw, ok := m.Settings[s.Name]
	return ok && s.check(raw) == nil
}

// Otherwise describes a default that is not always the same: what callers of
// Or pass.
func (s Setting[T]) Otherwise(words string) Setting[T] {
	s.Default = words
	return s
}

func (s Setting[T]) read(raw json.RawMessage) (value T, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	err = d.Decode(&value)
	if err == nil {
		_, err = d.Token()
	}
	if !errors.Is(err, io.EOF) || bytes.Equal(bytes.TrimSpace(raw), []byte("null")) || !s.legal(value) {
		return value, fmt.Errorf("%s must be %s", s.Name, s.Type)
	}
	return value, nil
}

func declare[T any](name, what string, otherwise T, meaning string, legal func(T) bool) Setting[T] {
	text, err := json.Marshal(otherwise)
	if err != nil {
		panic(err) // values of settings are plain
	}
	s := Setting[T]{Declaration{Name: name, Type: what, Default: string(text), Meaning: meaning}, otherwise, legal}
	s.check = func(raw json.RawMessage) error {
		_, err := s.read(raw)
		return err
	}
	return s
}

// Switch declares a setting that is true or false.
func Switch(name string, otherwise bool, meaning string) Setting[bool] {
	return declare(name, "true or false", otherwise, meaning, func(bool) bool { return true })
}

// Number declares a setting that is a whole number from least to most.
func Number(name string, otherwise, least, most int64, meaning string) Setting[int64] {
	what := fmt.Sprintf("a whole number from %d to %d", least, most)
	return declare(name, what, otherwise, meaning, func(n int64) bool { return least <= n && n <= most })
}

// Choice declares a setting that is one of a few values.
func Choice[T string | int64](name string, otherwise T, meaning string, values ...T) Setting[T] {
	shown := make([]string, len(values))
	for i, v := range values {
		shown[i] = fmt.Sprint(v)
		if text, ok := any(v).(string); ok {
			shown[i] = strconv.Quote(text)
		}
	}
	what := strings.Join(shown[:len(shown)-1], ", ") + " or " + shown[len(shown)-1]
	return declare(name, what, otherwise, meaning, func(v T) bool { return slices.Contains(values, v) })
}

// Text declares a setting that is a string; what says which.
func Text(name, what, otherwise, meaning string, legal func(string) bool) Setting[string] {
	return declare(name, what, otherwise, meaning, legal)
}

// Texts declares a setting that is an array of strings; what says which. Where
// it is not set it is empty.
func Texts(name, what, meaning string, legal func(string) bool) Setting[[]string] {
	return declare(name, what, []string{}, meaning, func(list []string) bool {
		return !slices.ContainsFunc(list, func(s string) bool { return !legal(s) })
	})
}
