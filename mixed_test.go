package capstan_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/sandbox"
)

// withURL is the server's credentials, with the address it really listens on.
func withURL(s *capstantest.Server) sandbox.Credentials {
	c := s.Credentials
	c.BaseURL = s.URL
	return c
}

// clients returns a client of every dialect.
func clients(t *testing.T, s *capstantest.Server) map[string]drive.Client {
	t.Helper()
	all := map[string]drive.Client{}
	for _, name := range []string{"alipay", "wepay", "intents", "begateway"} {
		client, err := drive.New(name, withURL(s))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = client
	}
	return all
}

// names is how each dialect calls a payment; a dialect that cannot express it
// is missing.
func names(t *testing.T, s *capstantest.Server, id string) map[string]string {
	t.Helper()
	var answer struct{ IDs map[string]*string }
	s.Control(t, http.MethodGet, "/_sandbox/payments/"+id, nil, &answer)
	known := map[string]string{}
	for dialect, name := range answer.IDs {
		if name != nil {
			known[dialect] = *name
		}
	}
	return known
}

// expressible says which dialects can express a hold of which, 2000 minor
// units of USD: a wallet payment is alipay's alone, a card payment everybody's.
var expressible = map[string][]string{
	"alipay":    {"alipay"},
	"wepay":     {"alipay", "wepay", "intents", "begateway"},
	"intents":   {"alipay", "wepay", "intents", "begateway"},
	"begateway": {"alipay", "wepay", "intents", "begateway"},
}

// TestMixedPayments: a hold of every dialect is queried and captured through
// every dialect that can express it, the limits of the authorizing one hold,
// and the books agree.
func TestMixedPayments(t *testing.T) {
	s := capstantest.Run(t)
	all := clients(t, s)
	var captured int64
	for from, client := range all {
		for _, through := range expressible[from] {
			t.Run(from+" through "+through, func(t *testing.T) {
				hold, err := client.Authorize(t.Context(), 2000, fmt.Sprintf("mixed-%s-%s", from, through))
				if err != nil || hold.Verdict != drive.Done {
					t.Fatalf("authorize: %+v, %v", hold, err)
				}
				known := names(t, s, hold.ID)
				if len(known) != len(expressible[from]) {
					t.Fatalf("is called %v, want names in %v", known, expressible[from])
				}
				id := known[through]
				if q, err := all[through].Query(t.Context(), id); err != nil || q.Verdict != drive.Done {
					t.Fatalf("query: %s %s %v", q.Answer, q.Code, err)
				}
				if r, err := all[through].Capture(t.Context(), id, 2001, "over-"+from+through, false); err != nil || r.Verdict != drive.Refused {
					t.Errorf("one unit too many: %s %v", r.Answer, err)
				}
				// Only alipay and begateway offer a second capture, and only of
				// a hold whose own dialect permits several. Alipay refuses a
				// capture that is not the last where the hold ends with it.
				several := (through == "alipay" || through == "begateway") && (from == "alipay" || from == "begateway")
				if through == "alipay" && !several {
					if r, err := all[through].Capture(t.Context(), id, 1500, "first-"+from+through, false); err != nil || r.Verdict != drive.Refused && r.Verdict != drive.Declined {
						t.Errorf("not the last: %s %v", r.Answer, err)
					}
				}
				r, err := all[through].Capture(t.Context(), id, 1500, "part-"+from+through, !several)
				if err != nil || r.Verdict != drive.Done {
					t.Fatalf("capture: %s %v", r.Answer, err)
				}
				captured += 1500
				more, err := all[through].Capture(t.Context(), id, 400, "more-"+from+through, false)
				if err != nil {
					t.Fatal(err)
				}
				if several != (more.Verdict == drive.Done) {
					t.Errorf("second capture: %s %s", more.Verdict, more.Answer)
				}
				if several {
					captured += 400
				}
			})
		}
	}
	s.Advance(t, 60e9) // everything settles
	books := s.Balances(t, "USD")
	if books["merchant"]+books["platform_fees"] != captured {
		t.Errorf("the merchant has %d and the platform %d of %d captured", books["merchant"], books["platform_fees"], captured)
	}
}

// TestParallelCaptures: of 64 identical captures one takes effect and the
// others get the stored answer or the dialect's own word for a repeat; 64
// different captures never exceed the hold.
func TestParallelCaptures(t *testing.T) {
	for _, name := range []string{"alipay", "wepay", "intents", "begateway"} {
		t.Run(name, func(t *testing.T) {
			s := capstantest.Run(t)
			client := clients(t, s)[name]
			hold, err := client.Authorize(t.Context(), 2000, "hold-1")
			if err != nil {
				t.Fatal(err)
			}
			verdicts := parallel(t, 64, func(int) drive.Result {
				r, err := client.Capture(t.Context(), hold.ID, 2000, "same", true)
				if err != nil {
					t.Error(err)
				}
				return r
			})
			repeats := verdicts[drive.Replayed] + verdicts[drive.InProcess] + verdicts[drive.Duplicate]
			if name == "alipay" || name == "wepay" { // a repeat looks like the first
				repeats += verdicts[drive.Done] - 1
			} else if verdicts[drive.Done] != 1 {
				t.Errorf("%d of them were carried out", verdicts[drive.Done])
			}
			if repeats != 63 {
				t.Errorf("verdicts: %v", verdicts)
			}
			s.Advance(t, 60e9)
			if books := s.Balances(t, "USD"); books["merchant"] != 2000 || books["held"] != 0 {
				t.Errorf("books: %v", books)
			}

			hold, err = client.Authorize(t.Context(), 2000, "hold-2")
			if err != nil {
				t.Fatal(err)
			}
			parallel(t, 64, func(i int) drive.Result {
				r, err := client.Capture(t.Context(), hold.ID, int64(150+i), fmt.Sprintf("different-%d", i), false)
				if err != nil {
					t.Error(err)
				}
				return r
			})
			s.Advance(t, 60e9)
			if books := s.Balances(t, "USD"); books["merchant"] > 4000 || books["merchant"] <= 2000 || books["held"] < 0 {
				t.Errorf("books: %v", books)
			}
		})
	}
}

// parallel makes n calls at once and counts their verdicts.
func parallel(t *testing.T, n int, send func(int) drive.Result) map[drive.Verdict]int {
	t.Helper()
	verdicts := map[drive.Verdict]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			r := send(i)
			mu.Lock()
			verdicts[r.Verdict]++
			mu.Unlock()
		})
	}
	wg.Wait()
	return verdicts
}
