package intents

import (
	"strings"
	"time"

	"github.com/capstan-pay/capstan/dialect"
)

// listing is what every list may be asked for (section 10).
type listing struct {
	limit         int
	after, before string // ids: starting_after, ending_before; at most one of them
	from, until   time.Time
}

// How many objects a page has.
const (
	pageDefault = 10
	pageMost    = 100
)

// listing reads the parameters that nearly all lists have.
func (p *params) listing() listing {
	l := p.paging()
	l.from, l.until = p.created()
	return l
}

// paging reads the parameters that all lists have.
func (p *params) paging() listing {
	l := listing{limit: p.limit()}
	l.after, _ = p.text("starting_after", 255)
	l.before, _ = p.text("ending_before", 255)
	if l.after != "" && l.before != "" {
		p.fail(invalid("ending_before", "You may only specify one of these parameters: starting_after, ending_before."))
	}
	return l
}

// limit reads how many objects a page is to have.
func (p *params) limit() int {
	n, sent := p.integer("limit")
	switch wrong := ""; {
	case !sent:
		return pageDefault
	case n < 1:
		wrong = "greater than or equal to 1."
		fallthrough
	case n > pageMost:
		if wrong == "" {
			wrong = "less than or equal to 100."
		}
		p.fail(&problem{status: 400, code: "parameter_invalid_integer", param: "limit", message: "This value must be " + wrong})
	}
	return int(n)
}

// farthest bounds times so that they can be counted with.
const farthest = 1 << 37

// created reads a range of seconds as [from, until).
func (p *params) created() (from, until time.Time) {
	second := func(n int64) time.Time { return time.Unix(min(max(n, 0), farthest), 0).UTC() }
	since := func(at time.Time) {
		if at.After(from) {
			from = at
		}
	}
	before := func(at time.Time) {
		if until.IsZero() || at.Before(until) {
			until = at
		}
	}
	if len(p.nested("created")) == 0 {
		if n, sent := p.integer("created"); sent {
			since(second(n))
			before(second(n).Add(time.Second))
		}
	}
	for _, bound := range []struct {
		name  string
		set   func(time.Time)
		later time.Duration
	}{{"created[gt]", since, time.Second}, {"created[gte]", since, 0}, {"created[lt]", before, 0}, {"created[lte]", before, time.Second}} {
		if n, sent := p.integer(bound.name); sent {
			bound.set(second(n).Add(bound.later))
		}
	}
	return from, until
}

// nested lists the names of what is nested in name, without reading it.
func (p *params) nested(name string) (names []string) {
	for i := range p.list {
		if rest, ok := strings.CutPrefix(p.list[i].name, name); ok && rest != "" && rest[0] == '[' {
			names = append(names, p.list[i].name)
		}
	}
	return names
}

// unknownCursor is what is wrong with a starting_after or ending_before that
// names nothing of this kind.
func (l *listing) unknownCursor(what string) *problem {
	if l.before != "" {
		return missing(400, "ending_before", what, l.before)
	}
	return missing(400, "starting_after", what, l.after)
}

// cursor is the id that the page begins behind; empty for none.
func (l *listing) cursor() string {
	if l.before != "" {
		return l.before
	}
	return l.after
}

// appendList appends a list of n objects, each appended by item at the margin.
func appendList(b []byte, url string, more bool, n int, item func(b []byte, i int) []byte) []byte {
	b = append(b, "{\n  \"object\": \"list\",\n  \"data\": ["...)
	b = append(appendItems(b, n, item), "],\n  \"has_more\": "...)
	b = dialect.AppendBool(b, more)
	b = dialect.AppendString(append(b, ",\n  \"url\": "...), url)
	return append(b, "\n}\n"...)
}

// appendItems appends the objects of a list, between its brackets.
func appendItems(b []byte, n int, item func(b []byte, i int) []byte) []byte {
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNested(append(b, "\n    "...), item(nil, i), 2)
	}
	if n > 0 {
		b = append(b, "\n  "...)
	}
	return b
}
