package sqlite

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

// TestDamagedLog changes bytes of the log that a server has left that was
// killed. Either the store is refused, or all that was acknowledged is there;
// only of the last commit it cannot be told whether it was flushed.
func TestDamagedLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var key payment.Key
	const acknowledged = 30
	fill(t, s, &key, acknowledged)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if err := checkLog(path); err != nil {
		t.Fatalf("of a server that runs: %v", err)
	}
	random, refused, sound, last := rand.New(rand.NewPCG(1, 1)), 0, 0, 0
	for range 60 {
		at := random.IntN(len(log))
		killed := filepath.Join(t.TempDir(), "killed.db")
		changed := append([]byte(nil), log...)
		changed[at] ^= byte(1 + random.IntN(255))
		if err := errors.Join(os.WriteFile(killed, file, 0o600), os.WriteFile(killed+"-wal", changed, 0o600)); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), killed, Options{})
		if errors.Is(err, ErrDamagedLog) {
			if _, err := OpenReadOnly(t.Context(), killed); !errors.Is(err, ErrDamagedLog) {
				t.Errorf("byte %d: to be read only: %v", at, err)
			}
			refused++
			continue
		}
		if err != nil {
			t.Errorf("byte %d: %v", at, err)
			continue
		}
		switch n := count(t, s); n {
		case acknowledged:
			sound++
		case acknowledged - 1:
			last++
		default:
			t.Errorf("byte %d of %d: %d records are there, %d were acknowledged", at, len(log), n, acknowledged)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d refused, %d sound, %d without the last commit", refused, sound, last)
	if refused < 30 {
		t.Error("that was not much of a test")
	}
}
