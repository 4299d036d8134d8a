package crash

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/capstan-pay/capstan/internal/pgtest"
)

var operations = flag.Int("operations", 2000, "requests of a history")

// The histories: so many clients at a time, on payments of which each has so
// many requests.
const (
	callers    = 8
	perPayment = 25
	kills      = 5
	whole      = 1000 // minor units of each payment
)

// asked is a request of a client about a payment.
type asked struct {
	payment int
	verb    string
	amount  int64
}

// told is what it came to. Refusals are all alike.
type told struct {
	refused            bool
	status             string
	received, refunded int64 // this dialect counts what was released of a hold as refunded
}

// paid is the model: a payment, as one client alone would see it.
type paid struct {
	status                       string
	received, released, refunded int64
}

var model = porcupine.Model{
	Init: func() any { return paid{status: "requires_confirmation"} },
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		var parts [][]porcupine.Operation
		for _, o := range history {
			i := o.Input.(asked).payment
			for len(parts) <= i {
				parts = append(parts, nil)
			}
			parts[i] = append(parts[i], o)
		}
		return parts
	},
	Step: func(state, input, output any) (bool, any) {
		p, a, said := state.(paid), input.(asked), output.(told)
		done := p.do(a)
		want := told{refused: !done}
		switch {
		case done && a.verb == "read":
			want = told{status: p.status, received: p.received, refunded: p.released + p.refunded}
		case done && a.verb != "refund":
			want = told{status: p.status, received: p.received}
		}
		return said == want, p
	},
	Equal:             func(a, b any) bool { return a.(paid) == b.(paid) },
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
	DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
}

// do carries out a request, and tells whether it could be.
func (p *paid) do(a asked) bool {
	switch a.verb {
	case "confirm":
		if p.status != "requires_confirmation" {
			return false
		}
		p.status = "requires_capture"
	case "capture":
		if p.status != "requires_capture" || a.amount > whole {
			return false
		}
		p.status, p.received, p.released = "succeeded", a.amount, whole-a.amount
	case "cancel":
		if p.status != "requires_confirmation" && p.status != "requires_capture" {
			return false
		}
		if p.status == "requires_capture" {
			p.released = whole
		}
		p.status = "canceled"
	case "refund":
		if p.status == "requires_capture" && a.amount == whole { // of an open hold it is a cancellation
			p.status, p.released = "canceled", whole
			return true
		}
		if p.status != "succeeded" || a.amount > p.received-p.refunded {
			return false
		}
		p.refunded += a.amount
	}
	return true
}

// TestHistoriesHaveAnOrder: clients authorize, capture, void, refund and read
// over HTTP, from one server on SQLite and from three on one PostgreSQL, while
// one server after the other is killed. Each client repeats what it was not told
// of until it is, some of them before the first try has ended, and every try goes
// to the next server. Whatever they were told, there is an order of their requests
// in which one client alone would have been told the same by a model of a few
// lines.
func TestHistoriesHaveAnOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, which the race detector does not see")
	}
	program := build(t)
	for name, on := range map[string]struct {
		store   func(*testing.T) string
		servers int
	}{
		"sqlite":   {func(t *testing.T) string { return filepath.Join(t.TempDir(), "capstan.db") }, 1},
		"postgres": {func(t *testing.T) string { return pgtest.URL(t) }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{T: t, program: program, store: on.store(t), servers: make([]atomic.Pointer[string], on.servers)}
			history := r.record(*seed)
			result, info := porcupine.CheckOperationsVerbose(model, history, time.Minute)
			path := filepath.Join(t.ArtifactDir(), "history.html")
			if err := porcupine.VisualizePath(model, info, path); err != nil {
				t.Error(err)
			}
			if result != porcupine.Ok {
				t.Errorf("no order explains it (%s), drawn in %s", result, path)
			}
			done, refused := 0, 0
			for _, o := range history {
				if o.Output.(told).refused {
					refused++
				} else {
					done++
				}
			}
			t.Logf("%d requests carried out, %d refused, %d sent again, %d of them before the first had ended, %d kills",
				done, refused, r.again.Load(), r.hurried.Load(), kills)
			if done == 0 || refused == 0 || r.again.Load() == 0 || r.hurried.Load() == 0 {
				t.Error("that was not much of a history")
			}
		})
	}
}

// recorder lets clients loose on servers of which one dies now and then.
type recorder struct {
	*testing.T
	program, store string
	servers        []atomic.Pointer[string] // where each listens now
	key            string                   // of the merchant
	again          atomic.Int64             // requests that were sent again
	hurried        atomic.Int64             // of them, those whose client had not waited for the first
	ids            []string                 // of the payments
}

