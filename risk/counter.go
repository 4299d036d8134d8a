package risk

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/capstan-pay/capstan/money"
)

// Counter names something that is counted from one operation to the next. The
// name is unique within a merchant.
type Counter struct {
	Name    string
	Expires time.Time // it may be forgotten from then on
}

// Tally is what is counted under a name. The counters of limits use the
// numbers, those of rules the sightings.
type Tally struct {
	Volume, Count         int64 // operations that succeeded
	HeldVolume, HeldCount int64 // operations whose processor has not answered

	Seen []Sighting // the latest, oldest first
}

// Usage has tallies by the names of their counters.
type Usage map[string]Tally

// grace is how long after its period a counter is kept: an answer of a
// processor that comes late still finds it.
const grace = 90 * 24 * time.Hour

// Counters names what Evaluate wants to know about an operation. The amount
// does not matter.
func (c *Checks) Counters(input Input) []Counter {
	in := input.normal()
	counters := c.counted(in)
	for _, w := range c.windows {
		if name := w.name(in); name != "" {
			counters = append(counters, Counter{name, in.At.Add(time.Duration(w.hours) * time.Hour)})
		}
	}
	return counters
}

// Note puts an operation that was judged among those that rules count, and
// returns the counters that changed. What became of the operation does not
// matter: the rules count attempts.
func (c *Checks) Note(input Input, u Usage) []Counter {
	in := input.normal()
	var changed []Counter
	for _, w := range c.windows {
		name := w.name(in)
		if name == "" || in.Again || !w.belongs(in) {
			continue
		}
		t := u[name]
		w.note(in, &t)
		u[name] = t
		changed = append(changed, Counter{name, in.At.Add(time.Duration(w.hours) * time.Hour)})
	}
	return changed
}

// counted are the counters that an operation counts towards: always that of
// the merchant's month, which is reported, and those of the limits.
func (c *Checks) counted(in *Input) []Counter {
	if !in.Type.spends() {
		return nil
	}
	counters := []Counter{counterOf(in, PerMerchant, Month)}
	for i := range c.limits {
		l := &c.limits[i]
		if l.Currency != in.Currency || (l.Scope == PerMerchant && l.Period == Month) || (l.Scope == PerPayer && in.Payer == "") {
			continue
		}
		counters = append(counters, counterOf(in, l.Scope, l.Period))
	}
	return counters
}

func counterOf(in *Input, s Scope, p Period) Counter {
	_, end := p.bounds(in.At)
	return Counter{counterName(in, s, p), end.Add(grace)}
}

// bounds are the first instant of the period that an instant is in, and that
// of the next.
func (p Period) bounds(at time.Time) (start, end time.Time) {
	at = at.UTC()
	year, month, day := at.Date()
	date := func(month time.Month, day int) time.Time { return time.Date(year, month, day, 0, 0, 0, 0, time.UTC) }
	switch p {
	case Hour:
		start = at.Truncate(time.Hour)
		return start, start.Add(time.Hour)
	case Day:
		return date(month, day), date(month, day+1)
	case Week:
		monday := day - (int(at.Weekday())+6)%7
		return date(month, monday), date(month, monday+7)
	}
	return date(month, 1), date(month+1, 1)
}

// layouts are how counters name the beginnings of periods.
var layouts = map[Period]string{Month: "2006-01", Week: "2006-01-02/w", Day: "2006-01-02", Hour: "2006-01-02T15"}

// counterName is such as "USD/2026-10", "USD/2026-10-05" or, of a payer,
// "USD/2026-10/<digest>".
func counterName(in *Input, s Scope, p Period) string {
	start, _ := p.bounds(in.At)
	name := string(in.Currency) + "/" + start.Format(layouts[p])
	if s == PerPayer {
		name += "/" + digest(in.Payer)
	}
	return name
}

// Hold counts an operation that waits for its processor; a negative number of
// operations takes back what was counted before.
func (t *Tally) Hold(volume int64, operations int64) {
	t.HeldVolume, t.HeldCount = add(t.HeldVolume, volume), add(t.HeldCount, operations)
}

// Take counts an operation that succeeded.
func (t *Tally) Take(volume int64, operations int64) {
	t.Volume, t.Count = add(t.Volume, volume), add(t.Count, operations)
}

// add sums what is counted: never below zero, never past 64 bits.
func add(numbers ...int64) int64 {
	sum, err := money.Sum(numbers...)
	if err != nil {
		return math.MaxInt64
	}
	return max(sum, 0)
}

// tallyVersion begins every encoded tally.
const tallyVersion = 1

// ErrTally is returned for what no tally encodes to.
var ErrTally = errors.New("risk: corrupt counter")

// Append appends the encoding of t.
func (t Tally) Append(b []byte) []byte {
	b = append(b, tallyVersion)
	for _, n := range []int64{t.Volume, t.Count, t.HeldVolume, t.HeldCount} {
		b = binary.AppendVarint(b, n)
	}
	b = binary.AppendUvarint(b, uint64(len(t.Seen)))
	var last int64
	for _, s := range t.Seen {
		at := s.At.UnixMilli()
		b = binary.AppendVarint(b, at-last)
		b = binary.AppendUvarint(b, s.Who)
		last = at
	}
	return b
}

// ParseTally reads what Append wrote. Nothing is an empty tally.
func ParseTally(b []byte) (Tally, error) {
	var t Tally
	if len(b) == 0 {
		return t, nil
	}
	bad := b[0] != tallyVersion
	b = b[1:]
	signed := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			bad = true
			return 0
		}
		b = b[n:]
		return v
	}
	unsigned := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			bad = true
			return 0
		}
		b = b[n:]
		return v
	}
	for _, n := range []*int64{&t.Volume, &t.Count, &t.HeldVolume, &t.HeldCount} {
		*n = signed()
	}
	var last int64
	for left := unsigned(); left > 0 && !bad; left-- {
		last += signed()
		t.Seen = append(t.Seen, Sighting{time.UnixMilli(last).UTC(), unsigned()})
	}
	if bad || len(b) > 0 {
		return Tally{}, ErrTally
	}
	return t, nil
}
