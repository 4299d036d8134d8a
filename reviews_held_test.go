package capstan_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/explain"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/verify"
)

// TestHeldUp: what a rule wants looked at is held up where it was made through
// wepay and nowhere else, and no other dialect can go round that. An operator
// decides, once, by any id of the payment.
func TestHeldUp(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	control(t, o.Server, http.MethodPut, "/_sandbox/risk", `{"rules":[
		{"level":"shop","alias":"all","action":"review","cel":"operation.type == 'authorization' || operation.type == 'payment'"}]}`, http.StatusOK)
	payments := map[string]map[string]*string{}
	for name, client := range clients(t, o.Server) {
		hold, err := client.Authorize(ctx, 5000, "held-"+name)
		must(t, hold, err)
		var shown struct {
			Review string
			IDs    map[string]*string
		}
		if err := json.Unmarshal([]byte(control(t, o.Server, http.MethodGet, "/_sandbox/payments/"+hold.ID, "", http.StatusOK)), &shown); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: "in_review"}[name == "wepay"]; shown.Review != want {
			t.Errorf("%s: the review is %q", name, shown.Review)
		}
		payments[name] = shown.IDs
	}
	held := payments["wepay"]
	for name, client := range clients(t, o.Server) {
		if id := held[name]; id != nil {
			if r, err := client.Capture(ctx, *id, 1000, "round-"+name, true); err != nil || r.Verdict == drive.Done {
				t.Errorf("%s captures it: %+v, %v", name, r, err)
			}
		}
	}
	intent, err := clients(t, o.Server)["intents"].Query(ctx, *held["intents"])
	if err != nil || intent.State != "processing" {
		t.Errorf("as an intent it is %s, %v", intent.State, err)
	}
	waiting := 0
	found, err := o.desk.Reviews(ctx, o.Credentials.Merchant, admin.ReviewQuery{})
	for _, r := range found {
		if r.Review == "in_review" {
			waiting++
		} else if r.Review != "" {
			t.Errorf("%+v", r)
		}
	}
	if err != nil || waiting != 1 || len(found) != len(payments) {
		t.Errorf("%d of %+v wait, %v", waiting, found, err)
	}
	wrong := map[string]struct {
		id     string
		v      admin.Verdict
		status int
	}{
		"no decision":        {*held["wepay"], admin.Verdict{Reason: "x"}, http.StatusBadRequest},
		"no reason":          {*held["wepay"], admin.Verdict{Decision: "approve", Reason: " "}, http.StatusBadRequest},
		"a long reason":      {*held["wepay"], admin.Verdict{Decision: "approve", Reason: strings.Repeat("x", 501)}, http.StatusBadRequest},
		"nobody's":           {"pi_x", admin.Verdict{Decision: "approve", Reason: "x"}, http.StatusNotFound},
		"not held up":        {*payments["intents"]["intents"], admin.Verdict{Decision: "approve", Reason: "x"}, http.StatusConflict},
		"not held up either": {*payments["begateway"]["begateway"], admin.Verdict{Decision: "reject", Reason: "x"}, http.StatusConflict},
	}
	for name, w := range wrong {
		var p admin.Problem
		if _, err := o.desk.Review(ctx, w.id, w.v); !errors.As(err, &p) || p.Status != w.status {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 { // the same again changes nothing
		if r, err := o.desk.Review(ctx, *held["intents"], admin.Verdict{Decision: "reject", Reason: "stolen"}); err != nil || r.Status != "voided" || r.Review != "failed" {
			t.Errorf("%+v, %v", r, err)
		}
	}
	var p admin.Problem
	if _, err := o.desk.Review(ctx, *held["wepay"], admin.Verdict{Decision: "approve", Reason: "x"}); !errors.As(err, &p) || p.Status != http.StatusConflict {
		t.Errorf("approved after it was rejected: %v", err)
	}
	story, err := o.desk.Explain(ctx, *held["wepay"])
	if err != nil || story.Review != "failed" || story.Ended != "review" || !hasNote(story, ": stolen") {
		t.Errorf("%+v, %v", story, err)
	}
	if report, err := verify.Audit(ctx, o.Store); err != nil || !report.Clean() {
		t.Errorf("%+v, %v", report, err)
	}
}

func hasNote(s *explain.Story, text string) bool {
	for _, e := range s.Events {
		if strings.Contains(e.Note, text) {
			return true
		}
	}
	return false
}
