// Package peer is the other side of a server in tests: a simulated acquirer
// over real HTTP, its journal, and the comparison of that with the books.
package peer

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor/remote"
	"github.com/capstan-pay/capstan/reconcile"
	"github.com/capstan-pay/capstan/simulator"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/verify"
)

// Peer is a simulator that is being served.
type Peer struct {
	URL     string
	Journal string // its file
}

// Run starts a simulator and stops it when the test ends.
func Run(t testing.TB) *Peer {
	t.Helper()
	p := &Peer{Journal: filepath.Join(t.TempDir(), "journal.jsonl")}
	s, err := simulator.Open(p.Journal, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	p.URL = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		_ = s.Close()
		server.Close()
	})
	return p
}

// Cards makes it the processor of a server's cards.
func (p *Peer) Cards(c *capstan.Config) { c.Processors = map[string]string{"card": p.URL} }

// Expect queues an outcome for the next calls of an operation, for any
// merchant.
func (p *Peer) Expect(t testing.TB, operation, outcome string, delay time.Duration, times int) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"operation": operation, "outcome": outcome, "delay_ms": delay.Milliseconds(), "times": times})
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(p.URL+"/_sandbox/processor", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the simulator refuses %s: %s", body, response.Status)
	}
}

// Effects reads the journal.
func (p *Peer) Effects(t testing.TB) []remote.Effect {
	t.Helper()
	effects, err := ReadJournal(p.Journal)
	if err != nil {
		t.Fatal(err)
	}
	return effects
}

// ReadJournal reads a simulator's journal.
func ReadJournal(path string) (effects []remote.Effect, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		var e remote.Effect
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		effects = append(effects, e)
	}
	return effects, nil
}

// Agree holds a journal against the history in a store, and the store against
// itself. It returns all that they differ in.
func Agree(t testing.TB, st store.Store, effects []remote.Effect) (wrong []string) {
	t.Helper()
	report, err := verify.Audit(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		wrong = append(wrong, f.String())
	}
	for _, f := range Compare(t, st, effects) {
		wrong = append(wrong, string(f.Kind)+" "+f.ID+": "+f.Text)
	}
	return wrong
}

// Compare holds a journal against the history in a store.
func Compare(t testing.TB, st store.Store, effects []remote.Effect) (findings []reconcile.Finding) {
	t.Helper()
	err := st.Audit(t.Context(), func(view store.Audit) (err error) {
		findings, err = reconcile.Compare(view, effects, time.Time{}, cards)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

func cards(m payment.Method) bool { return m.Kind == payment.CardMethod || m.Kind == payment.PayeeCard }

// Sum adds up the amounts of one operation in a journal.
func Sum(effects []remote.Effect, operation string) (sum int64, count int) {
	for _, e := range effects {
		if e.Operation == operation {
			sum += e.Amount
			count++
		}
	}
	return sum, count
}
