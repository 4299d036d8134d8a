package risk

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/capstan-pay/capstan/money"
)

// condition is a compiled condition: it holds when all its clauses do.
type condition []clause

// clause is one part of a condition.
type clause interface {
	// holds tells whether the clause is true of an operation.
	holds(in *Input, u Usage) truth
	// window is what the clause counts, the zero window if nothing.
	window() window
}

// truth is what is known about a clause.
type truth uint8

const (
	no truth = iota
	unknown
	yes
)

// holds is yes when all clauses hold, no when one does not, and unknown when
// that depends on something the operation does not say.
func (c condition) holds(in *Input, u Usage) truth {
	result := yes
	for _, clause := range c {
		result = min(result, clause.holds(in, u))
	}
	return result
}

// Bounds of what a condition may count.
const (
	maxCount = 1000
	maxHours = 24 * 366
)

// parseCondition reads a condition: clauses joined by " AND ". Words are
// matched without regard to case, names of sets exactly.
//
//	Transaction amount more [or equal] than <major units>
//	Transaction currency is <currency>
//	Transaction type is <type>
//	BIN is in <set>
//	<type> transaction count more [or equal] than <n> per <subject> in <n> hours
//	Unique CardHolder count more [or equal] than <n> [per <subject>] in <n> hours
//
// where a type is authorization, payment, capture, void or refund, and a
// subject is IP address, card or email.
func parseCondition(text string, sets map[string][]string) (condition, error) {
	var c condition
	for part := range strings.SplitSeq(text, " AND ") {
		p := &parser{words: strings.Fields(part)}
		clause, err := p.clause(sets)
		if err == nil && len(p.words) > 0 {
			err = fmt.Errorf("%q is not expected", p.words[0])
		}
		if err != nil {
			return nil, fmt.Errorf("clause %d: %w", len(c)+1, err)
		}
		c = append(c, clause)
	}
	return c, nil
}

// parser takes words off the front of a clause.
type parser struct{ words []string }

// accept takes the given words if they come next.
func (p *parser) accept(words ...string) bool {
	if len(p.words) < len(words) {
		return false
	}
	for i, w := range words {
		if !strings.EqualFold(p.words[i], w) {
			return false
		}
	}
	p.words = p.words[len(words):]
	return true
}

func (p *parser) expect(words ...string) error {
	if !p.accept(words...) {
		return fmt.Errorf("expected %q", strings.Join(words, " "))
	}
	return nil
}

func (p *parser) next(what string) (string, error) {
	if len(p.words) == 0 {
		return "", fmt.Errorf("expected %s", what)
	}
	word := p.words[0]
	p.words = p.words[1:]
	return word, nil
}

func (p *parser) clause(sets map[string][]string) (clause, error) {
	switch {
	case p.accept("Transaction", "amount"):
		return p.amount()
	case p.accept("Transaction", "currency", "is"):
		return p.currency()
	case p.accept("Transaction", "type", "is"):
		t, err := p.kind()
		return typeIs(t), err
	case p.accept("BIN", "is", "in"):
		return p.bin(sets)
	case p.accept("Unique", "CardHolder", "count"):
		return p.count(window{of: holders})
	case len(p.words) == 0:
		return nil, errors.New("is empty")
	}
	t, err := p.kind()
	if err != nil {
		return nil, err
	}
	if err := p.expect("transaction", "count"); err != nil {
		return nil, err
	}
	return p.count(window{of: string(t)})
}

func (p *parser) kind() (Type, error) {
	word, err := p.next("a transaction type")
	if err != nil {
		return "", err
	}
	for _, t := range types {
		if strings.EqualFold(word, string(t)) {
			return t, nil
		}
	}
	return "", fmt.Errorf("%q begins no clause and is no transaction type", word)
}

// more reads "more than" or "more or equal than".
func (p *parser) more() (orEqual bool, err error) {
	if p.accept("more", "or", "equal", "than") {
		return true, nil
	}
	if p.accept("more", "than") {
		return false, nil
	}
	return false, errors.New(`expected "more than" or "more or equal than"`)
}

func (p *parser) number(what string, most int) (int, error) {
	word, err := p.next(what)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(word, 10, 31)
	if err != nil || n < 1 || int(n) > most {
		return 0, fmt.Errorf("%s must be a whole number from 1 to %d", what, most)
	}
	return int(n), nil
}

func (p *parser) amount() (clause, error) {
	orEqual, err := p.more()
	if err != nil {
		return nil, err
	}
	word, err := p.next("an amount")
	if err != nil {
		return nil, err
	}
	whole, fraction, point := strings.Cut(word, ".")
	digits, err := strconv.ParseUint(whole+fraction, 10, 64)
	bad := err != nil || whole == "" || (point && fraction == "") || len(whole) > 12 || len(fraction) > len(pow10)-1
	if bad || strings.Trim(whole+fraction, "0123456789") != "" {
		return nil, errors.New("the amount must be major units such as 100 or 99.50, at most 12 digits and 3 decimals")
	}
	return amountMore{digits, len(fraction), orEqual}, nil
}

func (p *parser) currency() (clause, error) {
	word, err := p.next("a currency")
	if err != nil {
		return nil, err
	}
	code, err := money.ParseCurrency(strings.ToUpper(word))
	if err != nil {
		return nil, fmt.Errorf("%q is no ISO 4217 currency", word)
	}
	return currencyIs(code), nil
}

func (p *parser) bin(sets map[string][]string) (clause, error) {
	name, err := p.next("the name of a set")
	if err != nil {
		return nil, err
	}
	bins, ok := sets[name]
	if !ok {
		return nil, fmt.Errorf("there is no set %q", name)
	}
	return binIn(setOf(bins)), nil
}

func (p *parser) count(w window) (clause, error) {
	orEqual, err := p.more()
	if err != nil {
		return nil, err
	}
	n, err := p.number("the count", maxCount)
	if err != nil {
		return nil, err
	}
	limit := n + 1
	if orEqual {
		limit = n
	}
	w.per, w.keep = byCard, limit
	if w.of != holders || p.accept("per") {
		if w.of != holders {
			if err := p.expect("per"); err != nil {
				return nil, err
			}
		}
		if w.per, err = p.subject(); err != nil {
			return nil, err
		}
	}
	if err := p.expect("in"); err != nil {
		return nil, err
	}
	if w.hours, err = p.number("the hours", maxHours); err != nil {
		return nil, err
	}
	if !p.accept("hours") && !p.accept("hour") {
		return nil, errors.New(`expected "hours"`)
	}
	return countMore{w, limit}, nil
}

func (p *parser) subject() (subject, error) {
	switch {
	case p.accept("IP", "address"):
		return byIP, nil
	case p.accept("card"):
		return byCard, nil
	case p.accept("email"):
		return byEmail, nil
	}
	return "", errors.New(`expected "IP address", "card" or "email"`)
}
