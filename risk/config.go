package risk

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/capstan-pay/capstan/money"
)

// Config is what is checked for one merchant. Parse reads it; its zero value
// checks nothing.
type Config struct {
	Merchant string // whom it is for, as the document says; not looked at here
	Levels   Levels
	Limits   []Limit
	White    List
	Black    List
	Sets     map[string][]string // sets of BINs by name: prefixes of card numbers, one to six digits
	Rules    []Rule
}

// Levels are the names under which the outcomes of the three levels of rules
// are reported, such as "1_123_My Shop", "1_John Doe" and "eComCharge".
type Levels struct{ Shop, Merchant, PSP string }

// Level is whose rule it is.
type Level string

// The levels, in the order in which they are reported.
const (
	ShopLevel     Level = "shop"
	MerchantLevel Level = "merchant"
	PSPLevel      Level = "psp"
)

var levels = []Level{ShopLevel, MerchantLevel, PSPLevel}

// Limit bounds payments and captures in one currency. Bounds are minor units
// and numbers of operations; 0 is no bound.
type Limit struct {
	Currency money.Currency
	Scope    Scope
	Period   Period
	Max      int64 // the most one operation may have
	Volume   int64 // the most all of a period may have together
	Count    int64 // how many a period may have
}

// Scope says whose operations a limit adds up.
type Scope string

// The scopes.
const (
	PerMerchant Scope = "merchant" // all of the merchant
	PerPayer    Scope = "payer"    // those of the merchant that one card or one wallet user pays
)

// Period is a calendar period in UTC.
type Period string

// The periods. A week begins on Monday.
const (
	Month Period = "month"
	Week  Period = "week"
	Day   Period = "day"
	Hour  Period = "hour"
)

// periods are in the order in which messages name them.
var periods = [...]Period{Month, Week, Day, Hour}

// List holds what is always let through, or never.
type List struct {
	Cards  []string // fingerprints, 64 lower-case hex digits
	IPs    []string // as netip.Addr prints them
	Emails []string // lower case
}

// Rule is a condition and what is done when it holds.
type Rule struct {
	Level     Level
	Alias     string
	Condition string // kept verbatim: it is reported
	CEL       bool   // the condition is a CEL expression, else it is in begateway's words
	Action    Action
	Inactive  bool // reported as skipped
}

// Action is what is done when a rule's condition holds.
type Action string

// The actions.
const (
	Review  Action = "review"   // let through, and shown to an operator
	Reject  Action = "reject"   // stopped
	Skip3DS Action = "skip_3ds" // let through, and the payer is not asked to authenticate
)

// Bounds of a configuration: what is checked for every operation has to stay
// small.
const (
	maxDocument = 1 << 20
	maxRules    = 200
	maxListed   = 10_000 // values on one list
	maxText     = 1024   // bytes of a name or a condition
)

// Parse reads a configuration document. Members that it does not know, or that
// are there twice, are an error, as is all else that is wrong but for the
// conditions of rules, which Compile reads; the error names the member.
func Parse(document []byte) (Config, error) {
	if len(document) > maxDocument {
		return Config{}, fmt.Errorf("risk: the document is longer than %d bytes", maxDocument)
	}
	root, err := readNode(document)
	if err != nil {
		return Config{}, err
	}
	var c Config
	err = root.object(fields{
		"merchant": func(n *node) error { return n.name(&c.Merchant) },
		"levels":   func(n *node) error { return c.Levels.read(n) },
		"limits":   func(n *node) error { return n.array(c.readLimit) },
		"lists": func(n *node) error {
			return n.object(fields{"white": c.White.read, "black": c.Black.read})
		},
		"sets":  c.readSets,
		"rules": func(n *node) error { return n.array(c.readRule) },
	})
	if err == nil {
		err = c.check(root.path)
	}
	if err != nil {
		return Config{}, err
	}
	return c, nil
}

func (l *Levels) read(n *node) error {
	return n.object(fields{
		"shop":     func(n *node) error { return n.name(&l.Shop) },
		"merchant": func(n *node) error { return n.name(&l.Merchant) },
		"psp":      func(n *node) error { return n.name(&l.PSP) },
	})
}

