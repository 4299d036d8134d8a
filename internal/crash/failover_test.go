package crash

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/pgtest"
)

// persist sends holds and captures as one who does not give up: a request that
// is not answered is sent again, as it was, until it is. What begateway, which
// has no keys, has not answered is left for later.
func persist(ctx context.Context, t *testing.T, l *load, client drive.Client, worker string, repeats *atomic.Int64) {
	insist := func(send func() (drive.Result, error)) (r drive.Result, ok bool) {
		for n := 0; ; n++ {
			r, err := send()
			switch {
			case err == nil && (r.Verdict == drive.Done || r.Verdict == drive.Replayed || r.Verdict == drive.Duplicate):
				return r, true
			case ctx.Err() != nil, client.Name() == "begateway":
				return r, false
			}
			repeats.Add(1)
			time.Sleep(50 * time.Millisecond)
		}
	}
	for n := 0; ctx.Err() == nil; n++ {
		key := fmt.Sprintf("%s-%d", worker, n)
		r, ok := insist(func() (drive.Result, error) { return client.Authorize(t.Context(), held, key) })
		if !ok {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		h := &hold{dialect: client.Name(), id: r.ID}
		c := &capture{key: key + "-c", amount: held - part, last: true}
		h.captures = []*capture{c}
		if _, ok := insist(func() (drive.Result, error) { return client.Capture(t.Context(), h.id, c.amount, c.key, true) }); ok {
			c.verdict = drive.Done
		}
		l.mu.Lock()
		l.holds = append(l.holds, h)
		if c.verdict == drive.Done {
			l.acked++
		}
		l.mu.Unlock()
	}
}

func (l *load) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked
}

// TestDatabaseFailsOver: three instances on a primary that commits to a replica
// synchronously. The primary is killed under load, with all its processes, and
// the replica is promoted: the instances, which go on running, find it by
// themselves. No capture that was acknowledged is lost, what was unanswered is
// settled by its key, and nothing is done twice.
func TestDatabaseFailsOver(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, which the race detector does not see")
	}
	pair, err := pgtest.StartPair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pair.Stop)
	program := build(t)
	var live [3]*server
	for i := range live {
		live[i] = startLogging(t, program, pair.URL(), io.Discard) // without a database there is nothing but errors
	}
	l := &load{}
	var repeats atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for i, s := range live {
		for _, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
			client, err := drive.New(dialect, s.Credentials)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 2 {
				workers.Go(func() { persist(ctx, t, l, client, fmt.Sprintf("%s-%d-%d", dialect, i, n), &repeats) })
			}
		}
	}
	more := func(than int) {
		t.Helper()
		for start := time.Now(); l.acknowledged() <= than; time.Sleep(10 * time.Millisecond) {
			if time.Since(start) > time.Minute {
				t.Fatalf("%d captures were acknowledged, and no more", l.acknowledged())
			}
		}
	}
	more(50)
	if err := pair.KillPrimary(); err != nil {
		t.Fatal(err)
	}
	atKill := l.acknowledged()
	time.Sleep(time.Second) // nobody can be served
	began := time.Now()
	if err := pair.Promote(); err != nil {
		t.Fatal(err)
	}
	more(l.acknowledged() + 50)
	t.Logf("%d captures were acknowledged by the kill, 50 more within %v of the promotion", atKill, time.Since(began).Round(time.Millisecond))
	cancel()
	workers.Wait()
	if repeats.Load() == 0 {
		t.Error("no request went unanswered: the kill proved nothing")
	}
	lost := 0
	for i, h := range l.holds {
		lost += settle(t, live[i%len(live)].Credentials, h)
	}
	t.Logf("%d holds, %d captures acknowledged, %d settled by a repeat later, %d requests repeated", len(l.holds), l.acked, lost, repeats.Load())
	for _, s := range live {
		stopping, end := context.WithTimeout(t.Context(), 10*time.Second)
		if err := s.stop(stopping); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
		end()
	}
	if out, err := exec.Command(program, "verify", "--store", pair.URL()).CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}
