package intents

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/capstan-pay/capstan/payment"
)

// searchQuery is what a search asks for: clauses of which all have to be true,
// or one. There are no parentheses (section 10, Stripe's search language).
type searchQuery struct {
	clauses []clause
	any     bool // joined by OR
}

// clause is one condition, such as -metadata['order']:'7' or amount>100.
type clause struct {
	field  string
	key    string // of metadata
	op     string // one of : ~ > < >= <= =
	value  string
	number int64 // of numeric fields
	null   bool
	not    bool
}

// searchFields are the fields that intents can be searched by.
var searchFields = map[string]struct{ numeric bool }{
	"amount": {true}, "created": {true}, "currency": {}, "customer": {}, "metadata": {}, "status": {},
}

const (
	searchClauses  = 10
	searchShortest = 3 // characters of a part of a text
)

// parseSearch reads a query. What is wrong with it is told in words; nothing is
// the empty string.
func parseSearch(text string) (q searchQuery, wrong string) {
	s := searchScanner{text: text}
	joined := ""
	for {
		s.space()
		c, wrong := s.clause()
		if wrong != "" {
			return q, wrong
		}
		if q.clauses = append(q.clauses, c); len(q.clauses) > searchClauses {
			return q, "a query has at most 10 clauses."
		}
		if !s.space() && s.at < len(s.text) {
			return q, "there is something left after a value."
		}
		if s.at == len(s.text) {
			return q, ""
		}
		word := s.joiner()
		if joined != "" && word != joined {
			return q, "AND and OR cannot be used in the same query."
		}
		joined, q.any = word, word == "OR"
	}
}

// searchScanner reads a query once, from left to right.
type searchScanner struct {
	text string
	at   int
}

// space skips white space and tells whether there was any.
func (s *searchScanner) space() bool {
	from := s.at
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
	return s.at > from
}

// take skips word if it comes next.
func (s *searchScanner) take(word string) bool {
	if !strings.HasPrefix(s.text[s.at:], word) {
		return false
	}
	s.at += len(word)
	return true
}

// joiner reads AND or OR; clauses that just follow each other are joined by AND.
func (s *searchScanner) joiner() string {
	for _, word := range []string{"AND", "OR"} {
		if rest := s.text[s.at:]; len(rest) > len(word) && strings.EqualFold(rest[:len(word)], word) && strings.IndexByte(" \t\r\n", rest[len(word)]) >= 0 {
			s.at += len(word)
			return word
		}
	}
	return "AND"
}

func (s *searchScanner) clause() (c clause, wrong string) {
	c.not = s.take("-")
	from := s.at
	for s.at < len(s.text) && (s.text[s.at] >= 'a' && s.text[s.at] <= 'z' || s.text[s.at] == '_') {
		s.at++
	}
	c.field = s.text[from:s.at]
	kind, known := searchFields[c.field]
	if !known {
		return c, "it can be searched by amount, created, currency, customer, metadata and status."
	}
	if s.take("[") {
		key, ok := s.quoted()
		if !ok || c.field != "metadata" || !s.take("]") {
			return c, "a key stands in quotes and brackets behind metadata."
		}
		c.key = key
	} else if c.field == "metadata" {
		return c, "metadata needs a key, as in metadata['order']."
	}
	for _, op := range []string{">=", "<=", ">", "<", ":", "~", "="} {
		if s.take(op) {
			c.op = op
			break
		}
	}
	switch {
	case c.op == "":
		return c, "an operator is missing behind " + c.field + "."
	case kind.numeric && c.op == "~", !kind.numeric && c.op != ":" && c.op != "~":
		return c, "this operator cannot be used with " + c.field + "."
	}
	if c.field == "metadata" && c.op == ":" && s.take("null") {
		c.null = true
		return c, ""
	}
	return c, s.value(&c, kind.numeric)
}

// value reads what a field is compared with.
func (s *searchScanner) value(c *clause, numeric bool) (wrong string) {
	var ok bool
	if s.at < len(s.text) && (s.text[s.at] == '"' || s.text[s.at] == '\'') {
		if c.value, ok = s.quoted(); !ok {
			return "a quote is not closed."
		}
	} else {
		from := s.at
		for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) < 0 {
			s.at++
		}
		c.value = s.text[from:s.at]
		if !numeric {
			return "a text stands in quotes."
		}
	}
	if numeric {
		n, err := strconv.ParseInt(c.value, 10, 64)
		if err != nil || c.value[0] == '+' {
			return c.field + " is compared with a whole number."
		}
		c.number = n
		return ""
	}
	if c.op == "~" && utf8.RuneCountInString(c.value) < searchShortest {
		return "a part of a text has at least three characters."
	}
	return ""
}

// quoted reads a text in quotes of either kind. A backslash takes the next
// character as it is.
func (s *searchScanner) quoted() (string, bool) {
	if s.at == len(s.text) || s.text[s.at] != '"' && s.text[s.at] != '\'' {
		return "", false
	}
	quote := s.text[s.at]
	var value []byte
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == quote:
			s.at++
			return string(value), true
		case c == '\\' && s.at+1 < len(s.text):
			s.at++
			value = append(value, s.text[s.at])
		default:
			value = append(value, c)
		}
	}
	return "", false
}

// label narrows a search to the intents of one customer, where nothing else
// can match.
func (q *searchQuery) label() payment.Label {
	if !q.any || len(q.clauses) == 1 {
		for _, c := range q.clauses {
			if c.field == "customer" && c.op == ":" && !c.not && c.value != "" {
				return customerLabel(c.value)
			}
		}
	}
	return payment.Label{}
}

// matches tells whether an intent is what was asked for.
func (q *searchQuery) matches(v *view) bool {
	holds := func(c clause) bool { return c.holds(v) != c.not }
	if q.any {
		return slices.ContainsFunc(q.clauses, holds)
	}
	return !slices.ContainsFunc(q.clauses, func(c clause) bool { return !holds(c) })
}

func (c *clause) holds(v *view) bool {
	switch c.field {
	case "amount":
		return c.compare(v.scale.wire(v.p.Amount))
	case "created":
		return c.compare(v.p.CreatedAt.Unix())
	case "currency":
		return c.fits(strings.ToLower(string(v.p.Currency)), true)
	case "customer":
		customer := v.details.text(fieldCustomer)
		if c.op == ":" { // an id, not a text
			return customer != "" && customer == c.value
		}
		return c.fits(customer, customer != "")
	case "status":
		return c.fits(v.status, true)
	}
	value, has := metadataValueOf(v.metadata(), c.key)
	if c.null {
		return !has
	}
	return c.fits(value, has)
}

func (c *clause) compare(n int64) bool {
	switch c.op {
	case ">":
		return n > c.number
	case ">=":
		return n >= c.number
	case "<":
		return n < c.number
	case "<=":
		return n <= c.number
	}
	return n == c.number
}

// fits compares texts without regard to letter case, as the search does that
// this one follows.
func (c *clause) fits(text string, has bool) bool {
	if !has {
		return false
	}
	if c.op == "~" {
		return strings.Contains(strings.ToLower(text), strings.ToLower(c.value))
	}
	return strings.EqualFold(text, c.value)
}
