package capstan_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/clock"
)

// receiver is the program that docs/webhooks.md shows, running.
type receiver struct {
	url   string
	lines *bufio.Scanner
}

// runReceiver builds the program of the page and starts it.
func runReceiver(t *testing.T, secret string) *receiver {
	t.Helper()
	page, err := os.ReadFile("docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(page), "```go\n")
	code, _, ends := strings.Cut(code, "```")
	if !found || !ends {
		t.Fatal("the page shows no program")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": code, "go.mod": "module receiver\n\ngo 1.26\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, arguments := range [][]string{{"vet", "."}, {"build", "-o", "receiver", "."}} {
		command := exec.Command("go", arguments...)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v\n%s", arguments, err, out)
		}
	}
	command := exec.Command(filepath.Join(dir, "receiver"))
	command.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	r := &receiver{lines: bufio.NewScanner(out)}
	r.lines.Buffer(nil, 1<<20)
	r.url = r.line(t)
	return r
}

// line is the next line that the program prints.
func (r *receiver) line(t *testing.T) string {
	t.Helper()
	next := make(chan string, 1)
	go func() {
		r.lines.Scan()
		next <- r.lines.Text()
	}()
	select {
	case text := <-next:
		return text
	case <-time.After(10 * time.Second):
		t.Fatal("the receiver prints nothing")
		return ""
	}
}

// TestReceiverOfThePage runs the receiver that docs/webhooks.md shows against a
// server: it takes what the server sends, once, also with the keys before the
// fresh ones, and nothing else.
func TestReceiverOfThePage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	s := capstantest.Run(t, capstantest.At(clock.System{}))
	var keys struct{ Secret string }
	s.Control(t, http.MethodPost, "/_sandbox/webhooks/keys", map[string]string{}, &keys)
	r := runReceiver(t, keys.Secret)
	var shop struct {
		ID  string `json:"shop_id"`
		Key string `json:"secret_key"`
	}
	if err := json.Unmarshal(s.Credentials.Begateway, &shop); err != nil {
		t.Fatal(err)
	}
	authorize := func(order string) {
		t.Helper()
		status, text := call(t, s.URL, http.MethodPost, "/transactions/authorizations",
			map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(shop.ID+":"+shop.Key))},
			fmt.Sprintf(`{"request":{"amount":100,"currency":"USD","description":"x","tracking_id":%q,"notification_url":%q,"duplicate_check":false,
				"credit_card":{"number":"4200000000000000","holder":"J","exp_month":"05","exp_year":"2040"}}}`, order, r.url))
		if status != http.StatusOK {
			t.Fatal(text)
		}
	}
	authorize("first")
	first := r.line(t)
	if id, body, _ := strings.Cut(first, " "); !strings.HasPrefix(id, "msg_") || !strings.Contains(body, `"tracking_id":"first"`) {
		t.Fatalf("it printed %q", first)
	}

	// Delivered again it is taken, and known.
	s.Advance(t, 0)
	var again struct{ Redelivered int }
	id, _, _ := strings.Cut(first, " ")
	s.Control(t, http.MethodPost, "/_sandbox/webhooks/redeliver", map[string]string{"id": id}, &again)
	s.Advance(t, 0)
	var log struct {
		Webhooks []struct {
			ID, State string
			Attempt   int
			Headers   http.Header
			Body      string
		}
	}
	s.Control(t, http.MethodGet, "/_sandbox/webhooks", nil, &log)
	if again.Redelivered != 1 || len(log.Webhooks) != 2 || log.Webhooks[1].ID != id || log.Webhooks[1].State != "delivered" {
		t.Fatalf("redelivered %d: %+v", again.Redelivered, log)
	}

	// With fresh keys in front the receiver's own are good for a day.
	s.Control(t, http.MethodPost, "/_sandbox/webhooks/keys", map[string]string{}, nil)
	authorize("second")
	if second := r.line(t); !strings.Contains(second, `"tracking_id":"second"`) {
		t.Errorf("after a rotation it printed %q", second)
	}

	// What was changed, or is old, is not taken.
	sent := log.Webhooks[0]
	for name, change := range map[string]func(h http.Header, body string) string{
		"the body": func(_ http.Header, body string) string { return strings.Replace(body, "100", "101", 1) },
		"the id":   func(h http.Header, body string) string { h.Set("webhook-id", "msg_1"); return body },
		"the time": func(h http.Header, body string) string { h.Set("webhook-timestamp", "1614265330"); return body },
		"the key": func(h http.Header, body string) string {
			h.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
			return body
		},
		"": func(_ http.Header, body string) string { return body },
	} {
		h := http.Header{}
		for _, member := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			h.Set(member, sent.Headers[member][0])
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url, bytes.NewReader([]byte(change(h, sent.Body))))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = h
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if want := map[bool]int{true: 200, false: 400}[name == ""]; response.StatusCode != want {
			t.Errorf("with %q changed: %s", name, response.Status)
		}
	}
}
