package sqlite

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/internal/faultydisk"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// remains are what a server leaves that is killed.
type remains struct{ file, log []byte }

// remainsOf returns what s would leave if it were killed now.
func remainsOf(t *testing.T, s *Store) (r remains) {
	t.Helper()
	var err1, err2 error
	r.file, err1 = os.ReadFile(s.path)
	r.log, err2 = os.ReadFile(s.path + "-wal")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return r
}

// put makes a store of what is left.
func (r remains) put(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "killed.db")
	if err := errors.Join(os.WriteFile(path, r.file, 0o600), os.WriteFile(path+"-wal", r.log, 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

// records opens what is left and returns how many there are, or
// ErrDamagedLog.
func (r remains) records(t *testing.T) (int, error) {
	t.Helper()
	path := r.put(t)
	s, err := Open(t.Context(), path, Options{})
	if errors.Is(err, ErrDamagedLog) {
		if _, err := OpenReadOnly(t.Context(), path); !errors.Is(err, ErrDamagedLog) {
			t.Errorf("to be read only: %v", err)
		}
		return 0, ErrDamagedLog
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sound(t, s)
	return count(t, s), nil
}

// changed is a copy in which every byte of the log between the two places is
// another one.
func (r remains) changed(from, to int, random *rand.Rand) remains {
	r.log = slices.Clone(r.log)
	for i := range r.log[from:to] {
		r.log[from+i] ^= byte(1 + random.IntN(255))
	}
	return r
}

// frames are where the frames of the log begin, and where it ends.
func (r remains) frames() (at []int) {
	for i := len(header{}); i <= len(r.log); i += len(frame{}) {
		at = append(at, i)
	}
	return at
}

// TestDamagedLog changes bytes of the log that a server has left that was
// killed. Either the store is refused, or all that was acknowledged is there;
// only of the last commit it cannot be told whether it was flushed.
func TestDamagedLog(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var key payment.Key
	const acknowledged = 30
	fill(t, s, &key, acknowledged)
	left := remainsOf(t, s)
	if err := checkLog(s.path); err != nil {
		t.Fatalf("of a server that runs: %v", err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	type place struct{ from, to int }
	var places []place
	for at := range len(header{}) {
		places = append(places, place{at, at + 1})
	}
	frames := left.frames()
	for _, frame := range frames[len(frames)-9 : len(frames)-1] { // the last two commits, and more
		for at := range frameHeader {
			places = append(places, place{frame + at, frame + at + 1})
		}
	}
	for range 60 {
		at := random.IntN(len(left.log))
		places = append(places, place{at, at + 1})
	}
	for _, size := range []int{512, 4096} {
		places = append(places, place{0, size})
		for range 10 {
			at := random.IntN(len(left.log)/size) * size
			places = append(places, place{at, at + size})
		}
	}
	refused, intact, last := 0, 0, 0
	for _, p := range places {
		n, err := left.changed(p.from, p.to, random).records(t)
		switch {
		case err != nil:
			refused++
		case n == acknowledged:
			intact++
		case n == acknowledged-1 && p.from >= len(header{}):
			last++
		default:
			t.Errorf("bytes %d to %d of %d: %d records are there, %d were acknowledged", p.from, p.to, len(left.log), n, acknowledged)
		}
	}
	t.Logf("%d refused, %d intact, %d without the last commit", refused, intact, last)
	if refused < 60 {
		t.Error("that was not much of a test")
	}
}

// A disk may give zeros for what it has lost.
func TestLogWithZeros(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var key payment.Key
	fill(t, s, &key, 10)
	for _, p := range []struct{ from, to int }{{0, 4}, {0, 32}, {0, 512}, {0, 4096}, {0, 8192}, {0, 20 * 4096}, {4096, 8192}, {8192, 8192 + 512}} {
		left := remainsOf(t, s)
		clear(left.log[p.from:p.to])
		if n, err := left.records(t); err == nil {
			t.Errorf("bytes %d to %d are gone: %d records of 10 are there, and nothing is said", p.from, p.to, n)
		}
	}
}

// A log that is begun anew when the power is lost may have no header that can
// be read. Nothing is missing then: all of the old one is in the store.
func TestLogWithoutABeginning(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var key payment.Key
	random := rand.New(rand.NewPCG(1, 1))
	fill(t, s, &key, 10)
	if _, err := remainsOf(t, s).changed(0, len(header{}), random).records(t); err == nil {
		t.Error("nothing of the log is in the store, and it is opened without")
	}
	if _, err := checkpoint(s.keeper.rest); err != nil {
		t.Fatal(err)
	}
	if n, err := remainsOf(t, s).changed(0, len(header{}), random).records(t); n != 10 || err != nil {
		t.Errorf("all of the log is in the store: %d records of 10 are there: %v", n, err)
	}
}

// write writes a record whose context has that size.
func write(t *testing.T, s *Store, key *payment.Key, size int) error {
	t.Helper()
	next(key)
	return commit(t, s, store.Change{Record: store.Record{Key: *key, Tenant: 1, Context: bytes.Repeat(key[:1], size)}})
}

// Commits that find the disk full while they are written leave frames behind
// that look like commits. They are not what is missing when the server is
// killed.
func TestLogOfADiskThatWasFull(t *testing.T) {
	folder := t.TempDir()
	disk, remove, err := faultydisk.Below(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	s, err := Open(t.Context(), filepath.Join(folder, "test.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var key payment.Key
	fill(t, s, &key, 10)
	for _, size := range []int{60_000, 40_000, 20_000} {
		commits := false
		disk.Strike(func(op faultydisk.Op) faultydisk.Fault {
			if commits {
				return faultydisk.Fault{Code: sqlite.ResultFull, Short: 1000}
			}
			commits = op.Kind == faultydisk.Write && len(op.Data) == frameHeader && (*frame)(append(op.Data, make([]byte, 4096)...)).commits()
			return faultydisk.Fault{}
		})
		if err := write(t, s, &key, size); !errors.Is(err, store.ErrFull) || !commits {
			t.Fatalf("a commit for which there is no room: %v", err)
		}
	}
	disk.Strike(nil)
	if err := write(t, s, &key, 0); err != nil {
		t.Fatal(err)
	}
	if n, err := remainsOf(t, s).records(t); n != 11 || err != nil {
		t.Errorf("%d records of 11 are there: %v", n, err)
	}
}

// The power may be lost over and over, each time with a commit of which only
// the end has arrived.
func TestLogAfterManyLosses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	random := rand.New(rand.NewPCG(1, 1))
	var key payment.Key
	for i, size := range []int{100_000, 80_000, 60_000, 40_000, 20_000} {
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatalf("after %d losses: %v", i, err)
		}
		defer s.Close()
		if err := write(t, s, &key, 0); err != nil {
			t.Fatal(err)
		}
		acknowledged, err := walkLog(bytes.NewReader(remainsOf(t, s).log))
		if err != nil {
			t.Fatal(err)
		}
		if err := write(t, s, &key, size); err != nil {
			t.Fatal(err)
		}
		left := remainsOf(t, s)
		at := left.frames()[acknowledged.readable]
		left = left.changed(at, at+512, random)
		if n, err := left.records(t); n != i+1 || err != nil {
			t.Fatalf("after %d losses: %d records of %d are there: %v", i+1, n, i+1, err)
		}
		path = left.put(t)
	}
}
