package admission

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// open serves what h does through a door.
func open(t *testing.T, d *Door, h http.HandlerFunc) (address string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Listener = d.Listen(s.Listener, true)
	d.Watch(s.Config)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

const away = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 4\r\n\r\naway"

// However requests are cut into pieces, and whenever the gate opens and closes,
// each is answered once, in order, with its own answer or as one that was turned
// away, and those that were turned away were not served.
func TestEachIsAnsweredOnce(t *testing.T) {
	g, _ := still(Limits{Most: 1})
	d := &Door{Gate: g, Refuse: func(b []byte, h Head) []byte {
		if h.Get("x-name") == "" {
			t.Error("what is turned away is no request")
		}
		return append(b, away...)
	}}
	served := map[string]int{}
	address := open(t, d, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		served[r.Header.Get("X-Name")]++
		fmt.Fprintf(w, "%s %d", r.Header.Get("X-Name"), len(body))
	})
	random := rand.New(rand.NewPCG(7, 7))
	total, turned := 0, 0
	for n := range 60 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		from := bufio.NewReader(conn)
		for i := 0; i < 20; {
			full := random.IntN(3) > 0
			g.inside.Store(0)
			if g.since.Store(0); full {
				g.inside.Store(1)
				g.since.Store(1)
			}
			// One request, or a few behind one another, in one piece or many.
			var text strings.Builder
			together := 1 + random.IntN(30)/29*random.IntN(3)
			first := i
			for range together {
				size := random.IntN(2) * random.IntN(2) * random.IntN(6000)
				fmt.Fprintf(&text, "POST /x HTTP/1.1\r\nHost: a\r\nX-Name: %d-%d\r\n", n, i)
				switch random.IntN(30) {
				case 0:
					fmt.Fprintf(&text, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", size+1, strings.Repeat("z", size+1))
				default:
					fmt.Fprintf(&text, "Content-Length: %d\r\n\r\n%s", size, strings.Repeat("POST / HTTP/1.1\r\n\r\n", size)[:size])
				}
				i++
			}
			rest := text.String()
			for len(rest) > 0 {
				piece := len(rest)
				if random.IntN(12) == 0 {
					piece = 1 + random.IntN(len(rest))
				}
				if _, err := io.WriteString(conn, rest[:piece]); err != nil {
					t.Fatal(err)
				}
				if rest = rest[piece:]; rest != "" {
					time.Sleep(time.Duration(random.IntN(300)) * time.Microsecond)
				}
			}
			for ; first < i; first++ {
				_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				answer, err := http.ReadResponse(from, nil)
				if err != nil {
					t.Fatalf("connection %d, request %d: %v", n, first, err)
				}
				body, _ := io.ReadAll(answer.Body)
				name := fmt.Sprintf("%d-%d", n, first)
				total++
				switch {
				case answer.StatusCode == http.StatusOK && strings.HasPrefix(string(body), name+" "):
				case answer.StatusCode == http.StatusTooManyRequests && string(body) == "away" && full:
					turned++
					if served[name] != 0 {
						t.Errorf("%s was served and turned away", name)
					}
				default:
					t.Fatalf("%s: %d %s", name, answer.StatusCode, body)
				}
			}
		}
		_ = conn.Close()
	}
	if turned < total/10 {
		t.Errorf("only %d of %d were turned away", turned, total)
	}
	for name, times := range served {
		if times != 1 {
			t.Errorf("%s was served %d times", name, times)
		}
	}
}

// One more connection takes the place of that which was silent for the longest
// time, never of one that is being answered.
func TestRoomForConnections(t *testing.T) {
	release := make(chan struct{})
	d := &Door{Gate: NewGate(Limits{}), Connections: 3}
	address := open(t, d, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-release
		}
	})
	dial := func(text string) net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = io.WriteString(c, text)
		time.Sleep(20 * time.Millisecond) // they come one after the other
		return c
	}
	cut := func(c net.Conn) bool {
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		return err != nil && !strings.Contains(err.Error(), "timeout")
	}
	answered := dial("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	silent, later := dial("GET / HT"), dial("GET / HT")
	dial("GET / HT")
	if !cut(silent) || cut(later) || cut(answered) {
		t.Error("not that one had to go that was silent for the longest time")
	}
	if d.Open() != 3 || d.Closed() != 1 {
		t.Errorf("%d are open, %d were closed", d.Open(), d.Closed())
	}
	close(release)
	_ = answered.SetReadDeadline(time.Now().Add(10 * time.Second))
	if answer, err := http.ReadResponse(bufio.NewReader(answered), nil); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("one that was being answered: %v", err)
	}
}
