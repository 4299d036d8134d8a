package verify_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/risk"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/verify"
)

// A counter must be what the history adds up to. (That counters which engines
// write are, every test of the engine looks at.)
func TestCounters(t *testing.T) {
	for _, test := range []struct {
		name  string
		value []byte
		want  string // in the finding; empty is none
	}{
		{"nothing is counted", risk.Tally{}.Append(nil), ""},
		{"what rules have seen", risk.Tally{Seen: []risk.Sighting{{At: time.UnixMilli(1)}}}.Append(nil), ""},
		{"a capture nobody made", risk.Tally{Volume: 500, Count: 1}.Append(nil), `the counter "1/USD/2026-01" of tenant 7 is {volume:500 count:1 heldVolume:0 heldCount:0}, the history says {volume:0 `},
		{"an operation nobody waits for", risk.Tally{HeldVolume: 1, HeldCount: 1}.Append(nil), "heldCount:1"},
		{"not a counter", []byte("x"), "cannot be read"},
	} {
		s := memory.Open()
		b, err := s.Begin(t.Context(), store.Touched{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Counters(t.Context(), []store.Ref[string]{{Tenant: 7, Name: "1/USD/2026-01"}}); err != nil {
			t.Fatal(err)
		}
		set := []store.Counter{{Tenant: 7, Name: "1/USD/2026-01", Value: test.value, Expires: time.UnixMilli(5)}}
		if err := b.Commit(t.Context(), []store.Change{{Counters: set}}); err != nil {
			t.Fatal(err)
		}
		report, err := verify.Audit(context.Background(), s)
		if err != nil || report.Counters != 1 {
			t.Fatalf("%+v, %v", report, err)
		}
		if test.want == "" && !report.Clean() || test.want != "" && (len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Text, test.want)) {
			t.Errorf("%s: %v, want %q", test.name, report.Findings, test.want)
		}
	}
}
