package crash

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/sandbox"
)

var (
	rounds = flag.Int("rounds", 8, "how often the server is killed")
	seed   = flag.Uint64("seed", 1, "of the moments at which it is")
)

// hold is an authorization and the captures that were sent for it.
type hold struct {
	dialect  string
	id       string
	captures []*capture
}

// capture is one capture request and what its client knows of it.
type capture struct {
	key     string
	amount  int64
	last    bool
	verdict drive.Verdict // empty: no answer came
}

// The amounts: a hold takes up to four captures where its dialect takes
// several, else one.
const (
	held = 2000
	part = 500
)

// load sends authorizations and captures until the server is gone, and keeps
// what it was told.
type load struct {
	mu    sync.Mutex
	holds []*hold
	acked int
}

func (l *load) run(ctx context.Context, client drive.Client, worker string) {
	for n := 0; ctx.Err() == nil; n++ {
		key := fmt.Sprintf("%s-%d", worker, n)
		r, err := client.Authorize(ctx, held, key)
		if err != nil || r.ID == "" {
			return
		}
		h := &hold{dialect: client.Name(), id: r.ID}
		l.mu.Lock()
		l.holds = append(l.holds, h)
		l.mu.Unlock()
		captures, amount := 1, int64(held-part)
		if h.dialect == "alipay" || h.dialect == "begateway" {
			captures, amount = 4, part
		}
		for i := range captures {
			c := &capture{key: fmt.Sprintf("%s-c%d", key, i), amount: amount + int64(i), last: i == captures-1}
			if c.last && captures > 1 {
				c.amount = amount - 6 // what 500, 501 and 502 leave, less 3
			}
			h.captures = append(h.captures, c)
			r, err := client.Capture(ctx, h.id, c.amount, c.key, c.last)
			if err != nil {
				return
			}
			c.verdict = r.Verdict
			if r.Verdict == drive.Done {
				l.mu.Lock()
				l.acked++
				l.mu.Unlock()
			}
		}
	}
}

// TestKilledInTheMiddle: every acknowledged capture is there after kill -9 and
// a restart, none is there twice, a repeat of one whose answer was lost carries
// it out once, and the audit is clean.
func TestKilledInTheMiddle(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, which the race detector does not see")
	}
	program, store := build(t), filepath.Join(t.TempDir(), "capstan.db")
	random := rand.New(rand.NewPCG(*seed, 0))
	s := start(t, program, store)
	first := s.Credentials
	acked, lost := 0, 0
	for round := range *rounds {
		l := &load{}
		ctx, cancel := context.WithCancel(t.Context())
		var workers sync.WaitGroup
		for _, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
			client, err := drive.New(dialect, s.Credentials)
			if err != nil {
				t.Fatal(err)
			}
			for w := range 4 {
				workers.Go(func() { l.run(ctx, client, fmt.Sprintf("r%d-%s-%d", round, dialect, w)) })
			}
		}
		time.Sleep(time.Duration(100+random.IntN(400)) * time.Millisecond)
		s.kill()
		cancel()
		workers.Wait()

		s = start(t, program, store)
		sameCredentials(t, first, s.Credentials)
		for _, h := range l.holds {
			lost += settle(t, s.Credentials, h)
		}
		acked += l.acked
	}
	if acked == 0 || lost == 0 {
		t.Errorf("%d captures acknowledged and %d answers lost: the kills proved nothing", acked, lost)
	}
	t.Logf("%d kills, %d captures acknowledged, %d answers lost", *rounds, acked, lost)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.stop(ctx); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	if out, err := exec.Command(program, "verify", "--store", store).CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// settle repeats what had no answer, and then holds the payment against what
// its client knows. It returns how many answers had been lost.
func settle(t *testing.T, credentials sandbox.Credentials, h *hold) (lost int) {
	t.Helper()
	client, err := drive.New(h.dialect, credentials)
	if err != nil {
		t.Fatal(err)
	}
	var want int64
	for _, c := range h.captures {
		answered := c.verdict == drive.Done
		if !answered {
			lost++
		}
		r, err := client.Capture(t.Context(), h.id, c.amount, c.key, c.last)
		if err != nil {
			t.Fatalf("%s %s: repeat: %v", h.dialect, h.id, err)
		}
		switch {
		case r.Verdict == drive.Replayed, r.Verdict == drive.Duplicate, r.Verdict == drive.Done && (!answered || h.dialect != "begateway"):
			want += c.amount
		default:
			t.Errorf("%s %s: repeat of a capture (answered before: %t): %s %s", h.dialect, h.id, answered, r.Verdict, r.Code)
		}
	}
	if got := captured(t, credentials, h); got != want {
		t.Errorf("%s %s: %d captured, its client knows of %d", h.dialect, h.id, got, want)
	}
	return lost
}

// captured asks how much of a hold was captured: through alipay for what only
// alipay can express, through intents for the rest.
func captured(t *testing.T, credentials sandbox.Credentials, h *hold) int64 {
	t.Helper()
	through, id := "alipay", h.id
	if h.dialect != "alipay" {
		var answer struct{ IDs map[string]*string }
		response, err := http.Get(credentials.BaseURL + "/_sandbox/payments/" + h.id)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.IDs["intents"] == nil {
			t.Fatalf("%s %s has no id in intents: %v", h.dialect, h.id, err)
		}
		through, id = "intents", *answer.IDs["intents"]
	}
	client, err := drive.New(through, credentials)
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.Query(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.Captured
}

func sameCredentials(t *testing.T, a, b sandbox.Credentials) {
	t.Helper()
	a.BaseURL, a.AdminURL = b.BaseURL, b.AdminURL
	before, _ := json.Marshal(a)
	after, _ := json.Marshal(b)
	if string(before) != string(after) {
		t.Fatal("the credentials changed over a restart")
	}
}
