package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/capstan-pay/capstan/internal/drive"
)

// documented are the flags of each "capstan serve" in docs/observability.md.
func documented(t *testing.T) (lines [][]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if flags, ok := strings.CutPrefix(strings.TrimSpace(line), "./capstan serve --sandbox "); ok {
			lines = append(lines, strings.Fields(flags))
		}
	}
	return lines
}

// The commands of docs/observability.md do what the page says: one logs each
// request, one sends spans to the collector that it names.
func TestServeAsObserved(t *testing.T) {
	var mu sync.Mutex
	var spans strings.Builder
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.Copy(&spans, r.Body)
	}))
	defer collector.Close()
	commands := documented(t)
	if len(commands) != 2 {
		t.Fatalf("the page has %d commands", len(commands))
	}
	var logs string
	for _, flags := range commands {
		for i := range flags {
			flags[i] = strings.Replace(flags[i], "http://127.0.0.1:4318", collector.URL, 1)
		}
		s := serve(t, filepath.Join(t.TempDir(), "capstan.db"), flags...)
		client, err := drive.New("intents", s.Credentials)
		if err != nil {
			t.Fatal(err)
		}
		if hold, err := client.Authorize(t.Context(), 2000, "observed"); err != nil || hold.Verdict != drive.Done {
			t.Fatalf("%v: %s", err, hold.Answer)
		}
		for path, want := range map[string]string{"/metrics": `capstan_build_info{`, "/healthz": "ok\n", "/readyz": "ready\n"} {
			response, err := http.Get(s.AdminURL + path)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
				t.Errorf("%s: %s %v", path, text, err)
			}
		}
		code, log := s.stop()
		if code != exitOK {
			t.Errorf("exit code %d: %s", code, log)
		}
		logs += log
	}
	for _, want := range []string{" level=INFO msg=request dialect=intents operation=create status=200 duration_ms=", " outcome=done request_id=req_", " merchant=1"} {
		if !strings.Contains(logs, want) {
			t.Errorf("the log has no %q: %s", want, logs)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{`"intents create"`, `"engine.create"`, `"engine.commit"`} {
		if !strings.Contains(spans.String(), want) {
			t.Errorf("no span %s: %s", want, &spans)
		}
	}
}

func TestServeRefusesBadEndpoint(t *testing.T) {
	var out, problems strings.Builder
	code := run(t.Context(), []string{
		"serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--store", filepath.Join(t.TempDir(), "capstan.db"),
		"--otlp-endpoint", "localhost:4318",
	}, &out, &problems)
	if code != exitFailed || !strings.Contains(problems.String(), "OTLP") {
		t.Errorf("exit code %d: %s", code, &problems)
	}
}
