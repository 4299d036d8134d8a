package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/faultydisk"
	"github.com/capstan-pay/capstan/sandbox"
)

// diskControl names the file that says what is wrong with the disk that this
// program's store is on: "KIND SUFFIX CODE", where it fails once, or "full".
// What is written and flushed from then on is noted in a file beside it.
const diskControl = "CAPSTAN_TEST_DISK"

// mainOnDisk is main on a disk that fails when it is told to.
func mainOnDisk(control string) {
	disk, _, err := faultydisk.Below(filepath.Dir(control))
	if err != nil {
		panic(err)
	}
	struck := false
	disk.Strike(func(op faultydisk.Op) (f faultydisk.Fault) {
		if struck {
			note(control, op)
			return f
		}
		text, _ := os.ReadFile(control)
		words := strings.Fields(string(text))
		switch {
		case len(words) == 1 && op.Kind == faultydisk.Write:
			return faultydisk.Fault{Code: sqlite.ResultFull, Short: len(op.Data) / 3}
		case len(words) == 3 && words[0] == string(op.Kind) && strings.HasSuffix(op.Path, words[1]):
			struck = true
			f.Code = map[string]sqlite.ResultCode{"EIO": sqlite.ResultIOErrWrite, "fsync": sqlite.ResultIOErrFsync, "read": sqlite.ResultIOErrRead}[words[2]]
		}
		return f
	})
	main()
}

func note(control string, op faultydisk.Op) {
	if op.Kind == faultydisk.Read {
		return
	}
	f, err := os.OpenFile(control+".log", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(f, op.Kind, filepath.Base(op.Path))
	_ = f.Close()
}

// diskServer is a server in a process of its own, on such a disk.
type diskServer struct {
	t       *testing.T
	folder  string
	command *exec.Cmd
	log     bytes.Buffer
	sandbox.Credentials
}

func (s *diskServer) store() string   { return filepath.Join(s.folder, "capstan.db") }
func (s *diskServer) control() string { return filepath.Join(s.folder, "disk") }

// order says what is wrong with the disk from now on.
func (s *diskServer) order(what string) {
	s.t.Helper()
	next := s.control() + ".next"
	if err := errors.Join(os.WriteFile(next, []byte(what), 0o600), os.Rename(next, s.control())); err != nil {
		s.t.Fatal(err)
	}
}

func (s *diskServer) start() {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "credentials.json")
	s.command = exec.Command(os.Args[0], "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--store", s.store(), "--credentials-out", file)
	s.command.Env = append(os.Environ(), diskControl+"="+s.control())
	s.log.Reset()
	s.command.Stderr = &s.log
	out, err := s.command.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	process := s.command.Process
	s.t.Cleanup(func() { _ = process.Kill() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		s.t.Fatalf("it ended with %v: %s", s.command.Wait(), &s.log)
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &s.Credentials)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// ended waits for the process and returns its exit code.
func (s *diskServer) ended() int {
	s.t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.command.Wait() }()
	select {
	case <-done:
		return s.command.ProcessState.ExitCode()
	case <-time.After(15 * time.Second):
		s.t.Fatalf("it goes on: %s", &s.log)
		return 0
	}
}

func (s *diskServer) stop() {
	s.t.Helper()
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if code := s.ended(); code != exitOK {
		s.t.Errorf("exit code %d: %s", code, &s.log)
	}
	var out, problems bytes.Buffer
	if code := run(s.t.Context(), []string{"verify", "--store", s.store()}, &out, &problems); code != exitOK {
		s.t.Errorf("verify ends with %d: %s %s", code, &out, &problems)
	}
}

// dialectHold is a hold made through a dialect.
type dialectHold struct {
	drive.Client
	id string
}

// holds makes one in every dialect.
func (s *diskServer) holds(key string) (all []dialectHold) {
	s.t.Helper()
	for _, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
		client, err := drive.New(dialect, s.Credentials)
		if err != nil {
			s.t.Fatal(err)
		}
		r, err := client.Authorize(s.t.Context(), 2000, key)
		if err != nil || r.Verdict != drive.Done {
			s.t.Fatalf("%s: %s %v", dialect, r.Answer, err)
		}
		all = append(all, dialectHold{client, r.ID})
	}
	return all
}

func (s *diskServer) again(h dialectHold) dialectHold {
	s.t.Helper()
	client, err := drive.New(h.Name(), s.Credentials)
	if err != nil {
		s.t.Fatal(err)
	}
	return dialectHold{client, h.id}
}

// state is how the dialect shows a hold.
func (h dialectHold) state(t *testing.T) string {
	t.Helper()
	r, err := h.Query(t.Context(), h.id)
	if err != nil {
		t.Fatalf("%s: %v", h.Name(), err)
	}
	return fmt.Sprint(r.State, " ", r.Captured)
}

