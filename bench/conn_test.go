package bench

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// talk answers one request with pieces of bytes, each written by itself.
func talk(t testing.TB, pieces ...string) *conn {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { _ = here.Close() })
	go func() {
		defer there.Close()
		if _, err := http.ReadRequest(bufio.NewReader(there)); err != nil {
			return
		}
		for _, p := range pieces {
			if _, err := there.Write([]byte(p)); err != nil {
				return
			}
		}
	}()
	return &conn{Conn: here, buf: make([]byte, bufferSize), body: make([]byte, 0, prefix)}
}

var anything = []byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")

func TestAnswers(t *testing.T) {
	long := strings.Repeat("0123456789", 5000)
	for _, c := range []struct {
		name    string
		text    string
		status  int
		body    string // what the body begins with
		closing bool
	}{
		{"with a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
		{"in lower case", "HTTP/1.1 402 Payment Required\r\ncontent-length: 2\r\n\r\n{}", 402, "{}", false},
		{"empty", "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", 204, "", false},
		{"in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, world...\r\n0\r\n\r\n", 200, "hello, world...", false},
		{"in no chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", false},
		{"longer than the buffer", "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + long, 200, long[:1000], false},
		{"in chunks longer than the buffer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc350\r\n" + long + "\r\n1\r\nz\r\n0\r\n\r\n", 200, long[:1000], false},
		{"before the end", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, "x", true},
		{"of the old protocol", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", true},
	} {
		for _, size := range []int{len(c.text), 1, 7} {
			t.Run(fmt.Sprintf("%s/%d", c.name, size), func(t *testing.T) {
				conn := talk(t, cut(c.text, size)...)
				a, err := conn.exchange(anything)
				if err != nil {
					t.Fatal(err)
				}
				if a.status != c.status || !strings.HasPrefix(string(a.body), c.body) || conn.closing != c.closing {
					t.Errorf("got %d %.40q closing %t", a.status, a.body, conn.closing)
				}
				if !strings.HasPrefix(c.text, string(a.head)) {
					t.Errorf("head is %q", a.head)
				}
			})
		}
	}
}

func cut(text string, size int) []string {
	var pieces []string
	for len(text) > size {
		pieces, text = append(pieces, text[:size]), text[size:]
	}
	return append(pieces, text)
}

func TestBrokenAnswers(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":              "",
		"half a head":          "HTTP/1.1 200 OK\r\nContent-Le",
		"half a body":          "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
		"half a chunk":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"no last chunk":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"chunk without end":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloworld\r\n0\r\n\r\n",
		"chunk of no size":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
		"no length":            "HTTP/1.1 200 OK\r\n\r\nhello",
		"negative length":      "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
		"something after it":   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n",
		"something after it 2": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
		"another protocol":     "SSH-2.0-OpenSSH_9.2 Debian-2\r\n\r\n",
		"no number":            "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
		"endless head":         "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 3*bufferSize) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if a, err := talk(t, text).exchange(anything); err == nil {
				t.Errorf("taken as %d %q", a.status, a.body)
			}
		})
	}
}

// However a chunked body is cut into chunks and into packets, it is the same
// body.
func TestChunksInAnyPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.StringN(0, 3*prefix, 3*prefix).Draw(t, "body")
		var wire strings.Builder
		wire.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for rest := body; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			fmt.Fprintf(&wire, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		wire.WriteString("0\r\n\r\n")
		size := rapid.IntRange(1, wire.Len()).Draw(t, "packet")
		here, there := net.Pipe()
		defer here.Close()
		go func() {
			defer there.Close()
			_, _ = http.ReadRequest(bufio.NewReader(there))
			for _, p := range cut(wire.String(), size) {
				_, _ = there.Write([]byte(p))
			}
		}()
		c := &conn{Conn: here, buf: make([]byte, bufferSize), body: make([]byte, 0, prefix)}
		a, err := c.exchange(anything)
		if err != nil {
			t.Fatal(err)
		}
		if want := body[:min(len(body), prefix)]; string(a.body) != want {
			t.Fatalf("got %q, want %q", a.body, want)
		}
	})
}

func TestMember(t *testing.T) {
	for _, c := range []struct{ text, name, want string }{
		{`{"id":"pi_1","status":"succeeded"}`, "status", "succeeded"},
		{"{\n  \"id\": \"pi_1\",\n  \"status\": \"succeeded\"\n}", "status", "succeeded"},
		{`{"3ds_status":"x","status":"y"}`, "status", "y"},
		{`{"status_at":"x","statuses":"z","status":"y"}`, "status", "y"},
		{`{"code":12,"message":"code","code":"card_declined"}`, "code", "card_declined"},
		{`{"status":null}`, "status", ""},
		{`{"status":"cut of`, "status", ""},
		{``, "status", ""},
		{`status`, "status", ""},
	} {
		if got := string(member([]byte(c.text), c.name)); got != c.want {
			t.Errorf("%s of %s is %q, want %q", c.name, c.text, got, c.want)
		}
	}
}

func FuzzParseHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK, and no end of line"))
	f.Add([]byte("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nConnection: close\r\n\r\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		ours, err := parseHead(head)
		if err != nil {
			return
		}
		theirs, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(head))), nil)
		if err != nil {
			return // the generator is not as strict
		}
		defer theirs.Body.Close()
		if ours.status != theirs.StatusCode {
			t.Errorf("status %d, net/http says %d", ours.status, theirs.StatusCode)
		}
	})
}
