package intents

import (
	"strconv"
	"strings"
	"testing"
)

// written puts a query into words.
func written(q searchQuery) string {
	quote := func(text string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	var parts []string
	for _, c := range q.clauses {
		text := c.field
		if c.not {
			text = "-" + text
		}
		if c.field == "metadata" {
			text += "[" + quote(c.key) + "]"
		}
		switch text += c.op; {
		case c.null:
			text += "null"
		case searchFields[c.field].numeric:
			text += strconv.FormatInt(c.number, 10)
		default:
			text += quote(c.value)
		}
		parts = append(parts, text)
	}
	if q.any {
		return strings.Join(parts, " OR ")
	}
	return strings.Join(parts, " AND ")
}

// What is no query, each for a reason of its own.
func TestBadSearches(t *testing.T) {
	for name, query := range map[string]string{
		"unknown field":       `email:'x'`,
		"no field":            `'x'`,
		"no operator":         `status`,
		"text without quotes": `status:succeeded`,
		"open quote":          `status:'succeeded`,
		"metadata alone":      `metadata:'7'`,
		"key without quotes":  `metadata[order]:'7'`,
		"key not closed":      `metadata['order':'7'`,
		"key of another":      `status['x']:'7'`,
		"compared text":       `status>'a'`,
		"part of a number":    `amount~1`,
		"fraction":            `amount>1.5`,
		"no number":           `amount>`,
		"huge number":         `amount>99999999999999999999`,
		"short part":          `metadata['a']~'ab'`,
		"AND with OR":         `amount>1 AND amount>2 OR amount>3`,
		"trailing AND":        `amount>1 AND`,
		"parentheses":         `(amount>1)`,
		"null of a field":     `status:null`,
		"glued clauses":       `status:'a'status:'b'`,
		"too many":            `amount>1 amount>1 amount>1 amount>1 amount>1 amount>1 amount>1 amount>1 amount>1 amount>1 amount>1`,
		"empty":               ` `,
	} {
		t.Run(name, func(t *testing.T) {
			if q, wrong := parseSearch(query); wrong == "" {
				t.Errorf("%s is %+v", query, q)
			}
		})
	}
}

// A query that is understood can be put into words and understood again.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{
		`amount>100 AND currency:'usd'`, `metadata['k']:"v" OR -status:'canceled'`, `metadata["a\"b"]~'abc'`, `-metadata['k']:null`, `created<=5`, `amount="3"`, `'`, `-`, `metadata[`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, wrong := parseSearch(text)
		if wrong != "" {
			return
		}
		again, wrong := parseSearch(written(q))
		if wrong != "" {
			t.Fatalf("%q became %q: %s", text, written(q), wrong)
		}
		if written(again) != written(q) || len(again.clauses) != len(q.clauses) || again.any != q.any {
			t.Fatalf("%q became %q, then %q", text, written(q), written(again))
		}
	})
}
