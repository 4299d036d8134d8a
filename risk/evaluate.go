package risk

import (
	"time"

	"github.com/capstan-pay/capstan/money"
)

// Type is what kind of transaction an operation is.
type Type string

// The types. A payment is an authorization that is captured at once.
const (
	Authorization Type = "authorization"
	Payment       Type = "payment"
	Capture       Type = "capture"
	Void          Type = "void"
	Refund        Type = "refund"
)

var kinds = []Type{Authorization, Payment, Capture, Void, Refund}

// spends tells whether limits apply: they are about money that is taken.
func (t Type) spends() bool { return t == Payment || t == Capture }

// Input is what is known of an operation. Empty fields are not known.
type Input struct {
	Type     Type
	Amount   int64 // minor units
	Currency money.Currency
	At       time.Time
	Payer    string // who pays: a name for the card or the wallet user
	Card     string // the card's fingerprint
	BIN      string // the first six digits of its number
	Holder   string
	IP       string
	Email    string

	// Again marks an operation that was judged before and is judged once more
	// because the payer has acted: windows have seen it already.
	Again bool
}

// normal returns the input as lists and counters know it.
func (in Input) normal() *Input {
	if ip, ok := normalIP(in.IP); ok {
		in.IP = ip
	}
	in.Email = normalEmail(in.Email)
	return &in
}

// Reason says why an operation is rejected. When several things are wrong it
// is the first of them in this order.
type Reason string

// The reasons.
const (
	OverMaximum Reason = "limit_maximum"
	OverVolume  Reason = "limit_volume"
	OverCount   Reason = "limit_count"
	OverPayer   Reason = "limit_payer"
	Stopped     Reason = "risk_rejected" // by a list or a rule
)

// Verdict is what comes of the checks.
type Verdict struct {
	Rejected bool
	Reason   Reason // why; empty when it is not rejected
	Message  string // why, in sentences; empty when it is not rejected

	Review  bool // a rule wants an operator to look at it
	Skip3DS bool // a rule wants the payer not to be asked to authenticate

	// Counted names the counters that an operation counts towards if it is
	// performed.
	Counted []string

	// Document is the verdict as it is kept with the operation, JSON: the
	// members are status, message, limit, white_black_list and rules, then
	// payer_limit, reason, review, skip_3ds, counted and input, in this order,
	// each only where there is something to say. docs/risk.md explains them.
	Document []byte
}

// Evaluate judges an operation. Usage has what is counted under the names that
// Counters returned; what is missing counts as nothing.
func (c *Checks) Evaluate(input Input, u Usage) Verdict {
	in := input.normal()
	var v Verdict
	var f findings
	for _, counter := range c.counted(in) {
		v.Counted = append(v.Counted, counter.Name)
	}
	f.of = in.Type
	if in.Type != Void && in.Type != Refund {
		f.lists = c.look(in)
	}
	if f.lists.card == onWhite {
		f.whiteCard = true
	} else {
		f.limits = c.measure(in, u)
		f.rules = c.apply(in, u)
	}
	f.judge(&v)
	v.Document = c.document(&v, &f, in, u)
	return v
}

// findings are the facts a verdict rests on.
type findings struct {
	of        Type
	whiteCard bool // limits and rules were not looked at
	limits    limitFacts
	lists     listFacts
	rules     [3][]string // outcomes, as the rules of each level stand
}

// Outcomes of a rule besides its action.
const (
	passed  = "passed"  // its condition does not hold
	skipped = "skipped" // not evaluated: it is inactive, or the operation lacks what it asks about
)

func (c *Checks) apply(in *Input, u Usage) (outcomes [3][]string) {
	for i, level := range c.levels {
		for _, r := range level.rules {
			outcome := skipped
			if !r.Inactive {
				switch r.when.holds(in, u, r.sets) {
				case yes:
					outcome = string(r.Action)
				case no:
					outcome = passed
				}
			}
			outcomes[i] = append(outcomes[i], outcome)
		}
	}
	return outcomes
}

// What a list says about a value.
const (
	absent  = "absent"
	onWhite = "white"
	onBlack = "black"
)

type listFacts struct{ card, ip, email string }

func (c *Checks) look(in *Input) listFacts {
	one := func(value string, white, black map[string]bool) string {
		switch {
		case value != "" && white[value]:
			return onWhite
		case value != "" && black[value]:
			return onBlack
		}
		return absent
	}
	return listFacts{
		card:  one(in.Card, c.white.cards, c.black.cards),
		ip:    one(in.IP, c.white.ips, c.black.ips),
		email: one(in.Email, c.white.emails, c.black.emails),
	}
}

// fails tells whether the lists stop the operation: white beats black.
func (l listFacts) fails() bool {
	if l.card == onWhite || l.ip == onWhite || l.email == onWhite {
		return false
	}
	return l.card == onBlack || l.ip == onBlack || l.email == onBlack
}

// judge draws the conclusion from the findings.
func (f *findings) judge(v *Verdict) {
	stopped := f.lists.fails()
	for _, level := range f.rules {
		for _, outcome := range level {
			stopped = stopped || outcome == string(Reject)
			v.Review = v.Review || outcome == string(Review)
			v.Skip3DS = v.Skip3DS || outcome == string(Skip3DS)
		}
	}
	v.Skip3DS = v.Skip3DS && (f.of == Authorization || f.of == Payment)
	switch m, p := f.limits.merchant, f.limits.payer; {
	case m.max:
		v.Reason = OverMaximum
	case m.volume():
		v.Reason = OverVolume
	case m.count():
		v.Reason = OverCount
	case p.exceeded():
		v.Reason = OverPayer
	case stopped:
		v.Reason = Stopped
	default:
		return
	}
	v.Rejected = true
	v.Message = f.limits.sentences()
	if stopped {
		v.Message = join(v.Message, "Transaction didn't pass anti-fraud checks.")
	}
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}
