//go:build linux

package sqlite

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// overflow writes batches until one fails, and returns the error.
func overflow(t *testing.T, s *Store, key *payment.Key) error {
	t.Helper()
	for range 10_000 {
		key[0], key[1], key[2] = key[0]+1, key[0], key[1]+1
		if err := commit(t, s, store.Change{Record: store.Record{Key: *key, Tenant: 1, Context: make([]byte, 9000)}}); err != nil {
			return err
		}
	}
	t.Fatal("the limit was never reached")
	return nil
}

func TestFullDisk(t *testing.T) {
	s := small(t, filepath.Join(t.TempDir(), "test.db"))
	defer s.Close()
	limit := func(pages int) {
		if err := sqlitex.ExecuteTransient(s.writer.conn, fmt.Sprint("PRAGMA max_page_count = ", pages), nil); err != nil {
			t.Fatal(err)
		}
	}
	limit(200)
	var key payment.Key
	if err := overflow(t, s, &key); !errors.Is(err, store.ErrFull) {
		t.Fatalf("a full disk: %v", err)
	}
	full := count(t, s)
	var other payment.Key
	other[15] = 1
	if err := overflow(t, s, &other); !errors.Is(err, store.ErrFull) {
		t.Errorf("a disk that is still full: %v", err)
	}
	if after := count(t, s); after != full {
		t.Errorf("%d records after %d: a failed batch left some", after, full)
	}
	limit(1_000_000)
	fill(t, s, &other, 3)
	if after := count(t, s); after != full+3 {
		t.Errorf("%d records after %d, and room for three more", after, full)
	}
}

// TestBrokenDisk makes the system refuse writes above a size, in another
// process.
func TestBrokenDisk(t *testing.T) {
	if path := os.Getenv("CAPSTAN_TEST_STORE"); path != "" {
		breakDisk(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "test.db")
	cmd := exec.Command(os.Args[0], "-test.run", "^TestBrokenDisk$", "-test.v")
	cmd.Env = append(os.Environ(), "CAPSTAN_TEST_STORE="+path)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	s := small(t, path)
	defer s.Close()
	want := fmt.Sprintf("acknowledged %d,", count(t, s))
	if !strings.Contains(string(out), want) {
		t.Errorf("reopening finds %q:\n%s", want, out)
	}
	sound(t, s)
}

func breakDisk(t *testing.T, path string) {
	s := small(t, path)
	var key payment.Key
	fill(t, s, &key, 10)
	signal.Ignore(syscall.SIGXFSZ)
	limit := unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := overflow(t, s, &key); !errors.Is(err, store.ErrBroken) {
		t.Fatalf("a broken disk: %v", err)
	}
	if _, err := s.Begin(t.Context(), store.Touched{}); !errors.Is(err, store.ErrBroken) {
		t.Fatalf("a batch on a broken disk: %v", err)
	}
	if _, err := s.PutMeta(t.Context(), "mode", nil, true); !errors.Is(err, store.ErrBroken) {
		t.Fatalf("a change on a broken disk: %v", err)
	}
	fmt.Printf("acknowledged %d, then broken\n", count(t, s))
}
