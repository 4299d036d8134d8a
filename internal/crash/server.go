// Package crash kills a real server in the middle of load, again and again,
// and holds what its clients were told against what is on disk afterwards. It
// has only tests.
package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/sandbox"
)

// build builds the program once for all tests of the package.
func build(t *testing.T, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "capstan")
	command := exec.Command("go", slices.Concat([]string{"build", "-o", program}, flags, []string{"github.com/capstan-pay/capstan/cmd/capstan"})...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// server is a capstan process.
type server struct {
	command     *exec.Cmd
	Credentials sandbox.Credentials
	ended       chan error
	dying       atomic.Bool // it is being killed
}

// start starts a server on a store and waits until it is ready.
func start(t *testing.T, program, store string, options ...func(*exec.Cmd)) *server {
	t.Helper()
	return startLogging(t, program, store, os.Stderr, options...)
}

// startLogging is start for a server whose errors go elsewhere.
func startLogging(t *testing.T, program, store string, log io.Writer, options ...func(*exec.Cmd)) *server {
	t.Helper()
	s := launch(t, program, store, append(options, func(c *exec.Cmd) { c.Stderr = log })...)
	if s == nil {
		t.Fatal("the server ended before it was ready")
	}
	return s
}

// launch starts a server and returns it when it is ready, or nil when it ended
// before.
func launch(t *testing.T, program, store string, options ...func(*exec.Cmd)) *server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials.json")
	command := exec.Command(program, "serve", "--sandbox", "--store", store, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
		"--credentials-out", file, "--log-level", "error", "--public-url", "https://capstan.test") // the same after each start
	command.Stderr = os.Stderr
	for _, o := range options {
		o(command)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{command: command, ended: make(chan error, 1)}
	t.Cleanup(func() { _ = command.Process.Kill() })
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(stdout).ReadString('\n')
		line <- text
		s.ended <- command.Wait()
	}()
	select {
	case text := <-line:
		if text == "" {
			<-s.ended
			return nil
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the server is not ready after 20 s")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s.Credentials); err != nil {
		t.Fatal(err)
	}
	return s
}

// args gives the server more arguments.
func args(more ...string) func(*exec.Cmd) {
	return func(c *exec.Cmd) { c.Args = append(c.Args, more...) }
}

// env adds to the server's environment.
func env(more ...string) func(*exec.Cmd) {
	return func(c *exec.Cmd) { c.Env = append(os.Environ(), more...) }
}

// kill ends the process at once, as a power cut would.
func (s *server) kill() {
	_ = s.command.Process.Signal(syscall.SIGKILL)
	<-s.ended
}

// stop ends the process as an operator would, and wants exit code 0.
func (s *server) stop(ctx context.Context) error {
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-s.ended:
		return err
	case <-ctx.Done():
		return fmt.Errorf("still running %w", ctx.Err())
	}
}
