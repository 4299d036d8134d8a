package browser

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// A page on which everything is wrong: the tab notices all of it.
func TestTabNoticesFaults(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }))
	defer elsewhere.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/next" {
			_, _ = w.Write([]byte("<body>there"))
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-x'; img-src "+elsewhere.URL)
		_, _ = w.Write([]byte(`<!doctype html><body style="color:red"><p>seen</p><p hidden>not seen</p>
			<script nonce="x">console.error("a console error"); throw new Error("an exception")</script>
			<script>document.title = "stopped"</script><img src="` + elsewhere.URL + `/x.png" alt=""><a href="/next">on</a>
			<table width="3000"><tr><td>wide</td></tr></table></body>`))
	}))
	defer page.Close()

	tab := New(t, Phone)
	tab.Go(page.URL)
	if text := tab.Text(); !strings.Contains(text, "seen") || strings.Contains(text, "not seen") {
		t.Errorf("the text is %q", text)
	}
	if out := tab.misfits(); !slices.ContainsFunc(out, func(s string) bool { return strings.HasPrefix(s, "<table") }) {
		t.Errorf("what does not fit: %q", out)
	}
	if !tab.origins[elsewhere.URL] || !tab.origins[page.URL] {
		t.Errorf("asked of %v", tab.origins)
	}
	for _, fault := range []string{"console: error", "exception: ", "404", "ContentSecurityPolicyIssue", "Content Security Policy"} {
		tab.Forgive(fault)
	}
	if len(tab.faults) > 0 {
		t.Logf("and %q", tab.faults)
		tab.faults = nil
	}
	tab.Click("a")
	tab.Shows("there")
	if tab.Address() != page.URL+"/next" || tab.Status() != http.StatusOK {
		t.Errorf("at %s with status %d", tab.Address(), tab.Status())
	}
	tab.faults = nil // of the first page, which may come late
}
