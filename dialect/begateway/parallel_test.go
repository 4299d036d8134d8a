package begateway_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

// client sends requests to a running server as one shop.
type client struct {
	*capstantest.Server
	authorization string
}

type reply struct {
	Status      int
	Transaction struct {
		UID, Status string
		Amount      int64
	}
	Response struct{ Message string }
}

func (c client) post(path, request string) (reply, error) {
	r, err := http.NewRequest(http.MethodPost, c.URL+"/transactions/"+path, bytes.NewReader([]byte(`{"request":`+request+`}`)))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Authorization", c.authorization)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	out := reply{Status: response.StatusCode}
	return out, json.Unmarshal(text, &out)
}

// parallel sends requests at the same moment and returns the replies.
func (c client) parallel(t *testing.T, path string, requests []string) []reply {
	t.Helper()
	replies, errs := make([]reply, len(requests)), make([]error, len(requests))
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range requests {
		done.Go(func() {
			start.Wait()
			replies[i], errs[i] = c.post(path, requests[i])
		})
	}
	start.Done()
	done.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return replies
}

func run(t *testing.T) client {
	s := capstantest.Run(t)
	return client{s, authorization(t, s.Credentials.Begateway)}
}

const cardOfTests = `"credit_card":{"number":"4200000000000000","verification_value":"123","exp_month":"05","exp_year":"2030"}`

func (c client) hold(t *testing.T, amount int64) string {
	t.Helper()
	r, err := c.post("authorizations", fmt.Sprintf(`{"amount":%d,"currency":"USD","description":"A book","duplicate_check":false,%s}`, amount, cardOfTests))
	if err != nil || r.Status != http.StatusOK {
		t.Fatalf("%+v %v", r, err)
	}
	return r.Transaction.UID
}

// Of 64 equal requests at once exactly one makes a transaction; all others are
// duplicates, of captures as of authorizations (section 4.3).
func TestParallelDuplicates(t *testing.T) {
	c := run(t)
	parent := c.hold(t, 10_000)
	sale, err := c.post("payments", `{"amount":100,"currency":"USD","description":"A book",`+cardOfTests+`}`)
	if err != nil || sale.Status != http.StatusOK {
		t.Fatalf("%+v %v", sale, err)
	}
	for _, test := range []struct{ path, request string }{
		{"captures", `{"parent_uid":"` + parent + `","amount":50}`},
		{"voids", `{"parent_uid":"` + parent + `","amount":50}`},
		{"authorizations", `{"amount":77,"currency":"USD","description":"A book",` + cardOfTests + `}`},
		{"payments", `{"amount":60,"currency":"USD","description":"A book",` + cardOfTests + `}`},
		{"refunds", `{"parent_uid":"` + sale.Transaction.UID + `","amount":20,"reason":"Damaged"}`},
	} {
		requests := make([]string, 64)
		for i := range requests {
			requests[i] = test.request
		}
		made := 0
		for _, r := range c.parallel(t, test.path, requests) {
			switch {
			case r.Status == http.StatusOK && r.Transaction.Status == "successful":
				made++
			case r.Status != http.StatusBadRequest || r.Response.Message != "Duplicate transaction":
				t.Errorf("%s: %+v", test.path, r)
			}
		}
		if made != 1 {
			t.Errorf("%s: %d of 64 equal requests were carried out", test.path, made)
		}
	}
	if held := c.Balances(t, "USD"); held["held"] != 10_000-100+77 || held["merchant"] != 50+100+60-20 {
		t.Errorf("books: %v", held)
	}
}

// Whatever captures and voids come at once, together they never exceed the
// hold, and the books say what the replies said.
func TestParallelCapturesAndVoids(t *testing.T) {
	c := run(t)
	const hold = 3000
	parent := c.hold(t, hold)
	var captures, voids []string
	for i := range 64 {
		captures = append(captures, fmt.Sprintf(`{"parent_uid":"%s","amount":%d}`, parent, 30+i))
		voids = append(voids, fmt.Sprintf(`{"parent_uid":"%s","amount":%d}`, parent, 10+i))
	}
	sum := map[string]int64{}
	var mu sync.Mutex
	var both sync.WaitGroup
	for path, requests := range map[string][]string{"captures": captures, "voids": voids} {
		both.Go(func() {
			for _, r := range c.parallel(t, path, requests) {
				switch {
				case r.Status == http.StatusOK && r.Transaction.Status == "successful":
					mu.Lock()
					sum[path] += r.Transaction.Amount
					mu.Unlock()
				case r.Status != http.StatusBadRequest || !strings.HasPrefix(r.Response.Message, "Amount can't be greater than "):
					t.Errorf("%s: %+v", path, r)
				}
			}
		})
	}
	both.Wait()
	if total := sum["captures"] + sum["voids"]; total > hold || total < hold-93 {
		t.Errorf("%v of a hold of %d", sum, hold)
	}
	if books := c.Balances(t, "USD"); books["merchant"] != sum["captures"] || books["held"] != hold-sum["captures"]-sum["voids"] {
		t.Errorf("books %v, replies %v", books, sum)
	}
}
