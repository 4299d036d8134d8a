package alipay

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/capstan-pay/capstan/dialect"
)

// turnedAway is what those hear who come when there are too many: nobody knows
// what became of the request, ask again under the same request id.
var turnedAway = sync.OnceValue(func() []byte { return only(unknownException) })

// shelf keeps the signatures of such answers. One costs as much as half a
// capture; but what is signed is the same for all requests of a client to one
// endpoint, but for the time in it, so one signature serves them all for a
// while.
type shelf struct {
	mu   sync.Mutex
	next time.Time // before which no other is made
	kept map[signedFor]signedAnswer
}

type signedFor struct{ method, target, client string }

type signedAnswer struct {
	made          time.Time
	at, signature string // of the headers
}

const (
	fresh       = time.Second           // how long a signature is used before another is made
	stale       = 30 * time.Second      // and how long if there is no time for that
	signEvery   = 50 * time.Millisecond // how often one is made, for all clients together
	shelved     = 1024                  // signatures
	longestPath = 256                   // of a target for which one is made
)

// TurnAway is U UNKNOWN_EXCEPTION with status 200, signed, as where the engine
// has too much to do. Where there is no signature at hand and no time for one
// the status is 503: what is not signed is no answer of this API, and clients
// take it for none.
func (d *Dialect) TurnAway(q dialect.Asked) dialect.TurnedAway {
	t := dialect.TurnedAway{
		Status: http.StatusServiceUnavailable,
		Fields: []dialect.Field{{Name: "content-type", Value: "application/json; charset=UTF-8"}, {Name: "Retry-After", Value: "1"}},
		Body:   turnedAway(),
	}
	client := q.Header("client-id")
	if client == "" || len(client) > maxClientID || len(q.Target) > longestPath || !visible(client) {
		return t
	}
	if signed, ok := d.shelf.get(d, signedFor{q.Method, pathOf(q.Target), client}); ok {
		t.Status = http.StatusOK
		t.Fields = append(t.Fields[:1],
			dialect.Field{Name: "client-id", Value: client},
			dialect.Field{Name: "response-time", Value: signed.at},
			dialect.Field{Name: "signature", Value: signed.signature})
	}
	return t
}

// visible tells whether a text may stand in a header as it is.
func visible(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// get returns a signature for an answer to requests of that kind, if there is
// one or it is time to make one.
func (s *shelf) get(d *Dialect, of signedFor) (signedAnswer, bool) {
	now := d.Clock.Now()
	s.mu.Lock()
	kept, known := s.kept[of]
	age := now.Sub(kept.made)
	if known && age >= 0 && age < fresh {
		s.mu.Unlock()
		return kept, true
	}
	// At a clock that was put back one is made at once.
	if wait := s.next.Sub(now); wait > 0 && wait <= signEvery {
		s.mu.Unlock()
		return kept, known && age >= 0 && age < stale
	}
	s.next = now.Add(signEvery)
	s.mu.Unlock()

	made, err := d.signTurnedAway(of, now)
	if err != nil {
		d.Logger.Error("alipay: answer could not be signed", "error", err)
		return signedAnswer{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) >= shelved || s.kept == nil {
		s.kept = map[signedFor]signedAnswer{}
	}
	s.kept[of] = made
	return made, true
}

func (d *Dialect) signTurnedAway(of signedFor, now time.Time) (signedAnswer, error) {
	key, err := d.server.get(context.Background(), d.Services)
	if err != nil {
		return signedAnswer{}, err
	}
	at := string(appendTime(nil, now, time.UTC))
	signature, err := d.signer.sign(key.private, digest(of.method, of.target, of.client, at, turnedAway()))
	return signedAnswer{now, at, signatureLine(key, signature)}, err
}

// signatureLine is the value of the header that carries a signature.
func signatureLine(key *serverKey, signature string) string {
	return "algorithm=RSA256, keyVersion=" + key.version + ", signature=" + signature
}
