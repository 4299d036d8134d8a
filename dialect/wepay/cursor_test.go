package wepay

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
)

// caller is a call of an application.
func caller(id string) *call {
	c, _ := asking([]byte(`{}`))
	c.app = &app{id: id, access: &merchant.Access{Merchant: merchant.Merchant{ID: 1, Tenant: 1}}}
	c.r = &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/payments"}, Header: http.Header{}}
	return c
}

// TestCursorRoundTrip: a cursor comes back with all that it says, in the shape
// that clients cut it out of a path by.
func TestCursorRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := caller("100001")
		bound := func(name string) *int64 {
			return rapid.Ptr(rapid.Int64Range(0, maxAmount), true).Draw(t, name)
		}
		text := rapid.StringN(0, 20, -1)
		at := cursor{List: "payments", Size: rapid.IntRange(1, mostResults).Draw(t, "size"), Filter: filter{
			From: bound("from"), Until: bound("until"), Least: bound("least"), Most: bound("most"),
			Owner: text.Draw(t, "owner"), Reference: text.Draw(t, "reference"), Status: rapid.SampledFrom(statuses).Draw(t, "status"), Expand: rapid.Bool().Draw(t, "expand"),
		}}
		place := payment.Place{
			At:      time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "at")).UTC(),
			Payment: payment.ID(rapid.Int64Range(1, 1<<62).Draw(t, "payment")), Operation: rapid.IntRange(0, 65535).Draw(t, "operation"),
		}
		back := rapid.Bool().Draw(t, "back")
		shown := string(c.appendCursor(nil, at.beside(place, back)))
		if strings.Count(shown, "=") != 1 || strings.ContainsAny(shown, "&%+ ") || len(shown) > 4096 {
			t.Fatalf("shown as %s", shown)
		}
		cut := strings.Trim(shown[strings.LastIndexByte(shown, '=')+1:], `"`)
		if url.QueryEscape(cut) != cut {
			t.Fatalf("%s has to be escaped", cut)
		}
		got, ok := c.parseCursor("payments", cut)
		if !ok || got.Back != back || got.Size != at.Size || c.listing(got).After.Compare(place) != 0 {
			t.Fatalf("read %+v %v", got, ok)
		}
		for _, b := range [][2]*int64{{at.Filter.From, got.Filter.From}, {at.Filter.Until, got.Filter.Until}, {at.Filter.Least, got.Filter.Least}, {at.Filter.Most, got.Filter.Most}} {
			if (b[0] == nil) != (b[1] == nil) || b[0] != nil && *b[0] != *b[1] {
				t.Fatal("a bound is another one")
			}
		}
		if got.Filter.Owner != at.Filter.Owner || got.Filter.Reference != at.Filter.Reference || got.Filter.Status != at.Filter.Status || got.Filter.Expand != at.Filter.Expand {
			t.Fatalf("filter %+v is read as %+v", at.Filter, got.Filter)
		}
		for _, altered := range []string{cut + "\n", "\r" + cut, cut[:5] + "\n" + cut[5:], cut + "=", " " + cut} {
			if _, ok := c.parseCursor("payments", altered); ok {
				t.Fatalf("%q is read", altered)
			}
		}
		if _, ok := c.parseCursor("refunds", cut); ok {
			t.Fatal("it is good for another listing")
		}
		if _, ok := caller("100002").parseCursor("payments", cut); ok {
			t.Fatal("it is good for another application")
		}
	})
}

// FuzzCursor: what was not made here is not read, however little it differs.
func FuzzCursor(f *testing.F) {
	c := caller("100001")
	genuine := map[string]bool{}
	for _, at := range []cursor{
		{List: "payments", Size: 10}, {List: "payments", Size: 50, Filter: filter{Status: "pending", Reference: "ä"}}, {List: "refunds", Size: 1},
	} {
		text := c.cursorText(*at.beside(payment.Place{At: time.UnixMilli(1_768_478_400_000), Payment: 1 << 40}, false))
		genuine[text] = true
		f.Add(text, uint16(0), byte(0))
		f.Add(text, uint16(len(text)-1), byte(1))
	}
	f.Add("", uint16(0), byte(0))
	f.Add("AAAA", uint16(1), byte(255))
	f.Fuzz(func(t *testing.T, text string, at uint16, change byte) {
		raw := []byte(text)
		if len(raw) > 0 {
			raw[int(at)%len(raw)] ^= change
		}
		for _, list := range []string{"payments", "refunds", "notifications"} {
			got, ok := c.parseCursor(list, string(raw))
			if !ok {
				continue
			}
			if !genuine[string(raw)] || got.List != list || !got.Later {
				t.Fatalf("read %q as %+v", raw, got)
			}
			if again := c.cursorText(got); again != string(raw) {
				t.Fatalf("%s is rendered as %s", raw, again)
			}
		}
	})
}

// FuzzQuery: whatever a query says, each complaint is complete, and what is not
// complained of keeps the bounds.
func FuzzQuery(f *testing.F) {
	f.Add("page_size=50&status=pending&minimum_amount=100")
	f.Add("page=AAAA&page_size=0&type=credit_card&credit_card=x&credit_card=y")
	f.Add("create_time_start=-1&create_time_end=99999999999999999999&reference_id=%ff&;%zz")
	f.Fuzz(func(t *testing.T, query string) {
		c := caller("100001")
		c.r.URL.RawQuery = query
		at, wrong := c.readPage("payments", func(q *params, f *filter) {
			q.created(f)
			f.Least = q.integer(0, maxAmount, "minimum_amount")
			f.Status, f.Reference = q.oneOf(statuses, "status"), q.text("reference_id")
		})
		for _, w := range wrong {
			if len(w.target) != 1 || w.reason == "" || w.message == "" || w.in != inQuery {
				t.Fatalf("an incomplete complaint: %+v", w)
			}
		}
		if at.Later || wrong == nil && (at.Size < 1 || at.Size > mostResults || at.Filter.Least != nil && *at.Filter.Least < 0) {
			t.Fatalf("read %+v", at)
		}
	})
}
