package admission

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	post := "POST /v1/x HTTP/1.1\r\nHost: a\r\n"
	for _, c := range []struct {
		name, text string
		size       int // -1: not plain
	}{
		{"no body", post + "\r\n", len(post) + 2},
		{"a body", post + "Content-Length: 3\r\n\r\nabc", len(post) + 24},
		{"a body that is to come", post + "Content-Length: 30\r\n\r\nabc", len(post) + 22 + 30},
		{"a header that is to come", post, -1},
		{"a line that is to come", post + "A", -1},
		{"nothing", "", -1},
		{"two lengths", post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", -1},
		{"a length that is none", post + "Content-Length: +3\r\n\r\nabc", -1},
		{"chunks", post + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", -1},
		{"both", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", -1},
		{"waits to be told", post + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", -1},
		{"an end that is no end", post + "A: b\n\nGET / HTTP/1.1\r\n\r\n", -1},
		{"a line that goes on", post + "A: b\r\n Content-Length: 3\r\n\r\nabc", -1},
		{"to be closed", post + "Connection: close\r\n\r\n", -1},
		{"to be kept", post + "Connection: keep-alive\r\n\r\n", len(post) + 26},
		{"to become something else", post + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", -1},
		{"an older HTTP", "GET / HTTP/1.0\r\n\r\n", -1},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", -1},
		{"a proxy's", "GET http://a/ HTTP/1.1\r\n\r\n", -1},
		{"without an answer's body", "HEAD / HTTP/1.1\r\n\r\n", -1},
		{"two of them", post + "\r\n" + post + "\r\n", len(post) + 2},
	} {
		h, size, ok := parse([]byte(c.text))
		if ok != (c.size >= 0) || ok && size != c.size {
			t.Errorf("%s: %d, %t; want %d", c.name, size, ok, c.size)
		}
		if ok && (h.Method != "POST" || h.Target != "/v1/x" || h.Get("host") != "a" || h.Get("nothing") != "") {
			t.Errorf("%s: %+v", c.name, h)
		}
	}
}

// What is taken for a whole request is one for net/http too, and ends where it
// ends for net/http: otherwise what is turned away here would not be what is
// served there.
func FuzzParse(f *testing.F) {
	f.Add([]byte("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /"))
	f.Add([]byte("GET /a?b=c HTTP/1.1\r\nHost: a\r\nContent-length : 3\r\n\r\nabc"))
	f.Add([]byte("DELETE /a HTTP/1.1\r\nHost:\r\nTransfer-Encoding: identity\r\n\r\n"))
	f.Add([]byte("PUT /a HTTP/1.1\r\nhost: a\r\ncONTENT-lENGTH:\t0 \r\nconnection: keep-alive\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, size, ok := parse(b)
		if !ok || size > len(b) {
			return
		}
		from := bufio.NewReader(bytes.NewReader(b))
		r, err := http.ReadRequest(from)
		if err != nil {
			return // it is refused, and the connection closed
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Fatalf("its body does not end: %v", err)
		}
		left, _ := io.ReadAll(from)
		if len(b)-len(left) != size {
			t.Fatalf("%d bytes here, %d for net/http: %q", size, len(b)-len(left), b)
		}
		if r.Method != h.Method || r.RequestURI != h.Target {
			t.Fatalf("%s %s is %s %s for net/http", h.Method, h.Target, r.Method, r.RequestURI)
		}
		if strings.EqualFold(r.Header.Get("Connection"), "close") || len(r.TransferEncoding) > 0 {
			t.Fatalf("not plain: %q", b)
		}
	})
}
