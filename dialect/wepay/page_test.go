package wepay_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

var (
	payments   = flag.Int("payments", 2000, "how many payments are paged through")
	pagingSeed = flag.Uint64("paging-seed", 1, "of what happens while payments are paged through")
)

// book is a merchant's payments while they are paged through.
type book struct {
	*client
	rng  *rand.Rand
	made atomic.Int64
	http *http.Client
}

// make makes a payment and returns its id. Its amount tells it from others.
func (b *book) make() string {
	n := b.made.Add(1)
	body := fmt.Sprintf(`{"account_id":%q,"amount":%d,"currency":"USD","payment_method":%s,"auto_capture":false,"reference_id":"r%d"}`, b.app.AccountID, 100+n, visa, n%7)
	request, err := http.NewRequest(http.MethodPost, b.server.URL+"/payments", strings.NewReader(body))
	if err != nil {
		b.t.Error(err)
		return ""
	}
	for name, value := range map[string]string{
		"App-Id": b.app.AppID, "App-Token": b.app.AppToken, "Api-Version": "3.0", "Content-Type": "application/json", "Unique-Key": fmt.Sprint("page", n),
	} {
		request.Header.Set(name, value)
	}
	response, err := b.http.Do(request)
	if err != nil {
		b.t.Error(err)
		return ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	var made struct{ ID string }
	if err != nil || json.Unmarshal(text, &made) != nil || response.StatusCode != http.StatusOK || made.ID == "" {
		b.t.Errorf("%d %v %s", response.StatusCode, err, text)
	}
	return made.ID
}

// TestPaging: whoever follows next sees every payment that there was when he
// began, once, the newest first, whatever is made meanwhile; and whoever then
// follows previous comes back to the newest of all.
func TestPaging(t *testing.T) {
	for name, options := range map[string][]capstantest.Option{"memory": {inMemory}, "sqlite": nil} {
		t.Run(name, func(t *testing.T) { paging(t, capstantest.Run(t, options...)) })
	}
}

func paging(t *testing.T, s *capstantest.Server) {
	t.Logf("-paging-seed %d", *pagingSeed)
	b := &book{
		client: newClient(t, s, s.Credentials), rng: rand.New(rand.NewPCG(*pagingSeed, 0)),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
	}
	// Many stand at the same moment: then their ids alone tell their order.
	var before []string
	for len(before) < *payments {
		var mu sync.Mutex
		parallel(16, func(int) string {
			for range max(1, min(200, *payments/100)) {
				id := b.make()
				mu.Lock()
				before = append(before, id)
				mu.Unlock()
			}
			return ""
		})
		if b.rng.IntN(3) == 0 {
			s.Advance(t, time.Duration(b.rng.IntN(3))*time.Second)
		}
	}
	forwards, end := b.forwards("/payments?page_size=50")
	there := map[string]bool{}
	for _, p := range forwards {
		there[p.ID] = true
	}
	for _, id := range before {
		if !there[id] {
			t.Fatalf("payment %s was left out", id)
		}
	}
	b.backwards(forwards, end)

	// Filters are inside of the cursor, also those that a label answers.
	narrowed, _ := b.forwards("/payments?page_size=7&reference_id=r3&minimum_amount=200&status=pending&expand=payment_method")
	if want := (*payments - 100) / 7; len(narrowed) < want || want == 0 {
		t.Errorf("%d of about %d payments", len(narrowed), want)
	}
	for _, p := range narrowed {
		if p.Reference != "r3" || p.Amount < 200 {
			t.Fatalf("listed %+v", p)
		}
	}
}

// listed is a payment as a page shows it.
type listed struct {
	ID         string
	CreateTime int64 `json:"create_time"`
	Amount     int64
	Reference  string `json:"reference_id"`
}

// page is a page of payments.
type page struct {
	Next, Previous *string
	Results        []listed
}

func (b *book) read(path string) (p page) {
	b.t.Helper()
	r := b.do(http.MethodGet, path, "", "")
	if err := json.Unmarshal(r.body, &p); err != nil || r.status != http.StatusOK {
		b.t.Fatalf("%s: %d %v %.300s", path, r.status, err, r.body)
	}
	return p
}

// follow reads the page that another names, as a production client does: it
// cuts what it was given at the last equals sign, and adds nothing but a size.
// Meanwhile something happens.
func (b *book) follow(to *string) page {
	for range b.rng.IntN(3) {
		b.make()
	}
	return b.read(fmt.Sprintf("/payments?page=%s&page_size=%d", (*to)[strings.LastIndexByte(*to, '=')+1:], 1+b.rng.IntN(50)))
}

// forwards follows next to the end, and returns what it saw and the last page.
func (b *book) forwards(path string) (seen []listed, at page) {
	known := map[string]bool{}
	for at = b.read(path); ; at = b.follow(at.Next) {
		for _, p := range at.Results {
			switch {
			case known[p.ID]:
				b.t.Fatalf("payment %s was repeated", p.ID)
			case len(seen) > 0 && p.CreateTime > seen[len(seen)-1].CreateTime:
				b.t.Fatal("an older payment stands before a newer one")
			}
			known[p.ID] = true
			seen = append(seen, p)
		}
		if at.Next == nil {
			return seen, at
		}
	}
}

// backwards follows previous from the last page to the newest payment of all,
// and holds what it sees against what was seen on the way there: it has come
// by the same ones, and by those that were made meanwhile.
func (b *book) backwards(forwards []listed, at page) {
	pages := []page{at}
	for at.Previous != nil {
		at = b.follow(at.Previous)
		pages = append(pages, at)
	}
	var seen []listed
	for _, p := range slices.Backward(pages) {
		seen = append(seen, p.Results...)
	}
	if len(seen) != int(b.made.Load()) {
		b.t.Errorf("%d payments on the way back, %d were made", len(seen), b.made.Load())
	}
	if len(seen) < len(forwards) || !slices.Equal(seen[len(seen)-len(forwards):], forwards) {
		b.t.Error("the way back is not the way there")
	}
}

// TestBoundsWithoutBound: whoever wants no bound may give the greatest number
// that there is, or more.
func TestBoundsWithoutBound(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	sink := capstantest.NewSink(t)
	c.subscribe(sink.URL, "payments.created")
	p := c.authorize("1", "")
	received(t, sink, 1)
	for _, path := range []string{
		"/payments?maximum_amount=9223372036854775807", "/payments?create_time_end=9223372036854775807", "/payments?create_time_end=1768478400000",
		"/payments?maximum_amount=99999999999999999999&create_time_end=99999999999999999999", "/notifications?event_time_end=9223372036854775807",
	} {
		if r := c.do(http.MethodGet, path, "", ""); r.status != http.StatusOK || !strings.Contains(string(r.body), p.ID) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	for _, path := range []string{"/payments?minimum_amount=9223372036854775807", "/payments?create_time_start=9223372036854775807", "/refunds?create_time_start=9223372036854775807", "/notifications?event_time_start=9223372036854775807"} {
		if r := c.do(http.MethodGet, path, "", ""); r.status != http.StatusOK || !strings.Contains(string(r.body), `"results":[]`) {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}
