package merchant

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Settings are all the settings there are, by name.
type Settings map[string]Declaration

// Declare adds declarations. Two of one name are a mistake of ours.
func (s Settings) Declare(declarations ...Declaration) {
	for _, d := range declarations {
		if _, there := s[d.Name]; there {
			panic("merchant: two settings are called " + d.Name)
		}
		s[d.Name] = d
	}
}

// Sorted returns the declarations by name.
func (s Settings) Sorted() []Declaration {
	sorted := make([]Declaration, 0, len(s))
	for _, name := range slices.Sorted(maps.Keys(s)) {
		sorted = append(sorted, s[name])
	}
	return sorted
}

// Apply returns what a merchant's settings are after a change: a value takes
// the place of the one before, null takes a setting away. Unknown names and
// values that may not be set are an error, which names each, and change
// nothing. A setting that nobody declares any more can still be taken away.
func (s Settings) Apply(have, change map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	result := maps.Clone(have)
	if result == nil {
		result = map[string]json.RawMessage{}
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(change)) {
		value := change[name]
		declared, known := s[name]
		_, there := have[name]
		switch {
		case !known && !(there && string(value) == "null"):
			wrong = append(wrong, fmt.Sprintf("there is no setting %q", name))
		case string(value) == "null":
			delete(result, name)
		default:
			if err := declared.Check(value); err != nil {
				wrong = append(wrong, err.Error())
				continue
			}
			result[name] = value
		}
	}
	if len(wrong) > 0 {
		return nil, errors.New(strings.Join(wrong, "; "))
	}
	return result, nil
}
