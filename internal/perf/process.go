package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/capstan-pay/capstan/bench"
)

// child is a server in a process of its own.
type child struct {
	*exec.Cmd
	credentials bench.Credentials
	adminURL    string
}

// startUp bounds how long a server may take until it is ready.
const startUp = 30 * time.Second

// start starts a program and waits for the first line that it prints.
func start(ctx context.Context, program string, args ...string) (*child, string, error) {
	c := &child{Cmd: exec.CommandContext(ctx, program, args...)}
	c.Stderr = os.Stderr
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 15 * time.Second
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := c.Start(); err != nil {
		return nil, "", err
	}
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		line <- strings.TrimSpace(text)
	}()
	select {
	case text := <-line:
		if text != "" {
			return c, text, nil
		}
	case <-time.After(startUp):
	}
	return nil, "", errors.Join(fmt.Errorf("%s did not get ready", filepath.Base(program)), c.stop())
}

// stop ends the process and waits for it.
func (c *child) stop() error {
	_ = c.Process.Signal(syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case err := <-done:
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == -1 { // by the signal: the no-op server has no handler
			return nil
		}
		return err
	case <-time.After(c.WaitDelay):
		return errors.Join(errors.New("the server does not stop"), c.Process.Kill())
	}
}

// startNoop starts the no-op server.
func startNoop(ctx context.Context) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c, url, err := start(ctx, self, "-noop", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if c.credentials, err = bench.ParseCredentials(fmt.Appendf(nil, `{"base_url":%q,"intents":{"secret_key":"sk_test_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"}}`, url)); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// startServe starts capstan on the store in a folder.
func startServe(ctx context.Context, program, folder, listen string) (*child, error) {
	return startOn(ctx, program, folder, storeFile(folder), listen)
}

// startOn starts capstan on a store.
func startOn(ctx context.Context, program, folder, store, listen string) (*child, error) {
	file := filepath.Join(folder, "credentials.json")
	c, _, err := start(ctx, program, "serve", "--sandbox", "--listen", listen, "--admin-listen", "127.0.0.1:0",
		"--store", store, "--credentials-out", file, "--log-level", "warn", "--pprof")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err == nil {
		c.credentials, err = bench.ParseCredentials(text)
	}
	if err != nil {
		return nil, errors.Join(err, c.stop())
	}
	if _, after, ok := bytes.Cut(text, []byte(`"admin_url": "`)); ok {
		admin, _, _ := bytes.Cut(after, []byte(`"`))
		c.adminURL = string(admin)
	}
	return c, nil
}

func storeFile(folder string) string { return filepath.Join(folder, "capstan.db") }
