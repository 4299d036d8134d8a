// Package browser drives a real headless Chromium through the pages that payers
// see, and holds each against what every page of ours must be: no script error,
// nothing that the content security policy had to stop, nothing from elsewhere,
// nothing that has to be scrolled sideways.
package browser

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// names of Chromium, in the order tried; $CHROME goes first.
var names = []string{"chromium", "chromium-browser", "google-chrome", "chrome"}

// program returns the browser's path, empty if there is none.
func program() string {
	for _, name := range append([]string{os.Getenv("CHROME")}, names...) {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	return ""
}

// running is the one browser that all tests share; each tab is a context of its
// own in it, with its own cookies.
var running struct {
	once   sync.Once
	base   context.Context
	folder string
	stop   []context.CancelFunc
	err    error
}

func start() {
	r := &running
	if r.folder, r.err = os.MkdirTemp("", "capstan-browser-"); r.err != nil {
		return
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(program()), chromedp.UserDataDir(r.folder),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
	)
	r.stop = append(r.stop, cancel)
	r.base, cancel = chromedp.NewContext(allocator)
	r.stop = append(r.stop, cancel)
	r.err = chromedp.Do(r.base)
}

// Main runs a package's tests and ends the browser after them.
func Main(m *testing.M) {
	code := m.Run()
	for i := range running.stop {
		running.stop[len(running.stop)-1-i]()
	}
	if running.folder != "" {
		_ = os.RemoveAll(running.folder)
	}
	os.Exit(code)
}

// launch returns the running browser. Without one on the machine the test is
// skipped, or fails where CI is "true".
func launch(t *testing.T) context.Context {
	t.Helper()
	if program() == "" {
		const missing = "no Chromium here: install Debian's package chromium, or name a browser in $CHROME"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	running.once.Do(start)
	if running.err != nil {
		t.Fatalf("start the browser: %v", running.err)
	}
	return running.base
}
