package explain

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/money"
)

// stamp is how times are written: to the millisecond, in UTC.
const stamp = "2006-01-02 15:04:05.000"

// Write tells the story to a person.
func (s *Story) Write(to io.Writer) error {
	w := &writer{Writer: to, currency: money.Currency(s.Currency)}
	w.head(s)
	w.line("\nWhat happened (UTC)")
	commands := slices.Clone(s.Commands)
	for _, e := range s.Events {
		for len(commands) > 0 && commands[0].refusedBefore(e) {
			w.refused(commands[0])
			commands = commands[1:]
		}
		w.event(e, s.About)
		for len(commands) > 0 && commands[0].Event == e.Number && commands[0].Refused == nil {
			w.key(commands[0])
			commands = commands[1:]
		}
	}
	for _, c := range commands {
		w.refused(c)
	}
	if len(s.Notices) > 0 {
		w.line("\nWhat the merchant was told (UTC)")
	}
	for _, n := range s.Notices {
		w.notice(n)
	}
	w.line("\nStill to come (UTC)")
	plans := plans(s)
	for _, p := range plans {
		w.line("  %s       %s", p.due.UTC().Format(stamp), p.text)
	}
	if len(plans) == 0 {
		w.line("  nothing")
	}
	return w.err
}

func (w *writer) notice(n Notice) {
	w.line("  %s  %3d. %s, through %s", n.At.UTC().Format(stamp), n.Event, printable(n.Topic), n.Dialect)
	for _, d := range n.Deliveries {
		w.detail(d.State, "%s", printable(d.Endpoint))
		for _, a := range d.Attempts {
			text := fmt.Sprintf("answered %d", a.Status)
			if a.Status == 0 {
				text = "no answer: " + printable(a.Fault)
			}
			w.detail("", "attempt %d at %s, %s, %d ms", a.Number, a.At.UTC().Format(stamp), text, a.TookMS)
		}
	}
}

// refusedBefore tells whether c was refused when e had not happened yet.
func (c Command) refusedBefore(e Event) bool { return c.Refused != nil && c.Event < e.Number }

type writer struct {
	io.Writer
	currency money.Currency
	err      error
}

func (w *writer) line(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w, format+"\n", args...)
	}
}

func (w *writer) money(minor int64) string { return money.Of(minor, w.currency).String() }

func (w *writer) head(s *Story) {
	w.line("Payment %s is %s", s.Payment, s.Status)
	row := func(name, format string, args ...any) { w.line("  %-12s %s", name, fmt.Sprintf(format, args...)) }
	row("asked for", "%s, through %s, by %s%s", w.money(s.Amount), s.MadeBy, s.Merchant, map[bool]string{true: ", with a test key"}[s.Test])
	row("paid with", "%s", s.Method)
	if s.Reference != "" {
		row("reference", "%q", s.Reference)
	}
	row("authorized", "%s%s", w.money(s.Authorized), w.more("enlarged by", s.Extended))
	row("captured", "%s%s%s", w.money(s.Captured), w.more("refunded", s.Refunded), w.more("settled", s.Settled))
	if s.Voided+s.Released > 0 {
		row("given back", "%s", w.money(s.Voided+s.Released))
	}
	if s.Remaining > 0 {
		row("still held", "%s", w.money(s.Remaining))
	}
	if s.Review != "" {
		row("review", "%s", s.Review)
	}
	if s.ExpiresAt != nil && s.Ended == "" {
		row("expires", "%s", s.ExpiresAt.Format(stamp))
	}
	if s.Ended != "" {
		row("ended by", "%s", s.Ended)
	}
	for _, dialect := range slices.Sorted(maps.Keys(s.IDs)) {
		if id := s.IDs[dialect]; id != nil {
			row("in "+dialect, "%s", *id)
		} else {
			row("in "+dialect, "cannot be expressed")
		}
	}
}

func (w *writer) more(what string, minor int64) string {
	if minor == 0 {
		return ""
	}
	return ", " + what + " " + w.money(minor)
}

// String is the method in a few words.
func (m Method) String() string {
	switch {
	case m.Last4 != "":
		return strings.TrimSpace(fmt.Sprintf("%s card %s******%s", m.Brand, m.First6, m.Last4))
	case m.User != 0:
		return fmt.Sprintf("the wallet of user %d", m.User)
	}
	return m.Kind
}

// sentences say what happened; %s is the amount.
var sentences = map[string]string{
	"payment_created": "payment of %s made", "payment_revised": "changed to %s",
	"authorization_pending": "processor asked to authorize %s", "payer_awaited": "the payer has to act",
	"hold_authorized": "%s authorized", "authorization_declined": "authorization of %s declined",
	"capture_pending": "processor asked to capture %s", "hold_captured": "%s captured", "capture_declined": "capture of %s declined",
	"void_pending": "processor asked to void %s", "hold_voided": "%s voided", "void_declined": "void of %s declined",
	"payment_cancelled": "cancelled", "hold_expired": "the deadline passed",
	"refund_pending": "processor asked to refund %s", "money_refunded": "%s refunded", "refund_declined": "refund of %s declined",
	"capture_settled": "%s settled", "refund_settled": "refund of %s settled", "hold_passed": "let go on after a review", "hold_rejected": "not let go on after a review",
	"increment_pending": "processor asked to raise the hold by %s", "hold_incremented": "hold raised by %s", "increment_declined": "raise of the hold by %s declined",
}

