package simulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/processor/remote"
	"github.com/capstan-pay/capstan/simulator"
)

// acquirer is a simulator on a journal that outlives it.
type acquirer struct {
	t       *testing.T
	journal string
	s       *simulator.Simulator
	server  *httptest.Server
}

func open(t *testing.T) *acquirer {
	a := &acquirer{t: t, journal: filepath.Join(t.TempDir(), "journal")}
	a.start()
	t.Cleanup(a.stop)
	return a
}

func (a *acquirer) start() {
	a.t.Helper()
	var err error
	if a.s, err = simulator.Open(a.journal, clock.System{}); err != nil {
		a.t.Fatal(err)
	}
	a.server = httptest.NewServer(a.s)
}

func (a *acquirer) stop() {
	_ = a.s.Close()
	a.server.Close()
}

// ask returns the status, 0 for none, and what was answered.
func (a *acquirer) ask(method, path, body string) (int, remote.Answer) {
	a.t.Helper()
	request, err := http.NewRequest(method, a.server.URL+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, remote.Answer{}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	var answer remote.Answer
	_ = json.Unmarshal(text, &answer)
	return response.StatusCode, answer
}

func (a *acquirer) order(operation, outcome string, delay time.Duration) {
	a.t.Helper()
	body, _ := json.Marshal(map[string]any{"operation": operation, "outcome": outcome, "delay_ms": delay.Milliseconds()})
	if status, _ := a.ask("POST", "/_sandbox/processor", string(body)); status != 200 {
		a.t.Fatalf("%s: %d", body, status)
	}
}

func (a *acquirer) lines() int {
	a.t.Helper()
	text, err := os.ReadFile(a.journal)
	if err != nil {
		a.t.Fatal(err)
	}
	return bytes.Count(text, []byte("\n"))
}

const authorize = `{"id":"op_1_1","payment":"op_1_1","amount":500,"currency":"USD"}`

// TestFaults: what is ordered happens once, an inquiry tells the truth of it,
// and so it does after a restart.
func TestFaults(t *testing.T) {
	for outcome, want := range map[string]struct {
		status        int // 0: no answer
		said, is      remote.Outcome
		journal       int
		unknownAfter  bool
		performedLate bool
	}{
		"approve":             {200, remote.Approved, remote.Approved, 1, false, false},
		"decline":             {200, remote.Declined, remote.Declined, 0, false, false},
		"timeout":             {0, "", "", 0, true, false},
		"lost_then_approved":  {0, "", remote.Approved, 1, false, false},
		"lost_then_declined":  {0, "", remote.Declined, 0, false, false},
		"error":               {500, "", "", 0, true, false},
		"error_then_approved": {500, "", remote.Approved, 1, false, false},
		"contradict":          {200, remote.Declined, remote.Approved, 1, false, false},
		"late":                {0, "", remote.Approved, 1, false, true},
		"pending":             {200, remote.Pending, remote.Approved, 1, false, true},
	} {
		t.Run(outcome, func(t *testing.T) {
			a := open(t)
			a.order("authorize", outcome, 20*time.Millisecond)
			status, said := a.ask("POST", "/v1/authorize", authorize)
			if status != want.status || said.Outcome != want.said {
				t.Fatalf("it is answered with %d %s", status, said.Outcome)
			}
			for n := 0; want.performedLate && a.lines() == 0 && n < 500; n++ {
				time.Sleep(5 * time.Millisecond)
			}
			look := func() remote.Answer {
				t.Helper()
				status, is := a.ask("GET", "/v1/operations/op_1_1", "")
				if (status == 404) != want.unknownAfter || is.Outcome != want.is {
					t.Fatalf("an inquiry is answered with %d %s", status, is.Outcome)
				}
				return is
			}
			before := look()
			a.stop()
			a.start()
			if after := look(); after.Reference != before.Reference || after.AuthCode != before.AuthCode || after.Reason != before.Reason {
				t.Errorf("after a restart: %+v, before: %+v", after, before)
			}
			if a.lines() != want.journal {
				t.Errorf("%d lines in the journal", a.lines())
			}
			if !want.unknownAfter {
				for range 2 {
					if _, again := a.ask("POST", "/v1/authorize", authorize); again.Outcome != want.is {
						t.Errorf("a repeat is %s", again.Outcome)
					}
				}
				if status, _ := a.ask("POST", "/v1/authorize", strings.Replace(authorize, "500", "501", 1)); status != 409 {
					t.Errorf("another under the name is answered with %d", status)
				}
			}
			if a.lines() != want.journal {
				t.Errorf("a repeat wrote to the journal")
			}
		})
	}
}

// TestSealedIsNeverPerformed, not after a restart, and not by a request that was
// under way.
func TestSealedIsNeverPerformed(t *testing.T) {
	a := open(t)
	a.order("authorize", "late", 30*time.Millisecond)
	a.ask("POST", "/v1/authorize", authorize)
	if _, said := a.ask("POST", "/v1/operations/op_1_1/seal", ""); said.Outcome != remote.Sealed {
		t.Fatalf("it is %s", said.Outcome)
	}
	time.Sleep(80 * time.Millisecond)
	for range 2 {
		if _, late := a.ask("POST", "/v1/authorize", authorize); late.Outcome != remote.Sealed {
			t.Errorf("a late request is %s", late.Outcome)
		}
		a.stop()
		a.start()
	}
	if a.lines() != 0 {
		t.Error("it was performed")
	}
}

// TestTornJournal: a last line that a crash left unfinished never was.
func TestTornJournal(t *testing.T) {
	a := open(t)
	a.ask("POST", "/v1/authorize", authorize)
	a.stop()
	f, err := os.OpenFile(a.journal, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString(`{"operation":"authorize","id":"op_2_1","pay`)
	_ = f.Close()
	a.start()
	if status, _ := a.ask("GET", "/v1/operations/op_2_1", ""); status != 404 {
		t.Errorf("status %d", status)
	}
	if _, said := a.ask("POST", "/v1/authorize", strings.ReplaceAll(authorize, "op_1_1", "op_2_1")); said.Outcome != remote.Approved || a.lines() != 2 {
		t.Errorf("%s, %d lines", said.Outcome, a.lines())
	}
}

// TestTestCards: the cards of the sandbox do here what they do there.
func TestTestCards(t *testing.T) {
	a := open(t)
	for number, want := range map[string]remote.Outcome{"4242424242424242": remote.Approved, "4000000000000002": remote.Declined, "4000000000009995": remote.Declined} {
		id := "op_" + number + "_1"
		body, _ := json.Marshal(remote.Request{ID: id, Payment: id, Amount: 5, Currency: "USD", Card: &remote.Card{Number: number}})
		if _, said := a.ask("POST", "/v1/authorize", string(body)); said.Outcome != want {
			t.Errorf("%s is %s", number, said.Outcome)
		}
	}
	text, err := os.ReadFile(a.journal + ".answers")
	if err != nil || bytes.Contains(text, []byte(`"4000000000000002"`)) {
		t.Errorf("a card's number is written down: %s, %v", text, err)
	}
}
