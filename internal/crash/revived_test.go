package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/peer"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/store/postgres"
)

// leaseOver is longer than the others leave an instance what it has claimed.
const leaseOver = 11 * time.Second

// stand has the process stand still, or go on.
func (s *server) stand(t *testing.T, still bool) {
	t.Helper()
	signal := syscall.SIGCONT
	if still {
		signal = syscall.SIGSTOP
	}
	if err := s.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// TestAnInstanceComesBack: one of three instances stands still for longer than
// its lease, twice: with deliveries in hand, and in the middle of timers, calls
// to the processor and requests. The others do what it had. When it goes on
// nothing happens for a second time: no event, no effect at the processor, and
// no message that it had not begun to send.
func TestAnInstanceComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, which the race detector does not see")
	}
	program, address, acquirer := build(t), pgtest.URL(t), peer.Run(t)
	var live [3]*server
	for i := range live {
		live[i] = startLogging(t, program, address, io.Discard, args("--processor", "card="+acquirer.URL))
	}
	old, other := live[0], live[1]
	t.Cleanup(func() { _ = old.command.Process.Signal(syscall.SIGCONT) })

	withDeliveries(t, old)

	for _, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
		reserve(t, old, dialect, 0, 40)
	}
	acquirer.Expect(t, "capture", "approve", 500*time.Millisecond, 20)
	l := &load{}
	ctx, cancel := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for _, dialect := range []string{"alipay", "wepay", "intents"} {
		client, err := drive.New(dialect, old.Credentials)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			workers.Go(func() { keepAsking(ctx, t, l, client, fmt.Sprintf("%s-%d", dialect, n)) })
		}
	}
	time.Sleep(200 * time.Millisecond)
	moved := make(chan struct{})
	go func() {
		defer close(moved)
		_ = old.advance(31 * 24 * time.Hour)
	}()
	time.Sleep(60 * time.Millisecond)
	old.stand(t, true)
	time.Sleep(leaseOver)
	if err := other.advance(time.Hour); err != nil { // the others serve, and do what is due
		t.Error(err)
	}
	old.stand(t, false)
	time.Sleep(500 * time.Millisecond)
	cancel()
	workers.Wait()
	<-moved
	if l.acked == 0 {
		t.Error("nothing was captured")
	}
	for _, h := range l.holds {
		client, err := drive.New(h.dialect, other.Credentials)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := client.Query(t.Context(), h.id); err != nil || h.captures[0].verdict == drive.Done && r.Captured != held-part {
			t.Errorf("%s %s: %d captured, %v", h.dialect, h.id, r.Captured, err)
		}
	}
	for range 2 {
		if err := other.advance(31 * 24 * time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range live {
		stopping, end := context.WithTimeout(t.Context(), 10*time.Second)
		if err := s.stop(stopping); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
		end()
	}
	st, err := postgres.OpenReadOnly(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	payments, expired, settled := onceIn(t, st)
	effects := acquirer.Effects(t)
	for _, wrong := range peer.Agree(t, st, effects) {
		t.Error(wrong)
	}
	t.Logf("%d payments, %d holds ended by their deadline, %d captures settled, %d effects at the processor, %d captures told meanwhile",
		payments, expired, settled, len(effects), l.acked)
	if expired == 0 || settled == 0 || len(effects) == 0 {
		t.Error("that proved nothing")
	}
	if out, err := exec.Command(program, "verify", "--store", address).CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// keepAsking sends holds and captures, each once, to a server that may take its
// time.
func keepAsking(ctx context.Context, t *testing.T, l *load, client drive.Client, worker string) {
	for n := 0; ctx.Err() == nil; n++ {
		key := fmt.Sprintf("%s-%d", worker, n)
		r, err := client.Authorize(t.Context(), held, key)
		if err != nil || r.Verdict != drive.Done {
			continue // it may be declined: another has sealed it meanwhile
		}
		h := &hold{dialect: client.Name(), id: r.ID}
		c := &capture{key: key + "-c", amount: held - part, last: true}
		h.captures = []*capture{c}
		r, err = client.Capture(t.Context(), h.id, c.amount, c.key, true)
		if err == nil && r.Verdict == drive.Done {
			c.verdict = drive.Done
		}
		l.mu.Lock()
		l.holds = append(l.holds, h)
		if c.verdict == drive.Done {
			l.acked++
		}
		l.mu.Unlock()
	}
}

// withDeliveries has the old instance stand still while an endpoint keeps it
// waiting for the answer to one message, with another behind that. The others
// send both, and what the old one is told at last does not count.
func withDeliveries(t *testing.T, old *server) {
	var shop struct {
		ShopID    string `json:"shop_id"`
		SecretKey string `json:"secret_key"`
	}
	if err := json.Unmarshal(old.Credentials.Begateway, &shop); err != nil {
		t.Fatal(err)
	}
	messages, answer := make(chan string, 100), make(chan struct{})
	var several atomic.Bool
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent struct{ Transaction struct{ UID string } }
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
		messages <- sent.Transaction.UID
		if !several.Swap(true) { // the first
			<-answer
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer endpoint.Close()
	defer endpoint.CloseClientConnections()
	message := func(patience time.Duration) string {
		t.Helper()
		select {
		case uid := <-messages:
			return uid
		case <-time.After(patience):
			t.Fatal("no message")
		}
		return ""
	}
	ask := func(path, request string) string {
		t.Helper()
		return begateway(t, old, shop.ShopID, shop.SecretKey, path, request)
	}
	hold := ask("authorizations", fmt.Sprintf(`{"amount":2000,"currency":"USD","description":"Test","duplicate_check":false,"test":true,"notification_url":%q,
		"credit_card":{"number":"4200000000000000","verification_value":"123","holder":"Jane Doe","exp_month":"12","exp_year":"2040"}}`, endpoint.URL))
	if uid := message(10 * time.Second); uid != hold {
		t.Fatalf("the first message is about %s", uid)
	}
	capture := ask("captures", fmt.Sprintf(`{"parent_uid":%q,"amount":500,"notification_url":%q}`, hold, endpoint.URL))
	time.Sleep(300 * time.Millisecond) // the old one claims it too
	old.stand(t, true)
	got := map[string]int{message(30 * time.Second): 1}
	got[message(30*time.Second)]++
	close(answer)
	old.stand(t, false)
	for quiet := false; !quiet; {
		select {
		case uid := <-messages:
			got[uid]++
		case <-time.After(3 * time.Second):
			quiet = true
		}
	}
	if got[hold] != 1 || got[capture] != 1 {
		t.Errorf("after it stood still %d messages about the hold and %d about the capture were sent", got[hold], got[capture])
	}
}

// begateway sends a request and returns the uid of the transaction.
func begateway(t *testing.T, s *server, shop, secret, path, request string) string {
	t.Helper()
	call, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Credentials.BaseURL+"/transactions/"+path, strings.NewReader(`{"request":`+request+`}`))
	if err != nil {
		t.Fatal(err)
	}
	call.SetBasicAuth(shop, secret)
	response, err := http.DefaultClient.Do(call)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Transaction struct{ UID string } }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Transaction.UID == "" {
		t.Fatalf("%s: %s, %v", path, response.Status, err)
	}
	return answer.Transaction.UID
}
