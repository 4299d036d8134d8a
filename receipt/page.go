package receipt

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/page"
)

var (
	//go:embed page.html
	pageHTML string

	//go:embed page.css
	style string

	sheet = page.New(pageHTML, style, page.Alone, template.FuncMap{
		"logo":   func(uri string) template.URL { return template.URL(uri) }, // Logo has looked at it
		"digits": digits,
		"moment": func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") },
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	})
)

// Write answers a request for a receipt. With nil it says that there is no such
// receipt, with status 404. Nobody may keep, index or frame the page, and
// following a link from it does not tell its address.
func Write(w http.ResponseWriter, r *Receipt) error {
	status := http.StatusOK
	if r == nil {
		status = http.StatusNotFound
	}
	if err := sheet.Write(w, status, r); err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
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