// TestDiskFailsUnderAServer: a server whose disk fails answers nobody that it
// has captured anything, says why, and ends. It does not flush again what could
// not be flushed. After a restart all that it has acknowledged is there.
func TestDiskFailsUnderAServer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	for _, fault := range []string{"write -wal EIO", "sync -wal fsync", "read capstan.db read"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s := &diskServer{t: t, folder: t.TempDir()}
			s.order("")
			s.start()
			before, after := s.holds("a"), s.holds("b")
			captured := map[string]string{}
			for _, h := range before {
				r, err := h.Capture(t.Context(), h.id, 2000, "c", true)
				if err != nil || r.Verdict != drive.Done {
					t.Fatalf("%s: %s %v", h.Name(), r.Answer, err)
				}
				captured[h.Name()] = h.state(t)
			}
			if strings.HasPrefix(fault, "read") { // what is read is in memory until it starts anew
				s.stop()
				s.start()
				for i := range after {
					after[i] = s.again(after[i])
				}
			}
			s.order(fault)
			var asking sync.WaitGroup
			for _, h := range after {
				asking.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					defer cancel()
					if r, err := h.Capture(ctx, h.id, 2000, "d", true); err == nil && r.Verdict != drive.Unknown && r.Verdict != drive.InProcess && fault[0] != 'r' {
						t.Errorf("%s is told %s: %s", h.Name(), r.Verdict, r.Answer)
					}
				})
			}
			asking.Wait()
			if code := s.ended(); code != exitFailed {
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(s.log.String(), "storage failed") {
				t.Errorf("the log does not say why it ended: %s", &s.log)
			}
			later, _ := os.ReadFile(s.control() + ".log")
			if strings.Contains(string(later), "sync") {
				t.Errorf("afterwards it did %s", later)
			}
			s.order("")
			s.start()
			for _, h := range before {
				if h = s.again(h); h.state(t) != captured[h.Name()] {
					t.Errorf("%s: what was %s is %s", h.Name(), captured[h.Name()], h.state(t))
				}
			}
			for _, h := range after {
				h = s.again(h)
				r, err := h.Capture(t.Context(), h.id, 2000, "d", true)
				if h.Name() == "begateway" && err == nil && (r.Verdict == drive.Refused || r.Verdict == drive.Duplicate) {
					r.Verdict = drive.Replayed // it was there, and has no key
				}
				if err != nil || r.Verdict != drive.Done && r.Verdict != drive.Replayed || h.state(t) != captured[h.Name()] {
					t.Errorf("%s: repeated: %s %v, now %s", h.Name(), r.Answer, err, h.state(t))
				}
			}
			s.stop()
		})
	}
}

// inTheMeantime is what each dialect says of a capture that could not be
// written: ask again.
var inTheMeantime = map[string]string{
	"alipay": "UNKNOWN_EXCEPTION", "wepay": "UNEXPECTED_ERROR", "intents": "api_error", "begateway": "something went wrong",
}

// TestDiskIsFull: while there is no room captures are refused, in each dialect
// so that they are asked for again, and all can be read. When there is room
// again the same server, under the same keys, captures.
func TestDiskIsFull(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	s := &diskServer{t: t, folder: t.TempDir()}
	s.order("")
	s.start()
	s.full(func() { s.order("full") }, func() { s.order("") })
	s.stop()
}

// TestFileSystemIsFull is the same with a real file system, which somebody else
// has filled. It needs the right to mount one.
func TestFileSystemIsFull(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	folder := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", folder).Run() })
	s := &diskServer{t: t, folder: folder}
	s.order("")
	s.start()
	ballast := filepath.Join(folder, "ballast")
	s.full(func() {
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, piece := range []int{1 << 16, 1 << 12, 1} {
			for chunk := make([]byte, piece); ; {
				if _, err := f.Write(chunk); err != nil {
					break
				}
			}
		}
	}, func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	})
	s.stop()
}

// full has captures asked for on a full disk, and when there is room again.
func (s *diskServer) full(fill, empty func()) {
	t := s.t
	t.Helper()
	all := s.holds("a")
	before := make([]string, len(all))
	for i, h := range all {
		before[i] = h.state(t)
	}
	fill()
	for range 3 { // however often
		for i, h := range all {
			r, err := h.Capture(t.Context(), h.id, 2000, "c", true)
			if err != nil || r.Verdict != drive.Unknown && r.Verdict != drive.InProcess || !strings.Contains(string(r.Answer), inTheMeantime[h.Name()]) {
				t.Errorf("%s: on a full disk: %s %d %s %v", h.Name(), r.Verdict, r.Status, r.Answer, err)
			}
			if now := h.state(t); now != before[i] {
				t.Errorf("%s: on a full disk what was %s is %s", h.Name(), before[i], now)
			}
		}
	}
	if status := s.readyz(); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz is %d on a full disk", status)
	}
	empty()
	for _, h := range all {
		if r, err := h.Capture(t.Context(), h.id, 2000, "c", true); err != nil || r.Verdict != drive.Done {
			t.Errorf("%s: when there is room again: %s %s %v", h.Name(), r.Verdict, r.Answer, err)
		}
		if r, err := h.Capture(t.Context(), h.id, 2000, "c", true); err != nil || r.Verdict == drive.Unknown || h.Name() != "begateway" && r.Verdict == drive.Refused {
			t.Errorf("%s: repeated: %s %s %v", h.Name(), r.Verdict, r.Answer, err)
		}
	}
	for deadline := time.Now().Add(15 * time.Second); s.readyz() != http.StatusOK; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) { // it believes for a few seconds what it has found
			t.Fatal("/readyz does not notice that there is room again")
		}
	}
}

func (s *diskServer) readyz() int {
	s.t.Helper()
	answer, err := http.Get(s.AdminURL + "/readyz")
	if err != nil {
		s.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
