package payment

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/capstan-pay/capstan/money"
)

// codecVersion begins every encoded body. A decoder reads all versions that
// were ever written.
const codecVersion = 1

var errCorrupt = errors.New("payment: corrupt event body")

// Bits of the first word of a body: which parts follow.
const (
	hasAmounts = 1 << iota // fee, extended, released
	hasIntake
	hasAsked
	hasAnswer
	isFinal
	hasIntakeLabels // behind everything else
	hasAskedLabels
	hasKept
	hasTold
	hasRefundTransit
	reviewsHold
	knownParts = 1<<iota - 1
)

// AppendBody appends the encoding of all of e except Kind, At, Operation and
// Amount, which a store keeps in columns of their own. An event that has
// nothing else appends nothing. Times and durations are kept to the
// millisecond; an empty slice reads back as nil, and 1970 as no time at all.
func (e Event) AppendBody(b []byte) []byte {
	var parts uint64
	if e.Fee != 0 || e.Extended != 0 || e.Released != 0 {
		parts |= hasAmounts
	}
	if e.Intake != nil {
		parts |= hasIntake
	}
	if e.Asked != nil {
		parts |= hasAsked
	}
	if e.Answer != nil {
		parts |= hasAnswer
	}
	if e.Final {
		parts |= isFinal
	}
	if e.Intake != nil && len(e.Intake.Labels) > 0 {
		parts |= hasIntakeLabels
	}
	if e.Asked != nil && len(e.Asked.Labels) > 0 {
		parts |= hasAskedLabels
	}
	if !e.Kept.IsZero() {
		parts |= hasKept
	}
	if e.Told != 0 {
		parts |= hasTold
	}
	if e.Intake != nil && e.Intake.Policy.RefundSettleAfter != 0 {
		parts |= hasRefundTransit
	}
	if e.Intake != nil && e.Intake.Policy.ReviewsHold {
		parts |= reviewsHold
	}
	if parts == 0 && e.Ending == Open {
		return b
	}
	w := writer{append(b, codecVersion)}
	w.uint(parts)
	w.uint(uint64(e.Ending))
	if parts&hasAmounts != 0 {
		w.int(e.Fee)
		w.int(e.Extended)
		w.int(e.Released)
	}
	if e.Intake != nil {
		w.intake(e.Intake)
	}
	if e.Asked != nil {
		w.asked(e.Asked)
	}
	if e.Answer != nil {
		w.answer(e.Answer)
	}
	if parts&hasIntakeLabels != 0 {
		w.labels(e.Intake.Labels)
	}
	if parts&hasAskedLabels != 0 {
		w.labels(e.Asked.Labels)
	}
	if parts&hasKept != 0 {
		w.kept(e.Kept)
	}
	if parts&hasTold != 0 {
		w.int(int64(e.Told))
	}
	if parts&hasRefundTransit != 0 {
		w.int(e.Intake.Policy.RefundSettleAfter.Milliseconds())
	}
	return w.b
}

// DecodeBody sets the fields of an empty event that AppendBody wrote. The event
// keeps no reference to body, and is not to be used after an error.
func (e *Event) DecodeBody(body []byte) error {
	if len(body) == 0 {
		return nil
	}
	r := reader{b: body[1:]}
	if body[0] != codecVersion {
		return errCorrupt
	}
	parts := r.uint()
	ofIntake := parts&(hasIntakeLabels|hasRefundTransit|reviewsHold) != 0
	if parts > knownParts || ofIntake && parts&hasIntake == 0 || (parts&hasAskedLabels != 0 && parts&hasAsked == 0) {
		return errCorrupt
	}
	e.Ending = Ending(r.small())
	e.Final = parts&isFinal != 0
	if parts&hasAmounts != 0 {
		e.Fee, e.Extended, e.Released = r.int(), r.int(), r.int()
	}
	if parts&hasIntake != 0 {
		e.Intake = r.intake()
		e.Intake.Policy.ReviewsHold = parts&reviewsHold != 0
	}
	if parts&hasAsked != 0 {
		e.Asked = r.asked()
	}
	if parts&hasAnswer != 0 {
		e.Answer = r.answer()
	}
	if parts&hasIntakeLabels != 0 {
		e.Intake.Labels = r.labels()
	}
	if parts&hasAskedLabels != 0 {
		e.Asked.Labels = r.labels()
	}
	if parts&hasKept != 0 {
		e.Kept = r.kept()
	}
	if parts&hasTold != 0 {
		e.Told = int(r.int())
	}
	if parts&hasRefundTransit != 0 {
		e.Intake.Policy.RefundSettleAfter = r.duration()
	}
	if r.bad || len(r.b) != 0 {
		return errCorrupt
	}
	return nil
}

func (w *writer) kept(until time.Time) {
	if until.Equal(Always) {
		w.uint(0)
	} else {
		w.uint(uint64(until.UnixMilli()))
	}
}

func (r *reader) kept() time.Time {
	ms := r.uint()
	if ms == 0 {
		return Always
	}
	return time.UnixMilli(int64(ms)).UTC()
}

