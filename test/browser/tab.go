package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take for anything.
const patience = 30 * time.Second

// Tab is a tab in a browser of its own: no cookies, nothing cached. It notes
// all that goes wrong in it; the test fails at its end if anything did that was
// not forgiven.
type Tab struct {
	t   *testing.T
	ctx context.Context

	mu      sync.Mutex
	origins map[string]bool // that were asked for anything
	status  int64           // of the last document
	faults  []string
}

// step is one thing to do in a tab.
type step = chromedp.Action[chromedp.Void]

// command is the step that sends the browser a command and wants nothing back.
func command[P any](c cdp.Command[P, cdp.Empty], params P) step {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, c, params)
		return chromedp.Void{}, err
	}
}

func screen(width, height int64, scale float64, mobile bool) step {
	return command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: scale, Mobile: mobile})
}

// Option changes how a tab looks at pages.
type Option func() []step

// Phone is a small telephone held upright.
func Phone() []step {
	return []step{screen(360, 740, 2, true), command(emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})}
}

// Dark is a reader who prefers dark pages.
func Dark() []step {
	return []step{command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})}
}

// Paper shows pages as they are printed.
func Paper() []step {
	return []step{command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})}
}

// New opens a tab. Without options it is a desktop of 1024 by 768.
func New(t *testing.T, options ...Option) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(launch(t), chromedp.WithNewBrowserContext())
	tab := &Tab{t: t, ctx: ctx, origins: map[string]bool{}}
	t.Cleanup(func() {
		cancel()
		for _, fault := range tab.faults {
			t.Errorf("in the browser: %s", fault)
		}
	})
	if err := chromedp.Listen(ctx, tab.hear); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	steps := []step{
		command(network.Enable, network.EnableParams{}), command(runtime.Enable, cdp.Empty{}), command(log.Enable, cdp.Empty{}),
		command(audits.Enable, cdp.Empty{}), screen(1024, 768, 1, false),
	}
	for _, o := range options {
		steps = append(steps, o()...)
	}
	tab.do(steps...)
	return tab
}

// do carries out steps, within the tab's patience.
func (tab *Tab) do(steps ...step) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		tab.t.Fatalf("in the browser: %v", err)
	}
}

// get carries out an action, within the tab's patience.
func get[T any](tab *Tab, a chromedp.Action[T]) T {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, a)
	if err != nil {
		tab.t.Fatalf("in the browser: %v", err)
	}
	return result
}

// hear notes what the browser tells of a page.
func (tab *Tab) hear(event any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		tab.faults = append(tab.faults, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			tab.faults = append(tab.faults, fmt.Sprintf("console: %s %v", e.Type, e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			tab.faults = append(tab.faults, fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
		}
	case *audits.EventIssueAdded:
		tab.faults = append(tab.faults, fmt.Sprintf("issue: %s %+v", e.Issue.Code, e.Issue.Details.ContentSecurityPolicyIssueDetails))
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil && u.Host != "" {
			tab.origins[u.Scheme+"://"+u.Host] = true
		}
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			tab.status = e.Response.Status
		}
	}
}

// Go opens an address and waits until it is loaded.
func (tab *Tab) Go(address string) {
	tab.t.Helper()
	tab.do(chromedp.Navigate(address), chromedp.WaitReady("body"))
}

// Click clicks what a CSS selector finds and waits for the page that follows.
func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		tab.t.Fatalf("click %s: %v", selector, err)
	}
	tab.do(chromedp.WaitReady("body"))
}

// Status is the HTTP status of the page.
func (tab *Tab) Status() int64 {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return tab.status
}

// Address is where the tab is.
func (tab *Tab) Address() string {
	tab.t.Helper()
	return get(tab, chromedp.Location())
}

// Text is what a reader sees of the page.
func (tab *Tab) Text() string {
	tab.t.Helper()
	return get(tab, chromedp.Evaluate[string](`document.body.innerText`))
}

// Shows fails the test unless the reader sees all of these texts.
func (tab *Tab) Shows(texts ...string) {
	tab.t.Helper()
	seen := tab.Text()
	for _, text := range texts {
		if !strings.Contains(seen, text) {
			tab.t.Errorf("the page does not show %q but:\n%s", text, seen)
		}
	}
}

// Fits fails the test if anything has to be scrolled sideways, or sticks out of
// the window.
func (tab *Tab) Fits() {
	tab.t.Helper()
	if out := tab.misfits(); len(out) > 0 {
		tab.t.Errorf("does not fit the window: %q", out)
	}
}

func (tab *Tab) misfits() []string {
	tab.t.Helper()
	return get(tab, chromedp.Evaluate[[]string](`[...document.querySelectorAll('*')].filter(e => {
		const r = e.getBoundingClientRect();
		return r.width > 0 && (r.right > innerWidth + 0.5 || r.left < -0.5) || e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline';
	}).map(e => e.outerHTML.slice(0, 100))`))
}

// Alone fails the test if anything came from elsewhere than one origin.
func (tab *Tab) Alone(origin string) {
	tab.t.Helper()
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for other := range tab.origins {
		if other != origin {
			tab.t.Errorf("the page asked %s for something", other)
		}
	}
}

// Shot keeps a picture of the whole page among the test's artefacts, or in the
// folder $CAPSTAN_PICTURES.
func (tab *Tab) Shot(name string) {
	tab.t.Helper()
	tab.keep(name+".png", get(tab, chromedp.FullScreenshot(100)))
}

// Print prints the page on A4 and returns the PDF, which is kept beside the
// pictures.
func (tab *Tab) Print(name string) []byte {
	tab.t.Helper()
	pdf := get(tab, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperSize{Width: 8.27, Height: 11.69}), chromedp.PDFPreferCSSPageSize()))
	tab.keep(name+".pdf", pdf)
	return pdf
}

// Forgive drops the faults that contain a text, and fails the test if there is
// none: some tests provoke them.
func (tab *Tab) Forgive(text string) {
	tab.t.Helper()
	tab.mu.Lock()
	defer tab.mu.Unlock()
	left := tab.faults[:0:0]
	for _, fault := range tab.faults {
		if !strings.Contains(fault, text) {
			left = append(left, fault)
		}
	}
	if len(left) == len(tab.faults) {
		tab.t.Errorf("no fault says %q: %q", text, tab.faults)
	}
	tab.faults = left
}

func (tab *Tab) keep(name string, content []byte) {
	tab.t.Helper()
	folder := os.Getenv("CAPSTAN_PICTURES")
	if folder == "" {
		folder = tab.t.ArtifactDir()
	}
	file := filepath.Join(folder, name)
	if err := os.WriteFile(file, content, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}
