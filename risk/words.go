package risk

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/capstan-pay/capstan/money"
)

// Bounds of what a condition may count.
const (
	maxCount = 1000
	maxHours = 24 * 366
)

// inWords translates a condition in begateway's words to CEL. It is a list of
// clauses joined by " AND ". Words are matched without regard to case, names of
// sets exactly.
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
func inWords(text string, sets map[string][]string) (string, error) {
	var clauses []string
	for part := range strings.SplitSeq(text, " AND ") {
		p := &parser{words: strings.Fields(part)}
		clause, err := p.clause(sets)
		if err == nil && len(p.words) > 0 {
			err = fmt.Errorf("%q is not expected", p.words[0])
		}
		if err != nil {
			return "", fmt.Errorf("clause %d: %w", len(clauses)+1, err)
		}
		clauses = append(clauses, clause)
	}
	return strings.Join(clauses, " && "), nil
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

func (p *parser) clause(sets map[string][]string) (string, error) {
	switch {
	case p.accept("Transaction", "amount"):
		return p.amount()
	case p.accept("Transaction", "currency", "is"):
		return p.currency()
	case p.accept("Transaction", "type", "is"):
		t, err := p.kind()
		return fmt.Sprintf("operation.type == %q", t), err
	case p.accept("BIN", "is", "in"):
		return p.bin(sets)
	case p.accept("Unique", "CardHolder", "count"):
		return p.count("")
	case len(p.words) == 0:
		return "", errors.New("is empty")
	}
	t, err := p.kind()
	if err != nil {
		return "", err
	}
	if err := p.expect("transaction", "count"); err != nil {
		return "", err
	}
	return p.count(t)
}

func (p *parser) kind() (Type, error) {
	word, err := p.next("a transaction type")
	if err != nil {
		return "", err
	}
	for _, t := range kinds {
		if strings.EqualFold(word, string(t)) {
			return t, nil
		}
	}
	return "", fmt.Errorf("%q begins no clause and is no transaction type", word)
}

// more reads "more than" or "more or equal than".
func (p *parser) more() (operator string, err error) {
	if p.accept("more", "or", "equal", "than") {
		return ">=", nil
	}
	if p.accept("more", "than") {
		return ">", nil
	}
	return "", errors.New(`expected "more than" or "more or equal than"`)
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

func (p *parser) amount() (string, error) {
	operator, err := p.more()
	if err != nil {
		return "", err
	}
	word, err := p.next("an amount")
	if err != nil {
		return "", err
	}
	if !looksLikeMajor(word) {
		return "", errors.New("the amount must be major units such as 100 or 99.50, at most 12 digits and 3 decimals")
	}
	return fmt.Sprintf("amountVersus(%q) %s 0", word, operator), nil
}

func (p *parser) currency() (string, error) {
	word, err := p.next("a currency")
	if err != nil {
		return "", err
	}
	code, err := money.ParseCurrency(strings.ToUpper(word))
	if err != nil {
		return "", fmt.Errorf("%q is no ISO 4217 currency", word)
	}
	return fmt.Sprintf("operation.currency == %q", code), nil
}

func (p *parser) bin(sets map[string][]string) (string, error) {
	name, err := p.next("the name of a set")
	if err != nil {
		return "", err
	}
	if _, ok := sets[name]; !ok {
		return "", fmt.Errorf("there is no set %q", name)
	}
	return "binIn(" + quoted(name) + ")", nil
}

// count reads what follows "count" of a type, or of card holders if it is
// empty.
func (p *parser) count(of Type) (string, error) {
	operator, err := p.more()
	if err != nil {
		return "", err
	}
	n, err := p.number("the count", maxCount)
	if err != nil {
		return "", err
	}
	per := byCard
	if of != "" || p.accept("per") {
		if of != "" {
			if err := p.expect("per"); err != nil {
				return "", err
			}
		}
		if per, err = p.subject(); err != nil {
			return "", err
		}
	}
	if err := p.expect("in"); err != nil {
		return "", err
	}
	hours, err := p.number("the hours", maxHours)
	if err != nil {
		return "", err
	}
	if !p.accept("hours") && !p.accept("hour") {
		return "", errors.New(`expected "hours"`)
	}
	if of == "" {
		return fmt.Sprintf("holders(%q, %d) %s %d", per, hours, operator, n), nil
	}
	return fmt.Sprintf("attempts(%q, %q, %d) %s %d", of, per, hours, operator, n), nil
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

// quoted is a text as CEL writes it: every byte that could mean something is
// escaped.
func quoted(s string) string {
	return strconv.QuoteToASCII(s)
}
