package begateway

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"github.com/capstan-pay/capstan/dialect"
)

var (
	//go:embed process.html
	processHTML string

	//go:embed process.css
	processStyle string

	processPage = template.Must(template.New("process").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(processStyle) },
	}).Parse(processHTML))

	processPolicy = func() []string {
		sum := sha256.Sum256([]byte(processStyle))
		return []string{"default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; frame-ancestors *"}
	}()
)

// challenge is what the page of the hop shows: a question where there is an
// address to answer to, else a text.
type challenge struct {
	Shop, Amount, Card string
	Action             string // where the answer goes
	MDName, MD         string // names and values of the form's members, as the receiver knows them
	ResName, Yes, No   string
	Text               string
}

func (d *Dialect) fault(w http.ResponseWriter, r *http.Request, err error) {
	d.Logger.Error("3-D Secure page failed", "dialect", Name, "path", r.URL.Path, "error", err)
	d.page(w, http.StatusInternalServerError, challenge{Text: "Something went wrong on our side. Please try again."})
}

func (d *Dialect) page(w http.ResponseWriter, status int, c challenge) {
	var b bytes.Buffer
	if err := processPage.Execute(&b, c); err != nil {
		d.Logger.Error("3-D Secure page failed", "dialect", Name, "error", err)
		status = http.StatusInternalServerError
	}
	processHeader(w)
	w.Header()["Content-Length"] = []string{strconv.Itoa(b.Len())}
	w.WriteHeader(status)
	if _, err := b.WriteTo(w); err != nil {
		d.Logger.Debug("3-D Secure page not delivered", "dialect", Name, "error", err)
	}
}

func processHeader(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = []string{"text/html; charset=utf-8"}
	h["Content-Security-Policy"] = processPolicy
	h["Cache-Control"] = []string{"no-store"}
	h["Referrer-Policy"] = []string{"no-referrer"}
	h["X-Content-Type-Options"] = nosniff
}

func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// readForm reads a form out of the body, or the query where there is none.
func readForm(r *http.Request) (url.Values, bool) {
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		body, err := dialect.ReadBody(r)
		if err != nil {
			return nil, false
		}
		text = string(body)
	}
	form, err := url.ParseQuery(text)
	return form, err == nil
}
