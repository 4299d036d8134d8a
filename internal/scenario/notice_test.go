package scenario

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// ear is a merchant's endpoint.
type ear struct {
	*httptest.Server
	mu    sync.Mutex
	deaf  bool // answers 500
	heard []event
	first func(event) // called once
}

type event struct {
	ID, Type string
	Data     struct {
		Object struct {
			ID, Status string
			Received   int64 `json:"amount_received"`
			Refunded   int64 `json:"amount_refunded"`
		}
	}
}

// listen makes an endpoint of the intents dialect.
func (w *world) listen(types ...string) *ear {
	w.t.Helper()
	e := &ear{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		var got event
		if err := json.Unmarshal(text, &got); err != nil {
			w.t.Errorf("%s: %v", text, err)
		}
		e.mu.Lock()
		deaf, first := e.deaf, e.first
		e.first = nil
		if !deaf {
			e.heard = append(e.heard, got)
		}
		e.mu.Unlock()
		if first != nil {
			first(got)
		}
		if deaf {
			rw.WriteHeader(http.StatusInternalServerError)
		}
	}))
	w.t.Cleanup(e.Close)
	status, answer := w.post("/v1/webhook_endpoints", "endpoint", url.Values{"url": {e.URL}, "enabled_events[]": types})
	if status != http.StatusOK {
		w.t.Fatalf("%d %v", status, answer)
	}
	return e
}

// types are those of what was heard, each once.
func (e *ear) types() (types []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	seen := map[string]bool{}
	for _, h := range e.heard {
		if !seen[h.ID] {
			types = append(types, h.Type)
		}
		seen[h.ID] = true
	}
	slices.Sort(types)
	return types
}

// TestWebhookFailsAndTheStateChangesAgain: both changes are told in the end,
// each as it was when it happened.
func TestWebhookFailsAndTheStateChangesAgain(t *testing.T) {
	w := newWorld(t)
	e := w.listen("payment_intent.succeeded", "charge.refunded")
	e.deaf = true
	c := w.client("intents")
	id := w.authorized(c, "a")
	w.lose("capture", "lost_then_approved")
	w.want("unknown", "in process")(c.Capture(t.Context(), id, hold, "k", true))
	w.Advance(t, time.Minute)
	if status := w.refund(id, "r", 500); status != http.StatusOK {
		t.Fatalf("the refund is answered with %d", status)
	}
	w.Advance(t, time.Minute)
	if len(e.heard) != 0 {
		t.Fatalf("it has heard %+v", e.heard)
	}
	e.mu.Lock()
	e.deaf = false
	e.mu.Unlock()
	w.Advance(t, 3*day)
	if types := e.types(); !slices.Equal(types, []string{"charge.refunded", "payment_intent.succeeded"}) {
		t.Errorf("it has heard of %v", types)
	}
	for _, h := range e.heard {
		if o := h.Data.Object; h.Type == "payment_intent.succeeded" && (o.Status != "succeeded" || o.Received != hold) || h.Type == "charge.refunded" && o.Refunded != 500 {
			t.Errorf("%+v", h)
		}
	}
	w.wants(hold, 0, 500)
}

// TestEventArrivesBeforeTheAnswerIsRead: what an event tells is durable, and a
// merchant who looks finds it, though he has not read the answer that says so.
func TestEventArrivesBeforeTheAnswerIsRead(t *testing.T) {
	for _, outcome := range []string{"approve", "lost_then_approved"} {
		t.Run(outcome, func(t *testing.T) {
			w := newWorld(t)
			e := w.listen("payment_intent.succeeded")
			c := w.client("intents")
			id := w.authorized(c, "a")
			looked := make(chan string, 1)
			e.first = func(event) {
				r, err := c.Query(t.Context(), id)
				if err != nil {
					t.Error(err)
				}
				looked <- r.State
			}
			w.lose("capture", outcome)
			conn := w.write("/v1/payment_intents/"+id+"/capture", "k")
			defer conn.Close()
			for waiting := true; waiting; {
				select {
				case state := <-looked:
					waiting = false
					if state != "succeeded" {
						t.Errorf("with the event in hand the merchant finds %s", state)
					}
				case <-time.After(50 * time.Millisecond):
					w.Advance(t, time.Minute) // until the processor is asked
				}
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if read, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK && outcome == "approve" {
				t.Errorf("the answer is %s %s", response.Status, read)
			}
			w.wants(hold, 0, 0)
		})
	}
}

// write sends a request to the intents dialect and does not read the answer.
func (w *world) write(path, key string) net.Conn {
	w.t.Helper()
	var c struct {
		Key string `json:"secret_key"`
	}
	if err := json.Unmarshal(w.Credentials.Intents, &c); err != nil {
		w.t.Fatal(err)
	}
	host := strings.TrimPrefix(w.URL, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nIdempotency-Key: %s\r\nContent-Length: 0\r\n\r\n", path, host, c.Key, key); err != nil {
		w.t.Fatal(err)
	}
	return conn
}
