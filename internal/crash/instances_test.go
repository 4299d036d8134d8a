package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/pgtest"
)

// instances are three servers on one database.
type instances struct {
	t       *testing.T
	program string
	store   string

	mu     sync.Mutex
	live   [3]*server
	errors atomic.Int64 // of requests to instances that were not being killed
	lost   atomic.Int64 // requests to one that was, which were sent to another
}

// at is the instance in a place, now.
func (c *instances) at(place int) *server {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live[place%len(c.live)]
}

// replace kills the instance in a place and starts another there.
func (c *instances) replace(place int) {
	old := c.at(place)
	old.dying.Store(true)
	old.kill()
	time.Sleep(300 * time.Millisecond) // the two others have all the work
	next := start(c.t, c.program, c.store)
	c.mu.Lock()
	c.live[place] = next
	c.mu.Unlock()
}

// ask sends a request to the instance in a place. One that was killed under it
// is asked again elsewhere, as a client with several addresses would.
func (c *instances) ask(dialect string, place int, send func(drive.Client) (drive.Result, error)) (drive.Result, error) {
	for {
		s := c.at(place)
		client, err := drive.New(dialect, s.Credentials)
		if err != nil {
			return drive.Result{}, err
		}
		r, err := send(client)
		switch {
		case err == nil:
			return r, nil
		case s.dying.Load():
			c.lost.Add(1)
			place++
		default:
			c.errors.Add(1)
			return r, fmt.Errorf("an instance that lives: %w", err)
		}
	}
}

// work sends authorizations to one place and captures to all, some of them to
// two places at the same time.
func (c *instances) work(ctx context.Context, l *load, dialect string, place int, worker string) {
	for n := 0; ctx.Err() == nil; n++ {
		key := fmt.Sprintf("%s-%d", worker, n)
		r, err := c.ask(dialect, place, func(client drive.Client) (drive.Result, error) { return client.Authorize(c.t.Context(), held, key) })
		if err != nil || r.Verdict != drive.Done && r.Verdict != drive.Replayed {
			c.t.Errorf("%s: hold: %s %s, %v", dialect, r.Verdict, r.Code, err)
			return
		}
		h := &hold{dialect: dialect, id: r.ID}
		l.mu.Lock()
		l.holds = append(l.holds, h)
		l.mu.Unlock()
		amounts := []int64{held - part}
		if dialect == "alipay" || dialect == "begateway" {
			amounts = []int64{part, part + 1, part + 2, part - 6}
		}
		for i, amount := range amounts {
			kept := &capture{key: fmt.Sprintf("%s-c%d", key, i), amount: amount, last: i == len(amounts)-1}
			h.captures = append(h.captures, kept)
			capture := func(place int) drive.Result {
				r, err := c.ask(dialect, place, func(client drive.Client) (drive.Result, error) {
					return client.Capture(c.t.Context(), h.id, amount, kept.key, kept.last)
				})
				if err != nil {
					c.t.Errorf("%s: capture: %v", dialect, err)
				}
				return r
			}
			results := make([]drive.Result, 1+(n+i)%2) // the same request, once or twice at a time
			var both sync.WaitGroup
			for j := range results {
				both.Go(func() { results[j] = capture(place + i + j) })
			}
			both.Wait()
			done := slices.ContainsFunc(results, func(r drive.Result) bool { return r.Verdict == drive.Done })
			for _, r := range results {
				switch r.Verdict {
				case drive.Done, drive.Replayed, drive.Duplicate:
					kept.verdict = drive.Done
				case drive.InProcess: // both went to the same one, since another is dead
					if done {
						continue
					}
					fallthrough
				default:
					c.t.Errorf("%s: capture %d of %s, sent %d times: %s %s", dialect, i, h.id, len(results), r.Verdict, r.Code)
				}
			}
			l.mu.Lock()
			l.acked++
			l.mu.Unlock()
		}
	}
}

// TestOneOfThreeIsKilled: three instances share a database, and one after the
// other dies under load. Nobody but those whose request it had in hand sees an
// error, the same request sent to two instances at a time is carried out once,
// and everything is there, once.
func TestOneOfThreeIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, which the race detector does not see")
	}
	c := &instances{t: t, program: build(t), store: pgtest.URL(t)}
	for i := range c.live {
		c.live[i] = start(t, c.program, c.store)
		sameCredentials(t, c.live[0].Credentials, c.live[i].Credentials)
	}
	l := &load{}
	ctx, cancel := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for place := range c.live {
		for _, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
			workers.Go(func() { c.work(ctx, l, dialect, place, fmt.Sprintf("%s-%d", dialect, place)) })
		}
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	for round := range max(3, *rounds/2) {
		time.Sleep(time.Duration(200+random.IntN(400)) * time.Millisecond)
		c.replace(round % len(c.live))
	}
	cancel()
	workers.Wait()
	if n := c.errors.Load(); n > 0 {
		t.Errorf("%d requests to instances that were alive had no answer", n)
	}
	if l.acked == 0 || c.lost.Load() == 0 {
		t.Errorf("%d captures and %d requests lost: the kills proved nothing", l.acked, c.lost.Load())
	}
	for _, h := range l.holds {
		settle(t, c.at(0).Credentials, h)
	}
	t.Logf("%d holds, %d captures, %d requests went to another instance because theirs was killed", len(l.holds), l.acked, c.lost.Load())
	for _, s := range c.live {
		stopping, end := context.WithTimeout(t.Context(), 10*time.Second)
		if err := s.stop(stopping); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
		end()
	}
	if out, err := exec.Command(c.program, "verify", "--store", c.store).CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}
