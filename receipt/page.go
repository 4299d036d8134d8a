package receipt

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/money"
)

var (
	//go:embed page.html
	pageHTML string

	//go:embed page.css
	style string

	page = template.Must(template.New("page").Funcs(template.FuncMap{
		"style":  func() template.CSS { return template.CSS(style) },
		"logo":   func(uri string) template.URL { return template.URL(uri) }, // Logo has looked at it
		"digits": digits,
		"moment": func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") },
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}).Parse(pageHTML))
)

// contentPolicy lets the page have its own style and a logo that came with it,
// and nothing else: no script, no other origin, no frame around it.
var contentPolicy = func() []string {
	sum := sha256.Sum256([]byte(style))
	return []string{"default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
}()

// Write answers a request for a receipt. With nil it says that there is no such
// receipt, with status 404. Nobody may keep, index or frame the page, and
// following a link from it does not tell its address.
func Write(w http.ResponseWriter, r *Receipt) error {
	var b bytes.Buffer
	if err := page.Execute(&b, r); err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	h := w.Header()
	h["Content-Type"] = []string{"text/html; charset=utf-8"}
	h["Content-Length"] = []string{strconv.Itoa(b.Len())}
	h["Content-Security-Policy"] = contentPolicy
	h["Cache-Control"] = []string{"no-store"}
	h["Referrer-Policy"] = []string{"no-referrer"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["X-Frame-Options"] = []string{"DENY"}
	h["X-Robots-Tag"] = []string{"noindex, nofollow, noarchive"}
	if r == nil {
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = b.WriteTo(w) // a reader who has gone away is no fault
	return nil
}

// number is an amount taken apart for the page.
type number struct {
	Plain  string   // "1234567.89"
	Groups []string // "1", "234", "567.89"
}

// digits takes an amount apart, so that the page can set thousands apart
// without changing what is copied from it.
func digits(a money.Amount) number {
	plain, _, _ := strings.Cut(a.String(), " ")
	n := number{Plain: plain}
	whole, _, _ := strings.Cut(plain, ".")
	for at := len(whole); at > 3; at = len(whole) {
		n.Groups = append([]string{plain[at-3:]}, n.Groups...)
		whole, plain = whole[:at-3], plain[:at-3]
	}
	n.Groups = append([]string{plain}, n.Groups...)
	return n
}