func (w *writer) event(e Event, about int) {
	sentence, ok := sentences[e.Kind]
	if !ok {
		sentence = strings.ReplaceAll(e.Kind, "_", " ")
		if e.Amount != 0 {
			sentence += ", %s"
		}
	}
	if strings.Contains(sentence, "%s") {
		sentence = fmt.Sprintf(sentence, w.money(e.Amount))
	}
	sentence += w.more("fee", e.Fee) + w.more("hold enlarged by", e.Extended) + w.more("given back", e.Released)
	if e.Operation != 0 {
		sentence += fmt.Sprintf(" (operation %d", e.Operation)
		if e.Operation == about {
			sentence += ", the one asked about"
		}
		sentence += ")"
	}
	w.line("  %s  %3d. %s -> %s", e.At.UTC().Format(stamp), e.Number, sentence, e.Status)
	if e.AskedBy != "" {
		text := "through " + e.AskedBy
		if e.Reference != "" {
			text += fmt.Sprintf(", reference %q", e.Reference)
		}
		if e.Parent != 0 {
			text += fmt.Sprintf(", for operation %d", e.Parent)
		}
		w.detail("asked", "%s", text)
	}
	if p := e.Processor; p != nil {
		text := p.Result
		for _, part := range [][2]string{{"reason", p.Reason}, {"its reference", p.Reference}, {"approval code", p.AuthCode}} {
			if part[1] != "" {
				text += fmt.Sprintf(", %s %s", part[0], printable(part[1]))
			}
		}
		if p.Message != "" {
			text += fmt.Sprintf(", %q", p.Message)
		}
		w.detail("processor", "%s", text)
	}
	if e.Note != "" {
		w.detail("note", "%s", printable(e.Note))
	}
	if e.Risk != nil {
		w.detail("risk", "%s", printable(string(e.Risk)))
	}
	for i, p := range e.Postings {
		account := p.Account
		if p.Holder != 0 {
			account += fmt.Sprintf(" of user %d", p.Holder)
		}
		w.detail([]string{"books", ""}[min(i, 1)], "%-24s %16s", account, money.Of(p.Minor, money.Currency(p.Currency)))
	}
}

// printable keeps a text that came from outside from moving the cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

func (w *writer) detail(name, format string, args ...any) {
	w.line("  %23s       %-10s %s", "", name, fmt.Sprintf(format, args...))
}

func (w *writer) key(c Command) {
	text := "kept under " + c.Key
	if c.Pending {
		text += ", pending"
	}
	if c.ExpiresAt != nil {
		text += " until " + c.ExpiresAt.UTC().Format(stamp)
	}
	w.detail("key", "%s", text)
}

func (w *writer) refused(c Command) {
	if c.Refused == nil {
		w.line("  %s       command answered", c.At.UTC().Format(stamp))
	} else {
		w.line("  %s       command refused: %s", c.At.UTC().Format(stamp), strings.Join(c.Refused, ", "))
	}
	w.key(c)
}

var agenda = map[string]string{
	"deadline": "the hold, or the wait for the payer, is over", "capture": "scheduled capture", "settle": "captured or refunded money is settled",
	"processor": "the processor is asked",
}

// plan is something that is to come.
type plan struct {
	due  time.Time
	text string
}

// plans are what is to come, in order.
func plans(s *Story) (all []plan) {
	for _, t := range s.Timers {
		all = append(all, plan{t.Due, t.describe(s.Ended != "")})
	}
	for _, n := range s.Notices {
		for _, d := range n.Deliveries {
			if d.Due != nil {
				all = append(all, plan{*d.Due, fmt.Sprintf("%s is delivered to %s, attempt %d", printable(n.Topic), printable(d.Endpoint), len(d.Attempts)+1)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b plan) int { return a.due.Compare(b.due) })
	return all
}

// describe tells of a timer. One that is about the hold stays when that has
// ended otherwise: timers are never cancelled.
func (t Timer) describe(ended bool) string {
	text := agenda[t.Kind]
	if text == "" {
		text = t.Kind
	}
	if t.Operation != 0 {
		text += fmt.Sprintf(" (operation %d)", t.Operation)
	}
	if t.Attempt != 0 {
		text += fmt.Sprintf(", attempt %d", t.Attempt+1)
	}
	if ended && (t.Kind == "deadline" || t.Kind == "capture") {
		text += ": nothing will be left to do"
	}
	return text
}

// Time is how a moment is written in texts, in UTC.
func Time(t time.Time) string { return t.UTC().Format(stamp) }
