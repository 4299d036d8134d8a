package verify_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	storesqlite "github.com/capstan-pay/capstan/store/sqlite"
	"github.com/capstan-pay/capstan/verify"
)

// town tells two endpoints of every event, in order at one of them.
type town struct{}

func (town) Notices(o outbox.Occasion) []outbox.Notice {
	var told []outbox.Notice
	for i, e := range o.Events {
		id := outbox.NoticeID{Version: o.Version(i), Dialect: "a"}
		told = append(told, outbox.Notice{NoticeID: id, Topic: e.Kind.String(), Ordered: true, Deliveries: outbox.Deliver("one", "two")})
		id.Dialect = "b"
		told = append(told, outbox.Notice{NoticeID: id, Topic: e.Kind.String(), Deliveries: outbox.Deliver("three")})
	}
	return told
}

// buildOutbox makes a store with deliveries in every state: of the ordered ones
// to "one" the first was delivered at the second attempt, the second failed
// once and the others wait for it; to "two" the first was given up; to "three"
// one was stopped, and one has failed once.
func buildOutbox(t *testing.T, path string) {
	t.Helper()
	st, err := storesqlite.Open(t.Context(), path, storesqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := merchant.Merchant{Name: "test"}
	if err := st.CreateMerchant(t.Context(), &m, nil); err != nil {
		t.Fatal(err)
	}
	now := clock.NewShifted(clock.Fixed(time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)), 0)
	e := engine.New(engine.Config{
		Store: st, Clock: now, IDs: payment.NewIDs(0), Processor: func(int64, payment.Method) processor.Processor { return silent{} },
		Subscriber: func(context.Context, int64) (outbox.Subscriber, error) { return town{}, nil },
	})
	out, err := e.Do(t.Context(), payment.Request{Tenant: m.Tenant, Merchant: m.ID, Command: payment.Create{Attempt: &payment.Attempt{}, Intake: payment.Intake{
		Dialect: "test", Currency: "USD", Amount: 1000, Method: payment.Method{Kind: payment.CardMethod}, Policy: payment.Policy{HoldFor: 24 * time.Hour},
	}}})
	if err == nil {
		_, err = e.Do(t.Context(), payment.Request{Tenant: m.Tenant, Merchant: m.ID, Payment: out.Payment.ID, Command: payment.Capture{Amount: 300}})
	}
	if err != nil {
		t.Fatal(err)
	}
	attempt := func(dialect, endpoint string, version, number int, state outbox.State, wait time.Duration) {
		a := outbox.Attempt{
			DeliveryID: outbox.DeliveryID{NoticeID: outbox.NoticeID{Payment: out.Payment.ID, Version: version, Dialect: dialect}, Endpoint: endpoint},
			Tenant:     m.Tenant, Number: number, At: now.Now(), State: state, Fault: "not acknowledged", Status: 500,
		}
		if state == outbox.Delivered {
			a.Fault, a.Status = "", 200
		}
		if state == outbox.Waiting {
			a.Due = now.Now().Add(wait)
		}
		if err := st.Attempted(t.Context(), []outbox.Attempt{a}); err != nil {
			t.Fatal(err)
		}
	}
	attempt("a", "one", 1, 1, outbox.Waiting, time.Minute)
	now.Advance(time.Minute)
	attempt("a", "one", 1, 2, outbox.Delivered, 0)
	attempt("a", "one", 2, 1, outbox.Waiting, time.Hour)
	attempt("a", "two", 1, 1, outbox.GivenUp, 0)
	attempt("b", "three", 1, 1, outbox.Stopped, 0)
	attempt("b", "three", 2, 1, outbox.Waiting, time.Hour)
	again := outbox.DeliveryID{NoticeID: outbox.NoticeID{Payment: out.Payment.ID, Version: 1, Dialect: "b"}, Endpoint: "three"}
	if _, err := st.Redeliver(t.Context(), m.Tenant, again, now.Now()); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestEveryChangeOfTheOutboxIsFound changes one thing in a sound outbox at a
// time, behind everybody's back, and wants the audit to find it.
func TestEveryChangeOfTheOutboxIsFound(t *testing.T) {
	t.Parallel()
	sound := filepath.Join(t.TempDir(), "sound.db")
	buildOutbox(t, sound)
	if r := audit(t, sound); !r.Clean() || r.Notices != 6 || r.Sent != 9 {
		t.Fatalf("the sound store: %+v", r)
	}
	for name, change := range map[string]string{
		"a missing delivery":             "DELETE FROM deliveries WHERE endpoint = 'two' AND version = 3",
		"a missing delivery with trace":  "DELETE FROM deliveries WHERE endpoint = 'two' AND version = 1",
		"a missing notice":               "DELETE FROM notices WHERE dialect = 'b' AND version = 3",
		"all of an event":                "DELETE FROM notices WHERE version = 3",
		"a notice of no payment":         "UPDATE notices SET payment = payment + 1 WHERE dialect = 'b' AND version = 1",
		"a notice of another version":    "UPDATE notices SET version = 9 WHERE dialect = 'b' AND version = 3",
		"a notice of another merchant":   "UPDATE notices SET merchant = merchant + 1 WHERE dialect = 'b' AND version = 1",
		"a notice of another time":       "UPDATE notices SET at = at + 1 WHERE dialect = 'b' AND version = 1",
		"a notice too many":              "INSERT INTO notices SELECT payment, version, 'c', number, tenant, merchant, topic, at, context, ordered, 0, checksum FROM notices WHERE dialect = 'b' AND version = 1",
		"fewer deliveries of a notice":   "UPDATE notices SET told = 1 WHERE dialect = 'a' AND version = 1",
		"an order that was none":         "UPDATE notices SET ordered = 1 WHERE dialect = 'b' AND version = 1",
		"a delivery too many":            "INSERT INTO deliveries SELECT payment, dialect, 'four', version, number, tenant, merchant, lane, ordered, state, attempts, due, checksum FROM deliveries WHERE dialect = 'b' AND version = 3",
		"a delivery of no notice":        "UPDATE deliveries SET version = 8 WHERE dialect = 'b' AND version = 3",
		"a delivery of another merchant": "UPDATE deliveries SET merchant = merchant + 1 WHERE dialect = 'b' AND version = 3",
		"a delivery of another tenant":   "UPDATE deliveries SET tenant = tenant + 1 WHERE dialect = 'b' AND version = 3",
		"another lane":                   "UPDATE deliveries SET lane = lane + 1 WHERE dialect = 'b' AND version = 3",
		"a state nobody knows":           "UPDATE deliveries SET state = 7 WHERE dialect = 'b' AND version = 3",
		"delivered without an attempt":   "UPDATE deliveries SET state = 2, due = NULL WHERE dialect = 'b' AND version = 3",
		"delivered though it failed":     "UPDATE deliveries SET state = 2, due = NULL WHERE dialect = 'b' AND version = 2",
		"given up though it was not":     "UPDATE deliveries SET state = 3 WHERE dialect = 'a' AND endpoint = 'one' AND version = 1",
		"final and due":                  "UPDATE deliveries SET due = 1900000000000 WHERE dialect = 'a' AND endpoint = 'one' AND version = 1",
		"never due":                      "UPDATE deliveries SET due = NULL WHERE dialect = 'b' AND version = 3",
		"an ordered one never due":       "UPDATE deliveries SET due = NULL WHERE dialect = 'a' AND endpoint = 'one' AND version = 2",
		"due before it happened":         "UPDATE deliveries SET due = 1 WHERE dialect = 'b' AND version = 3",
		"put off":                        "UPDATE deliveries SET due = due + 86400000 WHERE dialect = 'b' AND version = 2",
		"an attempt more":                "UPDATE deliveries SET attempts = attempts + 1 WHERE dialect = 'b' AND version = 2",
		"an attempt less":                "DELETE FROM attempts WHERE dialect = 'a' AND endpoint = 'one' AND version = 1 AND attempt = 2",
		"the first attempt":              "DELETE FROM attempts WHERE dialect = 'a' AND endpoint = 'one' AND version = 1 AND attempt = 1",
		"an attempt of no delivery":      "UPDATE attempts SET endpoint = 'nowhere' WHERE dialect = 'b' AND version = 2",
		"an attempt of another tenant":   "UPDATE attempts SET tenant = tenant + 1 WHERE dialect = 'b' AND version = 2",
		"what an attempt left":           "UPDATE attempts SET state = 3, due = NULL WHERE dialect = 'a' AND endpoint = 'one' AND version = 1 AND attempt = 2",
		"acknowledged without an answer": "UPDATE attempts SET status = NULL WHERE dialect = 'a' AND endpoint = 'one' AND version = 1 AND attempt = 2",
		"failed without a reason":        "UPDATE attempts SET fault = NULL WHERE dialect = 'b' AND version = 2",
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "changed.db")
			copyStore(t, sound, path)
			if changed := execute(t, path, change); changed == 0 {
				t.Fatalf("nothing was changed by %s", change)
			}
			// That a row is not as it was written says nothing of the outbox.
			if !slices.ContainsFunc(audit(t, path).Findings, func(f verify.Finding) bool { return !strings.HasSuffix(f.Text, "not as it was written") }) {
				t.Errorf("not found: %s", change)
			}
		})
	}
}

// TestWholeNoticeIsMissed: a notice that is gone with its deliveries and their
// attempts is missed, because its event says how many there were.
func TestWholeNoticeIsMissed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sound.db")
	buildOutbox(t, path)
	for _, table := range []string{"notices", "deliveries", "attempts"} {
		execute(t, path, "DELETE FROM "+table+" WHERE version = 3")
	}
	if audit(t, path).Clean() {
		t.Error("not found")
	}
	put(t, path, "notices_swept", "1768478400000") // noon
	if r := audit(t, path); !r.Clean() {
		t.Errorf("swept, and yet missed: %v", r.Findings)
	}
}
