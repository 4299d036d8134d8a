package dialect

import (
	"net/http"
	"strconv"
)

// Asked is what is known of a request that is turned away: nobody has looked at
// who sent it, and its body may not have been read.
type Asked struct {
	Method, Target string              // as they were sent
	Header         func(string) string // a header's first value, by its name in small letters
}

// TurnedAway is an answer to a request that came when there were too many.
type TurnedAway struct {
	Status int
	Fields []Field // of the header, but for Date and Content-Length
	Body   []byte  // nobody changes it
}

// Field is a line of a header.
type Field struct{ Name, Value string }

// Host is a dialect that says itself what those hear who come when there are
// too many: its own word for try again. It is asked very often then, so it has
// to be cheap, and nothing is to be looked up.
type Host interface {
	TurnAway(Asked) TurnedAway
}

// AppendTo appends the answer as it goes over the wire. The date is that of the
// Date header.
func (t TurnedAway) AppendTo(b []byte, date string) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(t.Status), 10)
	b = append(append(append(b, ' '), http.StatusText(t.Status)...), "\r\nDate: "...)
	b = append(b, date...)
	for _, f := range t.Fields {
		b = append(append(append(append(b, "\r\n"...), f.Name...), ": "...), f.Value...)
	}
	b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), int64(len(t.Body)), 10)
	return append(append(b, "\r\n\r\n"...), t.Body...)
}

// Write sends the answer.
func (t TurnedAway) Write(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = nil // or net/http adds one of its own
	for _, f := range t.Fields {
		h[f.Name] = []string{f.Value}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(t.Body))}
	w.WriteHeader(t.Status)
	_, _ = w.Write(t.Body) // whoever is gone by now asks again
}
