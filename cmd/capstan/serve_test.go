package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/sandbox"
)

// served is a server that runs inside the test as "capstan serve" would.
type served struct {
	sandbox.Credentials
	stop func() (code int, problems string)
}

// serve starts "capstan serve --sandbox" on free ports with more arguments.
func serve(t *testing.T, store string, more ...string) served {
	t.Helper()
	credentials := filepath.Join(t.TempDir(), "credentials.json")
	args := append([]string{"serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--store", store, "--credentials-out", credentials}, more...)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	lines, out := io.Pipe()
	var problems bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, args, out, &problems)
		_ = out.Close()
		ended <- code
	}()
	if _, err := bufio.NewReader(lines).ReadString('\n'); err != nil {
		t.Fatalf("serve ended with %d: %s", <-ended, &problems)
	}
	var s served
	text, err := os.ReadFile(credentials)
	if err == nil {
		err = json.Unmarshal(text, &s.Credentials)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.stop = func() (int, string) {
		cancel()
		return <-ended, problems.String()
	}
	return s
}

// Whoever waits for a processor is told that it has not answered, and whoever
// never sends the rest of his request does not hold the server up.
func TestServeStopsWhileRequestsWait(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the drain to end")
	}
	s := serve(t, filepath.Join(t.TempDir(), "capstan.db"))
	half, err := net.Dial("tcp", strings.TrimPrefix(s.BaseURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if _, err := io.WriteString(half, "POST /payments HTTP/1.1\r\nHost: capstan\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	client, err := drive.New("begateway", s.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	hold, err := client.Authorize(t.Context(), 2000, "")
	if err != nil || hold.Verdict != drive.Done {
		t.Fatalf("%v: %s", err, hold.Answer)
	}
	control(t, s.BaseURL, "/_sandbox/processor", `{"operation":"capture","outcome":"approve","delay_ms":60000}`)
	answered := make(chan string, 1)
	go func() {
		r, err := client.Capture(context.Background(), hold.ID, 700, "", false)
		answered <- fmt.Sprintf("%s %v", r.Answer, err)
	}()
	time.Sleep(300 * time.Millisecond)

	began := time.Now()
	code, problems := s.stop()
	if code != exitOK {
		t.Errorf("exit code %d: %s", code, problems)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if got := <-answered; !strings.Contains(got, `"status":"incomplete"`) {
		t.Errorf("the capture that waited was answered %s", got)
	}
}

func TestServeRefusesUnknownDialect(t *testing.T) {
	store := filepath.Join(t.TempDir(), "capstan.db")
	var out, problems bytes.Buffer
	if code := run(t.Context(), []string{"serve", "--sandbox", "--dialects", "intents,morse", "--store", store}, &out, &problems); code != exitUsage {
		t.Errorf("exit code %d: %s", code, &problems)
	}
	if _, err := os.Stat(store); err == nil {
		t.Error("it made a store")
	}
}

// A key file that was lost is not replaced by a new one, which would open
// nothing and hide the loss.
func TestServeMissesKeyFile(t *testing.T) {
	store := filepath.Join(t.TempDir(), "capstan.db")
	if code, problems := serve(t, store).stop(); code != exitOK {
		t.Fatalf("exit code %d: %s", code, problems)
	}
	if err := os.Remove(store + ".keys"); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	code := run(t.Context(), []string{"serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--store", store}, &out, &problems)
	if code != exitFailed || !strings.Contains(problems.String(), store+".keys") {
		t.Errorf("exit code %d: %s", code, &problems)
	}
	if _, err := os.Stat(store + ".keys"); err == nil {
		t.Error("it made a key file that opens nothing")
	}
}

// The first start may serve fewer dialects than a later one: the merchant has
// credentials for all of them.
func TestServeHandsOutCredentialsOfEveryDialect(t *testing.T) {
	store := filepath.Join(t.TempDir(), "capstan.db")
	first := serve(t, store, "--dialects", "intents")
	if code, problems := first.stop(); code != exitOK {
		t.Fatalf("exit code %d: %s", code, problems)
	}
	second := serve(t, store)
	defer second.stop()
	for _, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
		client, err := drive.New(dialect, second.Credentials)
		if err != nil {
			t.Fatalf("%s: %v", dialect, err)
		}
		if r, err := client.Authorize(t.Context(), 2000, "one"); err != nil || r.Verdict != drive.Done {
			t.Errorf("%s: %v: %s", dialect, err, r.Answer)
		}
	}
	if !bytes.Equal(first.Alipay, second.Alipay) || !bytes.Equal(first.Intents, second.Intents) {
		t.Error("the credentials changed")
	}
}

func control(t *testing.T, base, path, body string) {
	t.Helper()
	address, err := url.JoinPath(base, path)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(address, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, answer.Status)
	}
}
