package begateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// again sends a request and tells what it was taken for: "made", "failed" or
// "duplicate".
func (c client) again(t *testing.T, path, request string) string {
	t.Helper()
	r, err := c.post(path, request)
	switch {
	case err != nil:
		t.Fatal(err)
	case r.Status == http.StatusOK && r.Transaction.Status == "successful":
		return "made"
	case r.Status == http.StatusOK:
		return r.Transaction.Status
	case r.Status == http.StatusBadRequest && r.Response.Message == "Duplicate transaction":
		return "duplicate"
	}
	t.Fatalf("%+v", r)
	return ""
}

// The duplicate rule on the server's own clock (section 4.3): the window, its
// last instant included, what opens it and what does not.
func TestDuplicateRule(t *testing.T) {
	type step struct {
		wait time.Duration
		more string // members of the request
		want string
	}
	const (
		just  = 29*time.Second + 999*time.Millisecond
		first = `{"operation":"capture","outcome":"decline"}`
	)
	for _, test := range []struct {
		name    string
		control string // a processor's outcome queued before
		risk    string
		steps   []step
	}{
		{name: "0 s: a duplicate", steps: []step{{0, "", "made"}, {0, "", "duplicate"}}},
		{name: "29.999 s: a duplicate", steps: []step{{0, "", "made"}, {just, "", "duplicate"}}},
		{name: "30.000 s: still a duplicate", steps: []step{{0, "", "made"}, {30 * time.Second, "", "duplicate"}}},
		{name: "30.001 s: new", steps: []step{{0, "", "made"}, {30*time.Second + time.Millisecond, "", "made"}}},
		{name: "a rejected one does not restart the window", steps: []step{{0, "", "made"}, {20 * time.Second, "", "duplicate"}, {10*time.Second + time.Millisecond, "", "made"}}},
		{name: "duplicate_check false", steps: []step{{0, "", "made"}, {0, `,"duplicate_check":false`, "made"}, {0, `,"duplicate_check":"false"`, "made"}}},
		{name: "duplicate_check false opens the window", steps: []step{{0, `,"duplicate_check":false`, "made"}, {30 * time.Second, "", "duplicate"}, {time.Millisecond, "", "made"}}},
		{name: "duplicate_check true and null are the default", steps: []step{{0, "", "made"}, {0, `,"duplicate_check":true`, "duplicate"}, {0, `,"duplicate_check":null`, "duplicate"}}},
		{name: "after a declined one", control: first, steps: []step{{0, "", "failed"}, {30 * time.Second, "", "duplicate"}, {time.Millisecond, "", "made"}}},
		{name: "after one that beProtected stopped", risk: `{"limits":[{"currency":"USD","max":10}]}`, steps: []step{{0, "", "failed"}, {0, "", "duplicate"}}},
		{name: "after one that is not known", control: `{"operation":"capture","outcome":"timeout"}`, steps: []step{{0, "", "incomplete"}, {0, "", "duplicate"}}},
		{name: "a refused one opens no window", steps: []step{{0, `,"amount":99999`, "refused"}, {0, "", "made"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := capstantest.Run(t)
			c := client{s, authorization(t, s.Credentials.Begateway)}
			parent := c.hold(t, 10_000)
			if test.control != "" {
				s.Control(t, http.MethodPost, "/_sandbox/processor", json.RawMessage(test.control), nil)
			}
			if test.risk != "" {
				s.Control(t, http.MethodPut, "/_sandbox/risk", json.RawMessage(test.risk), nil)
			}
			for i, step := range test.steps {
				s.Advance(t, step.wait)
				request := `{"parent_uid":"` + parent + `","amount":50` + step.more + `}`
				if step.want == "refused" {
					if r, err := c.post("captures", request); err != nil || r.Status != http.StatusBadRequest || !strings.HasPrefix(r.Response.Message, "Amount can't be greater than") {
						t.Fatalf("%+v %v", r, err)
					}
					continue
				}
				if got := c.again(t, "captures", request); got != step.want {
					t.Fatalf("step %d: %s, want %s", i+1, got, step.want)
				}
			}
		})
	}
}

// The operations do not collide with each other, nor other amounts and parents.
func TestDuplicatesOfDifferentThings(t *testing.T) {
	s := capstantest.Run(t)
	c := client{s, authorization(t, s.Credentials.Begateway)}
	one, other := c.hold(t, 10_000), c.hold(t, 10_000)
	for _, request := range []struct{ path, request string }{
		{"captures", `{"parent_uid":"` + one + `","amount":50}`},
		{"voids", `{"parent_uid":"` + one + `","amount":50}`},
		{"captures", `{"parent_uid":"` + one + `","amount":51}`},
		{"captures", `{"parent_uid":"` + other + `","amount":50}`},
	} {
		if got := c.again(t, request.path, request.request); got != "made" {
			t.Errorf("%s %s: %s", request.path, request.request, got)
		}
	}
	// An exact repeat of a full capture is a duplicate, not too much.
	whole := c.hold(t, 700)
	for _, want := range []string{"made", "duplicate"} {
		if got := c.again(t, "captures", `{"parent_uid":"`+whole+`","amount":700}`); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Authorizations and payments have the same rule (section 4.3), about the
// same amount, currency and card.
func TestDuplicateRuleOfAuthorizations(t *testing.T) {
	type step struct {
		wait time.Duration
		more string // members of the request
		want string
	}
	for _, test := range []struct {
		name    string
		control string
		steps   []step
	}{
		{name: "30.000 s: still a duplicate", steps: []step{{0, "", "made"}, {30 * time.Second, "", "duplicate"}}},
		{name: "30.001 s: new", steps: []step{{0, "", "made"}, {30*time.Second + time.Millisecond, "", "made"}}},
		{name: "duplicate_check false opens the window", steps: []step{{0, `,"duplicate_check":false`, "made"}, {30 * time.Second, "", "duplicate"}, {time.Millisecond, "", "made"}}},
		{
			name:  "duplicate_check false opens the window again while one is open",
			steps: []step{{0, "", "made"}, {20 * time.Second, `,"duplicate_check":false`, "made"}, {30 * time.Second, "", "duplicate"}, {time.Millisecond, "", "made"}},
		},
		{name: "duplicate_check false three times", steps: []step{{0, `,"duplicate_check":false`, "made"}, {0, `,"duplicate_check":false`, "made"}, {0, `,"duplicate_check":false`, "made"}, {0, "", "duplicate"}}},
		{
			name: "after a declined one", control: `{"operation":"authorize","outcome":"decline"}`,
			steps: []step{{0, "", "failed"}, {30 * time.Second, "", "duplicate"}, {time.Millisecond, "", "made"}},
		},
		{
			name: "after one that is not known, and is known later", control: `{"operation":"authorize","outcome":"lost_then_approved"}`,
			steps: []step{{0, "", "incomplete"}, {30 * time.Second, "", "duplicate"}, {time.Millisecond, "", "made"}, {30 * time.Second, "", "duplicate"}, {time.Millisecond, "", "made"}},
		},
		{
			name: "after one that stays unknown", control: `{"operation":"authorize","outcome":"timeout","times":9}`,
			steps: []step{{0, "", "incomplete"}, {30*time.Second + time.Millisecond, "", "incomplete"}, {30 * time.Second, "", "duplicate"}},
		},
		{name: "a refused one opens no window", steps: []step{{0, `,"currency":"XXX"`, "refused"}, {0, "", "made"}}},
	} {
		for _, path := range []string{"authorizations", "payments"} {
			t.Run(path+"/"+test.name, func(t *testing.T) {
				s := capstantest.Run(t)
				c := client{s, authorization(t, s.Credentials.Begateway)}
				if test.control != "" {
					s.Control(t, http.MethodPost, "/_sandbox/processor", json.RawMessage(test.control), nil)
				}
				for i, step := range test.steps {
					s.Advance(t, step.wait)
					request := `{"amount":77,"currency":"USD","description":"A book",` + cardOfTests + step.more + `}`
					if step.want == "refused" {
						if r, err := c.post(path, request); err != nil || r.Status != http.StatusBadRequest {
							t.Fatalf("%+v %v", r, err)
						}
						continue
					}
					if got := c.again(t, path, request); got != step.want {
						t.Fatalf("step %d: %s, want %s", i+1, got, step.want)
					}
				}
			})
		}
	}
}
