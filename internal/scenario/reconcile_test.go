package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/peer"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor/remote"
	"github.com/capstan-pay/capstan/reconcile"
)

// found reconciles and wants certain differences: each a kind and an operation.
func (w *world) found(want ...string) {
	w.t.Helper()
	whole, changed := w.compared(time.Time{}), w.compared(time.Unix(1, 0))
	if whole != changed {
		w.t.Errorf("all of the history differs in %q, what has changed since ever in %q", whole, changed)
	}
	findings, err := w.Reconcile(w.t.Context(), time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, f := range findings {
		got = append(got, string(f.Kind)+" "+f.ID)
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		w.t.Errorf("the differences are %q, want %q", got, want)
	}
}

// compared tells in what the books and the processor differ, without taking
// anything back.
func (w *world) compared(since time.Time) (differences string) {
	w.t.Helper()
	from, err := remote.New(remote.Config{Name: "card", URL: w.peer.URL})
	if err != nil {
		w.t.Fatal(err)
	}
	findings, err := reconcile.Run(w.t.Context(), w.Store, from, since, func(m payment.Method) bool { return m.Kind == payment.CardMethod })
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range findings {
		differences += fmt.Sprintln(f.Kind, f.ID, f.Text)
	}
	return differences
}

// tell has the processor perform something that nobody here has asked for.
func (w *world) tell(verb string, r remote.Request) {
	w.t.Helper()
	body, err := json.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.Post(w.peer.URL+"/v1/"+verb, "application/json", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); !bytes.Contains(text, []byte(`"approved"`)) {
		w.t.Fatalf("%s", text)
	}
}

// authorization is our name for the authorization of a payment of a dialect.
func (w *world) authorization() string {
	w.t.Helper()
	for _, e := range w.peer.Effects(w.t) {
		if e.Operation == "authorize" {
			return e.ID
		}
	}
	w.t.Fatal("nothing was authorized")
	return ""
}

// TestSuccessAgainstItsWord: a capture that the processor has declined and made
// all the same is given back, once; so is one that was made after the hold was
// voided meanwhile.
func TestSuccessAgainstItsWord(t *testing.T) {
	for _, voided := range []bool{false, true} {
		w := newWorld(t)
		c := w.client("intents")
		id := w.authorized(c, "a")
		w.lose("capture", "contradict")
		w.want(drive.Declined)(c.Capture(t.Context(), id, hold, "k", true))
		var back int64
		if voided {
			back = hold
			w.post("/v1/payment_intents/"+id+"/cancel", "v", nil)
		}
		capture := strings.TrimSuffix(w.authorization(), "_1") + "_2"
		if captured, void, _ := sums(w); captured != hold {
			t.Fatalf("%d captured, %d voided", captured, void)
		}
		w.found("against " + capture)
		w.found()
		w.wants(hold, back, hold)
		w.found()
	}
}

func sums(w *world) (captured, voided, refunded int64) {
	effects := w.peer.Effects(w.t)
	captured, _ = peer.Sum(effects, "capture")
	voided, _ = peer.Sum(effects, "void")
	refunded, _ = peer.Sum(effects, "refund")
	return captured, voided, refunded
}

// TestAuthorizationAgainstItsWord: its hold is voided at the processor.
func TestAuthorizationAgainstItsWord(t *testing.T) {
	w := newWorld(t)
	c := w.client("begateway")
	w.lose("authorize", "contradict")
	w.want(drive.Declined)(c.Authorize(t.Context(), hold, "a"))
	w.found("against " + w.authorization())
	w.wants(0, hold, 0)
	w.found()
}

// TestDifferencesAreFoundAndSettled: what they have and we do not, and another
// amount; each can be settled once, with a reason that is kept.
func TestDifferencesAreFoundAndSettled(t *testing.T) {
	w := newWorld(t)
	c := w.client("intents")
	id := w.authorized(c, "a")
	w.found()
	name := w.authorization()
	of := strings.TrimSuffix(name, "_1")
	w.tell("capture", remote.Request{ID: of + "_7", Payment: name, Amount: 70, Currency: "USD"})
	w.tell("authorize", remote.Request{ID: "op_4711_1", Payment: "op_4711_1", Amount: 5, Currency: "USD"})
	w.found("unwritten "+of+"_7", "unwritten op_4711_1")
	if err := w.Settle(t.Context(), of+"_7", "jane: refunded by hand"); err != nil {
		t.Fatal(err)
	}
	if err := w.Settle(t.Context(), of+"_7", "jane: again"); err == nil {
		t.Error("it was settled twice")
	}
	for _, unknown := range []string{"op_4711_1", "op_x_1", "op_1", ""} {
		if err := w.Settle(t.Context(), unknown, "x"); err == nil {
			t.Errorf("%q was settled", unknown)
		}
	}
	w.found("unwritten op_4711_1")
	w.want(drive.Done)(c.Capture(t.Context(), id, hold, "k", true)) // the payment goes on
	kept := false
	merchants, err := w.Store.Merchants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range merchants {
		page, err := w.Store.List(t.Context(), payment.Listing{Tenant: m.Tenant, Merchant: m.ID, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range page {
			p, err := w.Store.Payment(t.Context(), m.Tenant, place.Payment, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, op := range p.Operations {
				kept = kept || op.Kind == payment.OpCorrection && op.Parent == 7 && op.Answer.Message == "jane: refunded by hand"
			}
		}
	}
	if !kept {
		t.Error("the reason is not kept")
	}
}

// TestMissingAndOtherAmounts, with a processor whose list is not true.
func TestMissingAndOtherAmounts(t *testing.T) {
	w := newWorld(t)
	c := w.client("begateway")
	id := w.authorized(c, "a")
	w.want(drive.Done)(c.Capture(t.Context(), id, 500, "", false))
	effects := w.peer.Effects(t)
	for name, test := range map[string]struct {
		list []remote.Effect
		want []reconcile.Kind
	}{
		"true":         {effects, nil},
		"one missing":  {effects[:1], []reconcile.Kind{reconcile.Missing}},
		"all missing":  {nil, []reconcile.Kind{reconcile.Missing, reconcile.Missing}},
		"twice":        {append(effects[:2:2], effects[1]), []reconcile.Kind{reconcile.Twice}},
		"other amount": {[]remote.Effect{effects[0], {Operation: "capture", ID: effects[1].ID, Amount: 501, Currency: "USD"}}, []reconcile.Kind{reconcile.Differs}},
		"other money":  {[]remote.Effect{effects[0], {Operation: "capture", ID: effects[1].ID, Amount: 500, Currency: "EUR"}}, []reconcile.Kind{reconcile.Differs}},
		"another's":    {[]remote.Effect{effects[0], {Operation: "capture", ID: effects[1].ID, Payment: "op_4711_1", Amount: 500, Currency: "USD"}}, []reconcile.Kind{reconcile.Differs}},
		"another kind": {[]remote.Effect{effects[0], {Operation: "void", ID: effects[1].ID, Amount: 500, Currency: "USD"}}, []reconcile.Kind{reconcile.Differs}},
	} {
		wrong := peer.Compare(t, w.Store, test.list)
		var got []reconcile.Kind
		for _, f := range wrong {
			got = append(got, f.Kind)
		}
		if len(got) != len(test.want) || len(got) > 0 && got[0] != test.want[0] {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