func (w *writer) intake(i *Intake) {
	w.text(i.Dialect)
	w.text(string(i.Currency))
	w.int(i.Amount)
	w.int(i.Fee)
	m := &i.Method
	w.uint(uint64(m.Kind))
	w.flag(m.Present)
	for _, s := range []string{m.Brand, m.First6, m.Last4, m.Holder, m.Fingerprint, m.Country, m.Funding, m.Simulate, m.Grant} {
		w.text(s)
	}
	w.int(int64(m.ExpMonth))
	w.int(int64(m.ExpYear))
	w.int(m.User)
	p := &i.Policy
	for _, on := range []bool{p.FromCreation, p.AutoCapture, p.ScheduledOnly, p.RetryDeclined, p.DeclinedCaptureEnds} {
		w.flag(on)
	}
	for _, d := range []time.Duration{p.HoldFor, p.SettleAfter, p.PayerDeadline, p.CancelFor} {
		w.int(d.Milliseconds())
	}
	w.time(p.CaptureAt)
	w.int(int64(p.MaxCaptures))
	w.int(p.OverCapture)
	w.int(p.MinCapture)
	w.int(p.FeePercent)
	w.text(i.Reference)
	w.text(i.Description)
	w.text(i.Email)
	w.text(i.IP)
	w.flag(i.Test)
	w.bytes(i.Details)
}

func (r *reader) intake() *Intake {
	i := &Intake{Dialect: r.text(), Currency: money.Currency(r.text()), Amount: r.int(), Fee: r.int()}
	m := &i.Method
	m.Kind = MethodKind(r.small())
	m.Present = r.flag()
	for _, s := range []*string{&m.Brand, &m.First6, &m.Last4, &m.Holder, &m.Fingerprint, &m.Country, &m.Funding, &m.Simulate, &m.Grant} {
		*s = r.text()
	}
	m.ExpMonth, m.ExpYear, m.User = int(r.int()), int(r.int()), r.int()
	p := &i.Policy
	for _, on := range []*bool{&p.FromCreation, &p.AutoCapture, &p.ScheduledOnly, &p.RetryDeclined, &p.DeclinedCaptureEnds} {
		*on = r.flag()
	}
	for _, d := range []*time.Duration{&p.HoldFor, &p.SettleAfter, &p.PayerDeadline, &p.CancelFor} {
		*d = r.duration()
	}
	p.CaptureAt = r.time()
	p.MaxCaptures, p.OverCapture, p.MinCapture, p.FeePercent = int(r.int()), r.int(), r.int(), r.int()
	i.Reference, i.Description, i.Email, i.IP = r.text(), r.text(), r.text(), r.text()
	i.Test, i.Details = r.flag(), r.bytes()
	return i
}

func (w *writer) asked(a *Asked) {
	w.text(a.Dialect)
	w.text(a.Reference)
	w.bytes(a.Details)
	w.int(int64(a.Parent))
	w.flag(a.Key != Key{})
	if a.Key != (Key{}) {
		w.b = append(w.b, a.Key[:]...)
	}
}

func (r *reader) asked() *Asked {
	a := &Asked{Dialect: r.text(), Reference: r.text(), Details: r.bytes(), Parent: int(r.int())}
	if r.flag() {
		copy(a.Key[:], r.take(uint64(len(a.Key))))
	}
	return a
}

func (w *writer) answer(a *Answer) {
	w.uint(uint64(a.Result))
	w.text(string(a.Reason))
	w.text(a.Reference)
	w.text(a.AuthCode)
	w.text(a.Message)
	w.bytes(a.Data)
	w.bytes(a.Screening)
}

func (r *reader) answer() *Answer {
	return &Answer{
		Result: Result(r.small()), Reason: Reason(r.text()), Reference: r.text(), AuthCode: r.text(),
		Message: r.text(), Data: r.bytes(), Screening: r.bytes(),
	}
}

func (w *writer) labels(labels []Label) {
	w.uint(uint64(len(labels)))
	for _, l := range labels {
		w.text(l.Kind)
		w.text(l.Value)
	}
}

func (r *reader) labels() []Label {
	var labels []Label
	for n := r.uint(); n > 0 && !r.bad; n-- {
		labels = append(labels, Label{r.text(), r.text()})
	}
	return labels
}

// writer appends varints and length-prefixed strings.
type writer struct{ b []byte }

func (w *writer) uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) int(v int64)   { w.b = binary.AppendVarint(w.b, v) }
func (w *writer) text(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) bytes(s []byte) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) flag(on bool) {
	if on {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.int(0)
	} else {
		w.int(t.UnixMilli())
	}
}

// reader takes them off again. After anything that does not fit, bad is set
// and everything reads as zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() { r.b, r.bad = nil, true }

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) small() uint8 {
	v := r.uint()
	if v > math.MaxUint8 {
		r.fail()
		return 0
	}
	return uint8(v)
}

func (r *reader) text() string { return string(r.take(r.uint())) }

func (r *reader) bytes() []byte { return append([]byte(nil), r.take(r.uint())...) }

func (r *reader) flag() bool {
	b := r.take(1)
	if len(b) == 1 && b[0] > 1 {
		r.fail()
	}
	return len(b) == 1 && b[0] == 1
}

func (r *reader) duration() time.Duration {
	ms := r.int()
	d := time.Duration(ms) * time.Millisecond
	if d.Milliseconds() != ms {
		r.fail()
		return 0
	}
	return d
}

func (r *reader) time() time.Time {
	ms := r.int()
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