func (r *recorder) record(seed uint64) []porcupine.Operation {
	live := make([]*server, len(r.servers))
	for place := range live {
		live[place] = startLogging(r.T, r.program, r.store, io.Discard) // a client that does not wait is an error there
		r.servers[place].Store(&live[place].Credentials.BaseURL)
	}
	var c struct {
		Key string `json:"secret_key"`
	}
	if err := json.Unmarshal(live[0].Credentials.Intents, &c); err != nil {
		r.Fatal(err)
	}
	r.key = c.Key
	payments := *operations / perPayment
	for i := range payments {
		id := r.create(fmt.Sprintf("create%d", i))
		r.ids = append(r.ids, id)
	}
	var next atomic.Int64
	begin := time.Now()
	histories := make([][]porcupine.Operation, callers)
	var work sync.WaitGroup
	for n := range callers {
		work.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(n)))
			for {
				number := int(next.Add(1)) - 1
				if number >= payments*perPayment {
					return
				}
				a := anyAsked(random, number)
				o := porcupine.Operation{ClientId: n, Input: a, Call: int64(time.Since(begin))}
				var hurry time.Duration
				if random.IntN(10) == 0 {
					hurry = time.Duration(1+random.IntN(5000)) * time.Microsecond
				}
				o.Output = r.ask(a, fmt.Sprintf("k%d", number), random.IntN(len(r.servers)), hurry)
				o.Return = int64(time.Since(begin))
				histories[n] = append(histories[n], o)
			}
		})
	}
	random := rand.New(rand.NewPCG(seed, 99))
	for k := range kills { // somewhere in each part of the history
		at := int64(payments*perPayment*(k+1)/(kills+1) + random.IntN(perPayment))
		for next.Load() < at {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(random.IntN(5000)) * time.Microsecond)
		place := k % len(live)
		live[place].kill()
		live[place] = startLogging(r.T, r.program, r.store, io.Discard) // a client that does not wait is an error there
		r.servers[place].Store(&live[place].Credentials.BaseURL)
	}
	work.Wait()
	var history []porcupine.Operation
	for _, h := range histories {
		history = append(history, h...)
	}
	return history
}

// anyAsked makes a request: the first about each payment are most often the
// first that it needs.
func anyAsked(random *rand.Rand, number int) asked {
	a := asked{payment: number / perPayment, verb: "read", amount: []int64{100, 300, 600, 1000, 1100}[random.IntN(5)]}
	late := number%perPayment > 6
	switch n := random.IntN(100); {
	case n < 20 && !late, n < 4:
		a.verb = "confirm"
	case n < 45 && !late, n < 20:
		a.verb = "capture"
	case n < 48:
		a.verb = "cancel"
	case n < 75:
		a.verb = "refund"
	}
	if a.verb == "read" || a.verb == "confirm" || a.verb == "cancel" {
		a.amount = 0
	}
	return a
}

func (r *recorder) create(key string) string {
	status, text := r.send(http.MethodPost, 0, "/v1/payment_intents", key, url.Values{
		"amount": {strconv.Itoa(whole)}, "currency": {"usd"}, "capture_method": {"manual"}, "payment_method": {"pm_card_visa"},
	}, 0)
	var p struct{ ID string }
	if status != http.StatusOK || json.Unmarshal(text, &p) != nil {
		r.Fatalf("%d %s", status, text)
	}
	return p.ID
}

// ask sends a request to the server in a place, then under the same key to the
// next, and so on, until it is told what became of it. The first it does not
// wait for longer than hurry, unless that is 0.
func (r *recorder) ask(a asked, key string, place int, hurry time.Duration) told {
	path, form, method := "/v1/payment_intents/"+r.ids[a.payment], url.Values{}, http.MethodPost
	switch a.verb {
	case "capture":
		path, form = path+"/capture", url.Values{"amount_to_capture": {strconv.FormatInt(a.amount, 10)}}
	case "refund":
		path, form = "/v1/refunds", url.Values{"payment_intent": {r.ids[a.payment]}, "amount": {strconv.FormatInt(a.amount, 10)}}
	case "read":
		path, method = path+"?expand[]=latest_charge", http.MethodGet
	default:
		path += "/" + a.verb
	}
	for tries := 0; ; tries++ {
		if tries > 0 {
			r.again.Add(1)
			if hurry > 0 {
				r.hurried.Add(1)
			} else {
				time.Sleep(10 * time.Millisecond)
			}
			hurry = 0
		}
		if tries == 2000 {
			r.Errorf("%+v is never answered", a)
			return told{}
		}
		status, text := r.send(method, place+tries, path, key, form, hurry)
		if status == 0 || status == http.StatusConflict || status == http.StatusTooManyRequests || status >= 500 {
			continue // nobody knows, or not now
		}
		if status != http.StatusOK {
			return told{refused: true}
		}
		var p struct {
			Object   string
			Status   string
			Received int64 `json:"amount_received"`
			Charge   any   `json:"latest_charge"`
		}
		if err := json.Unmarshal(text, &p); err != nil {
			r.Errorf("%s: %v", text, err)
		}
		if a.verb == "refund" {
			return told{}
		}
		said := told{status: p.Status, received: p.Received}
		if charge, ok := p.Charge.(map[string]any); ok {
			refunded, _ := charge["amount_refunded"].(float64)
			said.refunded = int64(refunded)
		}
		return said
	}
}

// send returns status 0 when there was no whole answer.
func (r *recorder) send(method string, place int, path, key string, form url.Values, hurry time.Duration) (int, []byte) {
	ctx := r.Context()
	if hurry > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, hurry)
		defer cancel()
	}
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	}
	request, err := http.NewRequestWithContext(ctx, method, *r.servers[place%len(r.servers)].Load()+path, body)
	if err != nil {
		r.Error(err)
		return 0, nil
	}
	request.Header.Set("Authorization", "Bearer "+r.key)
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header["idempotency-key"] = []string{key} // as is: net/http sends it again by itself otherwise
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil
	}
	return response.StatusCode, text
}
