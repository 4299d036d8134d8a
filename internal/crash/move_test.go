package crash

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/bench"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/move"
)

// TestMoveIsKilled: a move to PostgreSQL, and one back, is killed again and
// again in the middle. Each time nobody can serve what is half there, and in
// the end everything is there, once.
func TestMoveIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, which the race detector does not see")
	}
	program, dir := build(t), t.TempDir()
	file, database, back := filepath.Join(dir, "capstan.db"), pgtest.URL(t), filepath.Join(dir, "back.db")
	fill(t, program, file, 6000)
	random := rand.New(rand.NewPCG(*seed, 0))
	before := report(t, program, file)
	moveKilled(t, program, file, database, file+".keys", random)
	if after := report(t, program, database); after != before {
		t.Errorf("in the database verify says\n%snot\n%s", after, before)
	}
	moveKilled(t, program, database, back, file+".keys", random)
	if after := report(t, program, back); after != before {
		t.Errorf("back in a file verify says\n%snot\n%s", after, before)
	}
	s := start(t, program, back)
	s.kill()
}

// fill makes a store with payments, half of them captured.
func fill(t *testing.T, program, file string, payments int) {
	t.Helper()
	s := start(t, program, file)
	text, err := json.Marshal(s.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := bench.ParseCredentials(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, captured := range []bool{true, false} {
		prepared, err := bench.Prepare(t.Context(), bench.Options{
			Target: s.Credentials.BaseURL, Credentials: credentials,
			Dialect: "intents", Connections: 32, Merchants: 1, Payments: payments / 2,
		})
		if err != nil {
			t.Fatal(err)
		}
		if captured {
			if _, err := prepared.Capture(t.Context(), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.kill()
}

// report is what verify says of a store, which has to be sound.
func report(t *testing.T, program, store string) string {
	t.Helper()
	out, err := exec.Command(program, "verify", "--store", store, "--json").Output()
	if err != nil {
		t.Fatalf("verify: %v\n%s", err, out)
	}
	return string(out)
}

// moveKilled moves a store, and kills the program some times on the way.
func moveKilled(t *testing.T, program, from, to, keys string, random *rand.Rand) {
	t.Helper()
	kills, early := 0, 0 // early: how often in a row it was killed before anything was there
	for round := 0; ; round++ {
		if round > 500 {
			t.Fatal("the move does not end")
		}
		mover := exec.Command(program, "move", "--from", from, "--to", to, "--keys", keys, "--json")
		var out, problems bytes.Buffer
		mover.Stdout, mover.Stderr = &out, &problems
		if err := mover.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- mover.Wait() }()
		var patience <-chan time.Time
		if kills < 2+*rounds/8 {
			patience = time.After(time.Duration(50+random.IntN(600)+100*early) * time.Millisecond)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("move: %v\n%s", err, &problems)
			}
			var moved struct{ Resumed bool }
			if err := json.Unmarshal(out.Bytes(), &moved); err != nil {
				t.Fatalf("%v: %s", err, &out)
			}
			if kills == 0 || !moved.Resumed {
				t.Errorf("%d kills, resumed: %t: the kills proved nothing", kills, moved.Resumed)
			}
			t.Logf("to %.8s...: %d rounds, %d kills in the middle", to, round+1, kills)
			return
		case <-patience:
			_ = mover.Process.Kill()
			<-ended
		}
		early++
		if incomplete(t, to) {
			early = 0
			if kills++; kills == 1 {
				serve := exec.Command(program, "serve", "--sandbox", "--store", to, "--keys", keys, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
				if half, err := serve.CombinedOutput(); err == nil || !strings.Contains(string(half), "not complete") {
					t.Fatalf("a server took what is half there: %s", half)
				}
			}
		}
	}
}

// incomplete tells whether a part of a move is in a store.
func incomplete(t *testing.T, address string) bool {
	t.Helper()
	st, err := openReadOnly(t.Context(), address)
	if err != nil {
		return false // there is no store yet
	}
	defer st.Close()
	return move.Check(t.Context(), st) != nil
}

// TestMovedWhileAnInstanceStoodStill: a database is moved while an instance on it
// stands still for longer than its lease, so that nobody knows of it. When it goes
// on it captures nothing, since what it has is history, and ends.
func TestMovedWhileAnInstanceStoodStill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, which the race detector does not see")
	}
	program, address, file := build(t), pgtest.URL(t), filepath.Join(t.TempDir(), "capstan.db")
	s := startLogging(t, program, address, io.Discard)
	client, err := drive.New("intents", s.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.Authorize(t.Context(), held, "k")
	if err != nil || r.Verdict != drive.Done {
		t.Fatalf("%s %v", r.Verdict, err)
	}
	s.stand(t, true)
	t.Cleanup(func() { _ = s.command.Process.Signal(syscall.SIGCONT) })
	time.Sleep(leaseOver)
	if out, err := exec.Command(program, "move", "--from", address, "--to", file).CombinedOutput(); err != nil {
		t.Fatalf("move: %v\n%s", err, out)
	}
	s.stand(t, false)
	if r, err := client.Capture(t.Context(), r.ID, part, "c", true); err == nil && r.Verdict == drive.Done {
		t.Error("it has captured what was moved away")
	}
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
	if out, err := exec.Command(program, "verify", "--store", file).CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}
