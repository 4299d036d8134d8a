package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	zombie "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/sqlite"
)

// foreign makes an SQLite file by a script.
func foreign(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "foreign.db")
	conn, err := zombie.OpenConn(path, zombie.OpenReadWrite, zombie.OpenCreate)
	if err == nil {
		err = errors.Join(sqlitex.ExecuteScript(conn, script, nil), conn.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestForeignFilesAreRefused(t *testing.T) {
	text := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, path, want string }{
		{"another application", foreign(t, "PRAGMA application_id = 7; CREATE TABLE t (x);"), "not a store of Capstan"},
		{"no application", foreign(t, "CREATE TABLE t (x);"), "not a store of Capstan"},
		{"a later version", foreign(t, "PRAGMA application_id = 0x43617073; PRAGMA user_version = 999;"), "knows up to"},
		{"another page size", foreign(t, "PRAGMA page_size = 8192; PRAGMA application_id = 0x43617073; CREATE TABLE t (x);"), "page_size is 8192"},
		{"no database", text, "not a database"},
		{"a directory", t.TempDir(), ""},
		{"memory", ":memory:", "a store is a file"},
	} {
		before, _ := os.ReadFile(c.path)
		for name, open := range map[string]func() (*sqlite.Store, error){
			"Open":         func() (*sqlite.Store, error) { return sqlite.Open(t.Context(), c.path, sqlite.Options{}) },
			"OpenReadOnly": func() (*sqlite.Store, error) { return sqlite.OpenReadOnly(t.Context(), c.path) },
		} {
			s, err := open()
			if err == nil {
				t.Errorf("%s: %s accepts it", c.what, name)
				s.Close()
			} else if name == "Open" && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %s: %v", c.what, name, err)
			}
		}
		if after, _ := os.ReadFile(c.path); string(after) != string(before) {
			t.Errorf("%s: the file was changed", c.what)
		}
	}
	if _, err := os.Stat(":memory:.lock"); err == nil {
		t.Error("a lock was taken for :memory:")
	}
}

// A file of which another is making a store is empty or a store, whenever one
// looks.
func TestFileThatIsBeingMade(t *testing.T) {
	for range 40 {
		path := filepath.Join(t.TempDir(), "new.db")
		made := make(chan error, 1)
		go func() {
			s, err := sqlite.Open(context.Background(), path, sqlite.Options{})
			if err == nil {
				err = s.Close()
			}
			made <- err
		}()
		for has, knows := 0, 1; has != knows; {
			var err error
			if has, knows, err = sqlite.Schema(path); err != nil || has != 0 && has != knows {
				t.Fatalf("schema %d of %d: %v", has, knows, err)
			}
		}
		if err := <-made; err != nil {
			t.Fatal(err)
		}
	}
}

func TestOneWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	first := open(t, path)
	if s, err := sqlite.Open(t.Context(), path, sqlite.Options{}); err == nil || !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("a second writer: %v, %v", s, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, path)
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if err := second.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
	if _, err := second.Begin(t.Context(), store.Touched{}); err == nil {
		t.Error("a closed store begins a batch")
	}
	if _, err := second.Meta(t.Context(), "mode"); err == nil {
		t.Error("a closed store reads")
	}
}

// TestOtherProcesses runs this test's binary again, as another process beside
// a live writer and as one that is killed.
func TestOtherProcesses(t *testing.T) {
	if path := os.Getenv("CAPSTAN_TEST_STORE"); path != "" {
		otherProcess(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "test.db")
	run := func(what string) string {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestOtherProcesses$", "-test.v")
		cmd.Env = append(os.Environ(), "CAPSTAN_TEST_STORE="+path, "CAPSTAN_TEST_DOES="+what)
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	if out := run("die"); !strings.Contains(out, "acknowledged") {
		t.Fatalf("the other process did not write:\n%s", out)
	}
	s := open(t, path) // the lock went with the process
	defer s.Close()
	if value, err := s.Meta(t.Context(), "mode"); string(value) != "sandbox" || err != nil {
		t.Errorf("what was acknowledged before the kill: %q, %v", value, err)
	}
	if out := run("write"); !strings.Contains(out, "another process has it open") {
		t.Errorf("a second writer was let in:\n%s", out)
	}
	if out := run("read"); !strings.Contains(out, "mode is sandbox") {
		t.Errorf("a reader beside the writer:\n%s", out)
	}
}

func otherProcess(t *testing.T, path string) {
	switch ctx := context.Background(); os.Getenv("CAPSTAN_TEST_DOES") {
	case "die":
		if _, err := open(t, path).PutMeta(ctx, "mode", []byte("sandbox"), true); err != nil {
			t.Fatal(err)
		}
		fmt.Println("acknowledged")
		self, _ := os.FindProcess(os.Getpid())
		self.Kill()
		select {}
	case "write":
		_, err := sqlite.Open(ctx, path, sqlite.Options{})
		fmt.Println(err)
	case "read":
		s, err := sqlite.OpenReadOnly(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		value, err := s.Meta(ctx, "mode")
		fmt.Println("mode is", string(value), err)
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if _, err := sqlite.OpenReadOnly(t.Context(), path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a store that is not there: %v", err)
	}
	s := open(t, path)
	if _, err := s.PutMeta(t.Context(), "mode", []byte("live"), true); err != nil {
		t.Fatal(err)
	}
	for _, beside := range []string{"beside a writer", "alone"} {
		r, err := sqlite.OpenReadOnly(t.Context(), path)
		if err != nil {
			t.Fatalf("%s: %v", beside, err)
		}
		if value, err := r.Meta(t.Context(), "mode"); string(value) != "live" || err != nil {
			t.Errorf("%s: mode is %q: %v", beside, value, err)
		}
		if _, err := r.PutMeta(t.Context(), "mode", nil, false); !errors.Is(err, sqlite.ErrReadOnly) {
			t.Errorf("%s: a change: %v", beside, err)
		}
		if _, err := r.Begin(t.Context(), store.Touched{Payments: []store.Ref[payment.ID]{{Tenant: 1, Name: 1}}}); !errors.Is(err, sqlite.ErrReadOnly) {
			t.Errorf("%s: a batch: %v", beside, err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s: %v", beside, err)
		}
		if beside == "beside a writer" {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
