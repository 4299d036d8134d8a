package begateway

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor/cardsim"
)

// later posts a request to be answered later, and returns where.
func (w *world) later(path, request string) (id, status, result string) {
	w.Helper()
	reply := w.call(http.MethodPost, "/async"+path, `{"request":`+request+`}`)
	var got map[string]string
	if reply.Code != http.StatusOK || json.Unmarshal(reply.Body.Bytes(), &got) != nil {
		w.Fatalf("%d %s", reply.Code, reply.Body)
	}
	id = got["request_id"]
	want := `{"status":"processing","request_id":"` + id + `","status_url":"` + w.PublicURL + `/async/status/` + id + `","response_url":"` + w.PublicURL + `/async/result/` + id + `"}`
	if reply.Body.String() != want || !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(id) {
		w.Fatalf("%s, want %s", reply.Body, want)
	}
	return id, "/async/status/" + id, "/async/result/" + id
}

func (w *world) expect(path string, code int, body string) {
	w.Helper()
	reply := w.call(http.MethodGet, path, "")
	if reply.Code != code || reply.Body.String() != body {
		w.Errorf("%s: %d %s, want %d %s", path, reply.Code, reply.Body, code, body)
	}
}

// A result of 200 is there for a day, and is what the request itself would have
// been answered (section 8.5).
func TestAsyncResult(t *testing.T) {
	w := newWorld(t)
	parent := w.hold("1000")
	id, status, result := w.later("/transactions/captures", `{"parent_uid":"`+parent+`","amount":50}`)
	w.expect(status, http.StatusOK, `{"status":"completed","request_id":"`+id+`","response_url":"`+w.PublicURL+result+`"}`)
	first := w.call(http.MethodGet, result, "")
	if got := w.read(first); masked(first.Body.String()) != masked(strings.Replace(seedSuccess, "152", "1", 1)) || got["parent_uid"] != parent {
		t.Errorf("%s", first.Body)
	}
	w.clock.advance(24*time.Hour - time.Millisecond)
	w.expect(result, http.StatusOK, first.Body.String())
	w.clock.advance(time.Millisecond)
	w.expect(result, http.StatusNotFound, `{"status":"unknown","request_id":"`+id+`"}`)
	w.expect(status, http.StatusOK, `{"status":"unknown","request_id":"`+id+`"}`)
}

// A payer's answer may be brought so too.
func TestAsyncReturn(t *testing.T) {
	w := newWorld(t)
	tr := w.challenge("")
	uid, md := tr["uid"].(string), tr["three_d_secure_verification"].(map[string]any)["md"].(string)
	reply := w.call(http.MethodPost, "/async/process/"+uid+"/return", `{"pa_res":"`+w.paRes(uid, "Y")+`","md":"`+md+`"}`)
	var got struct {
		ID string `json:"request_id"`
	}
	if err := json.Unmarshal(reply.Body.Bytes(), &got); err != nil || reply.Code != http.StatusOK {
		t.Fatalf("%d %s", reply.Code, reply.Body)
	}
	if tr := w.read(w.call(http.MethodGet, "/async/result/"+got.ID, "")); tr["uid"] != uid || tr["status"] != "successful" {
		t.Errorf("%v", tr)
	}
}

// An error is given once, to one of however many ask at once.
func TestAsyncErrorIsGivenOnce(t *testing.T) {
	w := newWorld(t)
	id, status, result := w.later("/transactions/captures", `{"parent_uid":"1-310b0da80b","amount":50}`)
	w.expect(status, http.StatusOK, `{"status":"completed","request_id":"`+id+`","response_url":"`+w.PublicURL+result+`"}`)
	codes := make([]int, 16)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() { codes[i] = w.call(http.MethodGet, result, "").Code })
	}
	all.Wait()
	given := 0
	for _, code := range codes {
		switch code {
		case http.StatusBadRequest:
			given++
		case http.StatusNotFound:
		default:
			t.Errorf("status %d", code)
		}
	}
	if given != 1 {
		t.Errorf("the error was given %d times", given)
	}
	w.expect(status, http.StatusOK, `{"status":"unknown","request_id":"`+id+`"}`)
}

