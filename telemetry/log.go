package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/dialect"
)

// Requests says which requests are logged.
type Requests uint8

// The choices. A line for every request costs more than a capture can spare:
// docs/observability.md says how much.
const (
	FailedRequests Requests = iota // those that ended in a fault of ours, or without anybody knowing
	AllRequests
	NoRequests
)

// ParseRequests reads "failed", "all" or "none"; anything else is "failed".
func ParseRequests(text string) Requests {
	switch text {
	case "all":
		return AllRequests
	case "none":
		return NoRequests
	}
	return FailedRequests
}

func (r Requests) wants(c dialect.Class) bool {
	return r == AllRequests || r == FailedRequests && (c == dialect.Failed || c == dialect.Pending)
}

// request is what is told of a request. There is nothing in it that a client
// sent, but for the name it gave its request, if that is harmless.
type request struct {
	dialect, operation string
	class              dialect.Class
	status             int
	merchant           int64
	took               time.Duration
	id, clientID       string
}

// log writes one line.
func (r request) log(to *slog.Logger) {
	level := slog.LevelInfo
	if r.class == dialect.Failed {
		level = slog.LevelError
	}
	ctx := context.Background()
	if !to.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs,
		slog.String("dialect", r.dialect), slog.String("operation", r.operation), slog.Int("status", r.status),
		slog.Float64("duration_ms", float64(r.took.Microseconds())/1000), slog.String("outcome", r.class.String()), slog.String("request_id", r.id))
	if r.merchant != 0 {
		attrs = append(attrs, slog.Int64("merchant", r.merchant))
	}
	if r.clientID != "" && r.clientID != r.id {
		attrs = append(attrs, slog.String("client_request_id", r.clientID))
	}
	to.LogAttrs(ctx, level, "request", attrs...)
}

// longestName is the most that a client's name for its request may have: a UUID
// fits, and no secret of any dialect does.
const longestName = 36

// readable returns a name that a client gave its request if it may be shown:
// short, of letters, digits and dashes, and without a card number in it. Any
// other is dropped: a client may put anything there.
func readable(name string) string {
	if len(name) > longestName {
		return ""
	}
	var digits [longestName]byte
	n := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c >= '0' && c <= '9':
			digits[n] = c
			n++
		case c == '-': // may part the groups of a card number
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			if cardIn(digits[:n]) {
				return ""
			}
			n = 0
		default:
			return ""
		}
	}
	if cardIn(digits[:n]) {
		return ""
	}
	return name
}

// cardIn tells whether there is a card number among digits.
func cardIn(digits []byte) bool {
	for from := range digits {
		for to := from + 13; to <= min(from+19, len(digits)); to++ {
			if card.Valid(string(digits[from:to])) {
				return true
			}
		}
	}
	return false
}

// names makes names for requests of dialects that have none: a beginning of
// this process's own, and a number.
type names struct {
	once   sync.Once
	prefix string
	last   atomic.Uint64
}

func (n *names) next() string {
	n.once.Do(func() {
		var random [6]byte
		rand.Read(random[:])
		n.prefix = hex.EncodeToString(random[:]) + "-"
	})
	return n.prefix + strconv.FormatUint(n.last.Add(1), 10)
}
