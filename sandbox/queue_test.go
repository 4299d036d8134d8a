package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/sandbox"
)

// TestQueuedOutcomes: outcomes come in the order in which they were queued, so
// often as was said, to operations of that kind and merchant alone, also when
// many ask at once; an answer that is to take time takes it; a restart forgets
// what is left.
func TestQueuedOutcomes(t *testing.T) {
	s := capstantest.Run(t)
	var other sandbox.Credentials
	s.Control(t, http.MethodPost, "/_sandbox/merchants", nil, &other)
	mine, theirs := client(t, s, "intents", s.Credentials), client(t, s, "intents", other)
	n := 0
	hold := func(c drive.Client) string {
		t.Helper()
		n++
		r, err := c.Authorize(t.Context(), 2000, fmt.Sprint("hold", n))
		return must(t, drive.Done, r, err).ID
	}
	queue := func(body map[string]any) {
		t.Helper()
		s.Control(t, http.MethodPost, "/_sandbox/processor", body, nil)
	}
	capture := func(c drive.Client, id string) drive.Result {
		r, err := c.Capture(t.Context(), id, 1000, "capture "+id, true)
		if err != nil {
			t.Error(err)
		}
		return r
	}

	queue(map[string]any{"merchant": s.Credentials.Merchant, "operation": "capture", "outcome": "decline", "reason": "insufficient_funds", "times": 2})
	queue(map[string]any{"operation": "capture", "outcome": "approve"})
	queue(map[string]any{"operation": "capture", "outcome": "decline", "reason": "lost_card"})
	if r := capture(theirs, hold(theirs)); r.Verdict != drive.Done {
		t.Errorf("another merchant's capture: %s %s", r.Verdict, r.Answer)
	}
	for i, want := range []string{`"decline_code": "insufficient_funds"`, `"decline_code": "insufficient_funds"`, "", `"decline_code": "lost_card"`, ""} {
		r := capture(mine, hold(mine))
		if verdict := map[bool]drive.Verdict{true: drive.Done, false: drive.Declined}[want == ""]; r.Verdict != verdict || !strings.Contains(string(r.Answer), want) {
			t.Errorf("capture %d: %s %s, want %s", i+1, r.Verdict, r.Answer, want)
		}
	}

	queue(map[string]any{"operation": "capture", "outcome": "decline", "times": 4})
	ids := make([]string, 12)
	for i := range ids {
		ids[i] = hold(mine)
	}
	var all sync.WaitGroup
	verdicts := make([]drive.Verdict, len(ids))
	for i, id := range ids {
		all.Go(func() { verdicts[i] = capture(mine, id).Verdict })
	}
	all.Wait()
	count := map[drive.Verdict]int{}
	for _, v := range verdicts {
		count[v]++
	}
	if count[drive.Declined] != 4 || count[drive.Done] != 8 {
		t.Errorf("of 12 at once: %v", count)
	}

	queue(map[string]any{"operation": "capture", "outcome": "approve", "delay_ms": 300})
	id, start := hold(mine), time.Now()
	if r := capture(mine, id); r.Verdict != drive.Done || time.Since(start) < 300*time.Millisecond {
		t.Errorf("an answer that takes time: %s after %s", r.Verdict, time.Since(start))
	}

	queue(map[string]any{"operation": "capture", "outcome": "decline"})
	id = hold(mine)
	s.Stop()
	again := capstantest.Run(t, capstantest.On(s.Store))
	if r := capture(client(t, again, "intents", again.Credentials), id); r.Verdict != drive.Done {
		t.Errorf("after a restart: %s %s", r.Verdict, r.Answer)
	}
}
