package begateway

import (
	_ "embed"
	"mime"
	"net/http"
	"net/url"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/page"
)

var (
	//go:embed process.html
	processHTML string

	processPage = page.Plain("3-D Secure test page", processHTML, page.Framed)
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
	if err := processPage.Write(w, status, c); err != nil {
		d.Logger.Error("3-D Secure page failed", "dialect", Name, "error", err)
		w.WriteHeader(http.StatusInternalServerError)
	}
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
