package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/page"
)

const html = `<!DOCTYPE html><style>{{style}}</style><p>{{shout .Name}}</p>`

func shout(s string) string { return strings.ToUpper(s) + "!" }

func TestWrite(t *testing.T) {
	for look, frames := range map[page.Look]string{page.Alone: "frame-ancestors 'none'", page.Framed: "frame-ancestors *"} {
		p := page.New(html, "p { color: red; }", look, map[string]any{"shout": shout})
		r := httptest.NewRecorder()
		if err := p.Write(r, http.StatusTeapot, struct{ Name string }{"<b>a</b>"}); err != nil {
			t.Fatal(err)
		}
		body := r.Body.String()
		if r.Code != http.StatusTeapot || body != "<!DOCTYPE html><style>p { color: red; }</style><p>&lt;B&gt;A&lt;/B&gt;!</p>" {
			t.Errorf("%d %s", r.Code, body)
		}
		h := r.Header()
		if h.Get("Content-Length") != strconv.Itoa(len(body)) || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("headers %v", h)
		}
		sum := sha256.Sum256([]byte("p { color: red; }"))
		policy := h.Get("Content-Security-Policy")
		if !strings.Contains(policy, "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';") || !strings.Contains(policy, frames) ||
			!strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
			t.Errorf("policy %s", policy)
		}
		if got := h.Get("X-Frame-Options") == "DENY"; got != (look == page.Alone) {
			t.Errorf("X-Frame-Options %q", h.Get("X-Frame-Options"))
		}
	}
}

// TestWriteNothing where template and data do not fit.
func TestWriteNothing(t *testing.T) {
	r := httptest.NewRecorder()
	if err := page.New(html, "", page.Alone, map[string]any{"shout": shout}).Write(r, http.StatusOK, 7); err == nil {
		t.Error("no error")
	}
	if r.Body.Len() != 0 || len(r.Header()) != 0 {
		t.Errorf("%v %s", r.Header(), r.Body)
	}
}
