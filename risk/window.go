package risk

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// window is what a rule counts over the last hours: operations of one type, or
// holders, of the same card, IP address or email. The zero window is none.
type window struct {
	of    string // a Type, or holders
	per   subject
	keep  int // how many are looked back at
	hours int
}

// holders counts the different card holders.
const holders = "holders"

// subject is what counted operations have in common.
type subject string

const (
	byCard  subject = "card"
	byIP    subject = "ip"
	byEmail subject = "email"
)

var subjects = []subject{byCard, byIP, byEmail}

// key is what two windows have in common that share their counters.
func (w window) key() string { return w.of + "/" + string(w.per) }

// name is the counter that an operation belongs to, empty if it does not say
// what is counted by.
func (w window) name(in *Input) string {
	value := map[subject]string{byCard: in.Card, byIP: in.IP, byEmail: in.Email}[w.per]
	if value == "" {
		return ""
	}
	return w.key() + "/" + digest(value)
}

// digest shortens what a counter is named by; it hides nothing.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:12])
}

// belongs tells whether the operation is itself one of those counted. A holder
// is seen when the card is presented.
func (w window) belongs(in *Input) bool {
	if w.of == holders {
		return in.Holder != "" && (in.Type == Authorization || in.Type == Payment)
	}
	return w.of == string(in.Type)
}

// Sighting is one thing a window counts.
type Sighting struct {
	At  time.Time
	Who uint64 // the holder; 0 in windows over operations
}

func (w window) who(in *Input) uint64 {
	if w.of != holders {
		return 0
	}
	sum := sha256.Sum256([]byte(strings.ToUpper(strings.Join(strings.Fields(in.Holder), " "))))
	return binary.BigEndian.Uint64(sum[:]) | 1
}

// count is how many there were within the window, this operation included.
func (w window) count(in *Input, t *Tally) int {
	n, since := 0, in.At.Add(-time.Duration(w.hours)*time.Hour)
	who, counted := w.who(in), !w.belongs(in) || in.Again && w.of != holders
	for _, s := range t.Seen {
		if !s.At.After(since) {
			continue
		}
		n++
		counted = counted || w.of == holders && s.Who == who
	}
	if !counted {
		n++
	}
	return n
}

// note adds the operation to those counted. What is older than the window, or
// more than is looked back at, is forgotten.
func (w window) note(in *Input, t *Tally) {
	who, since := w.who(in), in.At.Add(-time.Duration(w.hours)*time.Hour)
	t.Seen = slices.DeleteFunc(slices.Clone(t.Seen), func(s Sighting) bool {
		return !s.At.After(since) || w.of == holders && s.Who == who
	})
	t.Seen = append(t.Seen, Sighting{in.At, who})
	if over := len(t.Seen) - w.keep; over > 0 {
		t.Seen = slices.Delete(t.Seen, 0, over)
	}
}
