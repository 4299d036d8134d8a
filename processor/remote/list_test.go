package remote

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A list whose pages lead in a circle is an error, and so is one that fails in
// the middle: nothing is said of half a list.
func TestPerformed(t *testing.T) {
	for _, c := range []struct {
		name  string
		pages map[string]string // by cursor
		want  int               // effects; -1 is an error
	}{
		{"one page", map[string]string{"": `{"operations":[{"id":"a"},{"id":"b"}]}`}, 2},
		{"pages, one of them empty", map[string]string{"": `{"operations":[{"id":"a"}],"next":"1"}`, "1": `{"operations":[],"next":"2"}`, "2": `{"operations":[{"id":"b"}]}`}, 2},
		{"a page that leads to itself", map[string]string{"": `{"operations":[{"id":"a"}],"next":"1"}`, "1": `{"operations":[{"id":"b"}],"next":"1"}`}, -1},
		{"pages that lead in a circle", map[string]string{"": `{"operations":[],"next":"1"}`, "1": `{"operations":[{"id":"b"}],"next":"2"}`, "2": `{"operations":[],"next":"1"}`}, -1},
		{"a page that fails", map[string]string{"": `{"operations":[{"id":"a"}],"next":"1"}`}, -1},
		{"a page that is cut off", map[string]string{"": `{"operations":[{"id":"a"}],"next":"1"}`, "1": `{"operations":[{"id":`}, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				page, ok := c.pages[r.FormValue("cursor")]
				if !ok || r.FormValue("since") == "" {
					w.WriteHeader(http.StatusInternalServerError)
				}
				fmt.Fprint(w, page)
			}))
			defer s.Close()
			p, err := New(Config{Name: "card", URL: s.URL})
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Performed(t.Context(), time.Time{})
			if (err != nil) != (c.want < 0) || err == nil && len(got) != c.want {
				t.Errorf("%d effects, %v", len(got), err)
			}
		})
	}
}