// While the processor has not answered there is no result: 425; afterwards it
// is what became of it.
func TestAsyncWhileTheProcessorIsSilent(t *testing.T) {
	w := newWorld(t)
	parent := w.hold("1000")
	w.engine.ask = func(payment.Instruction) payment.Answer { return payment.Answer{Result: payment.Pending} }
	type request struct{ id, status, result string }
	var open []request
	for _, r := range [][2]string{
		{"/transactions/captures", `{"parent_uid":"` + parent + `","amount":50}`}, {"/transactions/authorizations", intakeOf("70", goodCard)}, {"/transactions/payments", intakeOf("70", goodCard)},
	} {
		id, status, result := w.later(r[0], r[1])
		open = append(open, request{id, status, result})
		w.expect(status, http.StatusOK, `{"status":"processing","request_id":"`+id+`"}`)
		w.expect(result, http.StatusTooEarly, `{"status":"processing","request_id":"`+id+`"}`)
	}
	w.engine.ask = func(i payment.Instruction) payment.Answer { return cardsim.Processor{}.Decide(i, nil) }
	for _, p := range w.engine.payments {
		for _, op := range p.Operations {
			if op.Status != payment.OpPending {
				continue
			}
			answer := payment.Answer{Result: payment.Approved, Reference: "1234567"}
			out, err := w.engine.Do(t.Context(), payment.Request{Tenant: 1, Merchant: 1, Payment: p.ID, Command: payment.Resolve{Operation: op.Number, Answer: answer}})
			if err != nil || out.Refusal != nil {
				t.Fatal(out.Refusal, err)
			}
		}
	}
	for _, r := range open {
		w.expect(r.status, http.StatusOK, `{"status":"completed","request_id":"`+r.id+`","response_url":"`+w.PublicURL+r.result+`"}`)
		first := w.call(http.MethodGet, r.result, "")
		if tr := w.read(first); tr["status"] != "successful" {
			t.Errorf("%v", tr)
		}
		w.clock.advance(time.Hour)
		w.expect(r.result, http.StatusOK, first.Body.String())
	}
}

// Everything that can be posted can be posted here too; what is another shop's
// is not known, and nobody is served without credentials.
func TestAsyncOfEverything(t *testing.T) {
	w := newWorld(t)
	_, stranger := w.addShop(t, "Another shop")
	for _, path := range []string{
		"/transactions/captures", "/transactions/authorizations", "/transactions/payments", "/transactions/voids", "/transactions/refunds",
		"/services/credit_cards/charges", "/credit_cards", "/v2/credit_cards", "/credit_cards/x", "/transactions/1-310b0da80b/renotify",
		"/transactions/credits", "/transactions/payouts", "/process/1-310b0da80b/return", "/ctp/api/checkouts", "/products",
	} {
		id, _, result := w.later(path, `{}`)
		if reply := w.callAs(stranger, http.MethodGet, result, ""); reply.Code != http.StatusNotFound || reply.Body.String() != `{"status":"unknown","request_id":"`+id+`"}` {
			t.Errorf("%s: another shop got %d %s", path, reply.Code, reply.Body)
		}
		if reply := w.call(http.MethodGet, result, ""); reply.Code != http.StatusBadRequest && reply.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, reply.Code, reply.Body)
		}
		if reply := w.callAs(Credentials{}, http.MethodPost, "/async"+path, `{}`); reply.Code != http.StatusUnauthorized {
			t.Errorf("%s: nobody got %d", path, reply.Code)
		}
	}
	for _, path := range []string{"/async/", "/async/async/transactions/captures", "/async/transactions/else", "/async"} {
		if reply := w.call(http.MethodPost, path, `{}`); reply.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, reply.Code)
		}
	}
	w.expect("/async/result/x", http.StatusNotFound, `{"status":"unknown","request_id":"x"}`)
}
