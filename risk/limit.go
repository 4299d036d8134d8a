package risk

import (
	"slices"
	"strings"
)

// limitFacts say which limits an operation would exceed.
type limitFacts struct {
	merchant, payer exceeded

	// Of the month, in the operation's currency, it not included.
	volume, count           int64
	payerVolume, payerCount int64
	payerLimited            bool // a limit per payer was applied
}

// exceeded says which bounds of one scope an operation would exceed: its own
// maximum, and of each of the periods the volume and the number.
type exceeded struct {
	max     bool
	volumes [len(periods)]bool
	counts  [len(periods)]bool
}

func (e exceeded) volume() bool   { return e.volumes != [len(periods)]bool{} }
func (e exceeded) count() bool    { return e.counts != [len(periods)]bool{} }
func (e exceeded) exceeded() bool { return e.max || e.volume() || e.count() }

// words lists what is exceeded.
func (e exceeded) words() string {
	var words []string
	if e.max {
		words = append(words, "maximum transaction amount")
	}
	every := [len(periods)]string{"monthly", "weekly", "daily", "hourly"}
	for i, on := range e.volumes {
		if on {
			words = append(words, every[i]+" volume")
		}
	}
	for i, on := range e.counts {
		if on {
			words = append(words, every[i]+" transaction count")
		}
	}
	return strings.Join(words, ", ")
}

// sentences say what is exceeded; empty if nothing is.
func (f *limitFacts) sentences() string {
	var text string
	if words := f.merchant.words(); words != "" {
		text = "Merchant terminal limits exceeded (" + words + ")."
	}
	if words := f.payer.words(); words != "" {
		text = join(text, "Payer limits exceeded ("+words+").")
	}
	return text
}

// measure holds an operation against the limits in its currency. Operations
// that still wait for their processor are compared as if they had succeeded,
// so that no limit is exceeded when they do.
func (c *Checks) measure(in *Input, u Usage) limitFacts {
	var f limitFacts
	if !in.Type.spends() {
		return f
	}
	month := u[counterName(in, PerMerchant, Month)]
	f.volume, f.count = month.Volume, month.Count
	for i := range c.limits {
		l := &c.limits[i]
		if l.Currency != in.Currency || (l.Scope == PerPayer && in.Payer == "") {
			continue
		}
		t := u[counterName(in, l.Scope, l.Period)]
		e := &f.merchant
		if l.Scope == PerPayer {
			e, f.payerLimited = &f.payer, true
			if l.Period == Month {
				f.payerVolume, f.payerCount = t.Volume, t.Count
			}
		}
		e.max = e.max || l.Max > 0 && in.Amount > l.Max
		i := slices.Index(periods[:], l.Period)
		e.volumes[i] = l.Volume > 0 && add(t.Volume, t.HeldVolume, in.Amount) > l.Volume
		e.counts[i] = l.Count > 0 && add(t.Count, t.HeldCount, 1) > l.Count
	}
	return f
}
