// Package page writes the few pages that people see: receipts, and what a test
// environment asks a payer. A page has its own style and nothing from anywhere
// else: no script, no other origin.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

// plainStyle is for a title, a few words, and perhaps an amount and a form.
//
//go:embed plain.css
var plainStyle string

// plainHTML is a whole page: TITLE stands for its title, HTML for what follows.
//
//go:embed plain.html
var plainHTML string

// Page is a template with its style.
type Page struct {
	template *template.Template
	policy   []string
	framed   bool
}

// Look is how a page may be looked at.
type Look uint8

const (
	// Alone is a page that nobody may put into a frame, and that has no form.
	Alone Look = iota
	// Framed is a page with a form, which a shop may show inside its own.
	Framed
)

// New returns the page of an HTML template, which puts its style where it calls
// the function style. It panics where the template is none.
func New(html, style string, look Look, functions template.FuncMap) *Page {
	t := template.New("page").Funcs(template.FuncMap{"style": func() template.CSS { return template.CSS(style) }})
	sum := sha256.Sum256([]byte(style))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; "
	if look == Framed {
		policy += "frame-ancestors *"
	} else {
		policy += "form-action 'none'; frame-ancestors 'none'"
	}
	return &Page{
		template: template.Must(t.Funcs(functions).Parse(html)),
		policy:   []string{policy},
		framed:   look == Framed,
	}
}

// Plain returns a page in the style that all of them have but a receipt. html is
// the template of what stands below the title.
func Plain(title, html string, look Look) *Page {
	return New(strings.NewReplacer("TITLE", title, "HTML\n", html).Replace(plainHTML), plainStyle, look, nil)
}

var (
	kind       = []string{"text/html; charset=utf-8"}
	noStore    = []string{"no-store"}
	noReferrer = []string{"no-referrer"}
	noSniff    = []string{"nosniff"}
	deny       = []string{"DENY"}
	noRobots   = []string{"noindex, nofollow, noarchive"}
)

// Guard sets the headers with which nobody keeps or indexes what is shown, runs
// anything in it, or learns its address from a link that is followed. It is for
// redirects of a page; Write calls it.
func (p *Page) Guard(h http.Header) {
	h["Content-Type"] = kind
	h["Content-Security-Policy"] = p.policy
	h["Cache-Control"] = noStore
	h["Referrer-Policy"] = noReferrer
	h["X-Content-Type-Options"] = noSniff
	h["X-Robots-Tag"] = noRobots
	if !p.framed {
		h["X-Frame-Options"] = deny
	}
}

// Write answers with the page of data. An error means that the template and its
// data do not fit, and that nothing has been written; a reader who has gone away
// is none.
func (p *Page) Write(w http.ResponseWriter, status int, data any) error {
	var b bytes.Buffer
	if err := p.template.Execute(&b, data); err != nil {
		return err
	}
	h := w.Header()
	p.Guard(h)
	h["Content-Length"] = []string{strconv.Itoa(b.Len())}
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
	return nil
}