func (c *Config) readLimit(n *node) error {
	l := Limit{Scope: PerMerchant, Period: Month}
	err := n.object(fields{
		"currency": func(n *node) error {
			code, err := n.text()
			if err == nil {
				if l.Currency, err = money.ParseCurrency(code); err != nil {
					return n.fault("is no ISO 4217 currency")
				}
			}
			return err
		},
		"scope":  func(n *node) error { return oneOf(n, &l.Scope, PerMerchant, PerPayer) },
		"period": func(n *node) error { return oneOf(n, &l.Period, periods[:]...) },
		"max":    func(n *node) error { return n.positive(&l.Max) },
		"volume": func(n *node) error { return n.positive(&l.Volume) },
		"count":  func(n *node) error { return n.positive(&l.Count) },
	})
	switch {
	case err != nil:
		return err
	case l.Currency == "":
		return n.fault("lacks currency")
	case l.Max+l.Volume+l.Count == 0:
		return n.fault("bounds nothing: it needs max, volume or count")
	}
	for _, other := range c.Limits {
		if other.Currency == l.Currency && other.Scope == l.Scope && other.Period == l.Period {
			return n.fault("is a second limit for %s per %s and %s", l.Currency, l.Scope, l.Period)
		}
	}
	c.Limits = append(c.Limits, l)
	return nil
}

func (l *List) read(n *node) error {
	return n.object(fields{
		"card": func(n *node) error {
			return n.listed(&l.Cards, func(s string) (string, bool) { s = strings.ToLower(s); return s, isFingerprint(s) },
				"must be a card's fingerprint, 64 hexadecimal digits, and never its number")
		},
		"ip": func(n *node) error { return n.listed(&l.IPs, normalIP, "must be an IP address") },
		"email": func(n *node) error {
			return n.listed(&l.Emails, func(s string) (string, bool) { s = normalEmail(s); return s, strings.Contains(s, "@") }, "must be an email address")
		},
	})
}

// listed reads the values of a list. Faults do not quote the value.
func (n *node) listed(into *[]string, normal func(string) (string, bool), wrong string) error {
	return n.array(func(n *node) error {
		s, err := n.text()
		if err != nil {
			return err
		}
		s, ok := normal(s)
		if !ok {
			return n.fault("%s", wrong)
		}
		if len(*into) == maxListed {
			return n.fault("is one more than the %d values a list may have", maxListed)
		}
		*into = append(*into, s)
		return nil
	})
}

func isFingerprint(s string) bool {
	if len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

func normalIP(s string) (string, bool) {
	a, err := netip.ParseAddr(strings.TrimSpace(s))
	return a.Unmap().WithZone("").String(), err == nil
}

func normalEmail(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func (c *Config) readSets(n *node) error {
	c.Sets = map[string][]string{}
	return n.members(func(name string, n *node) error {
		if name == "" || len(name) > maxText || strings.ContainsAny(name, " \t\r\n") {
			return n.fault("has a name that no condition could use: it must be one word")
		}
		bins := []string{}
		err := n.listed(&bins, func(s string) (string, bool) {
			return s, len(s) >= 1 && len(s) <= 6 && strings.Trim(s, "0123456789") == ""
		}, "must be one to six digits: no more of a card number is kept")
		c.Sets[name] = bins
		return err
	})
}

func (c *Config) readRule(n *node) error {
	var r Rule
	active, inWords := true, false
	err := n.object(fields{
		"level":     func(n *node) error { return oneOf(n, &r.Level, levels...) },
		"alias":     func(n *node) error { return n.name(&r.Alias) },
		"condition": func(n *node) error { inWords = true; return n.name(&r.Condition) },
		"cel":       func(n *node) error { r.CEL = true; return n.name(&r.Condition) },
		"action":    func(n *node) error { return oneOf(n, &r.Action, Review, Reject, Skip3DS) },
		"active":    func(n *node) error { return n.boolean(&active) },
	})
	r.Inactive = !active
	switch {
	case err != nil:
		return err
	case inWords && r.CEL:
		return n.fault("has both condition and cel, which say the same in two languages")
	case r.Level == "", r.Alias == "", r.Condition == "", r.Action == "":
		return n.fault("needs level, alias, condition or cel, and action")
	case len(c.Rules) == maxRules:
		return n.fault("is one more than the %d rules there may be", maxRules)
	}
	for _, other := range c.Rules {
		if other.Level == r.Level && other.Alias == r.Alias {
			return n.fault("is a second rule %q of level %s", r.Alias, r.Level)
		}
	}
	c.Rules = append(c.Rules, r)
	return nil
}

// check looks at what only the whole document shows.
func (c *Config) check(path string) error {
	for _, list := range []struct {
		name         string
		white, black []string
	}{
		{"card", c.White.Cards, c.Black.Cards}, {"ip", c.White.IPs, c.Black.IPs}, {"email", c.White.Emails, c.Black.Emails},
	} {
		white := setOf(list.white)
		for i, value := range list.black {
			if white[value] {
				return fmt.Errorf("risk: %s.lists.black.%s[%d]: is on the white list as well", path, list.name, i)
			}
		}
	}
	return nil
}

func setOf(values []string) map[string]bool {
	set := make(map[string]bool, len(values))
	for _, v := range values {
		set[v] = true
	}
	return set
}
