package capstan_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/verify"
)

// TestReviews: an operation that a rule wants somebody to look at goes on, and
// an operator finds it, whichever dialect it came by; nothing else is listed.
func TestReviews(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	shop := o.Credentials.Merchant
	control(t, o.Server, http.MethodPut, "/_sandbox/risk", `{"rules":[
		{"level":"shop","alias":"large","action":"review","cel":"operation.type == 'capture' && operation.amount >= 3000"},
		{"level":"merchant","alias":"more","action":"review","cel":"operation.amount >= 3000 && operation.type == 'capture'"},
		{"level":"psp","alias":"most","action":"reject","cel":"operation.amount > 8000"}]}`, http.StatusOK)
	captured := func(client drive.Client, amount int64, name string) drive.Result {
		t.Helper()
		hold, err := client.Authorize(ctx, 8000, "hold-"+name)
		must(t, hold, err)
		r, err := client.Capture(ctx, hold.ID, amount, "capture-"+name, true)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for name, client := range clients(t, o.Server) {
		if small := captured(client, 2999, name+"-small"); small.Verdict != drive.Done {
			t.Errorf("%s: a small one is %s", name, small.Verdict)
		}
		if large := captured(client, 3000, name+"-large"); large.Verdict != drive.Done {
			t.Errorf("%s: a large one is %s", name, large.Verdict)
		}
	}
	found, err := o.desk.Reviews(ctx, shop, admin.ReviewQuery{})
	if err != nil || len(found) != len(clients(t, o.Server)) {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, r := range found {
		if r.Kind != "capture" || r.Amount != 3000 || r.Currency != "USD" || !strings.Contains(string(r.Screening), `"review":true`) {
			t.Errorf("%+v", r)
		}
		if story, err := o.desk.Explain(ctx, r.Payment); err != nil || story.Payment != r.Payment {
			t.Errorf("%s cannot be explained: %v", r.Payment, err)
		}
	}
	for _, q := range []admin.ReviewQuery{{Before: capstantest.Epoch}, {Since: capstantest.Epoch.Add(time.Hour)}} {
		if none, err := o.desk.Reviews(ctx, shop, q); err != nil || len(none) != 0 {
			t.Errorf("%+v: %+v, %v", q, none, err)
		}
	}
	if one, err := o.desk.Reviews(ctx, shop, admin.ReviewQuery{Since: capstantest.Epoch, Limit: 1}); err != nil || len(one) != 1 {
		t.Errorf("%+v, %v", one, err)
	}
	if report, err := verify.Audit(ctx, o.Store); err != nil || !report.Clean() {
		t.Errorf("%+v, %v", report, err)
	}
}
