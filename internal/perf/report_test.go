package main

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{7}, 7}, {[]float64{9, 1}, 5}, {[]float64{3, 9, 1}, 3}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.of); got != c.want {
			t.Errorf("median of %v is %v, not %v", c.of, got, c.want)
		}
	}
}

func TestBetween(t *testing.T) {
	const text = "# Title\n" + beginMark + "old\n" + endMark + "the end\n"
	got, err := between(text, "new\n")
	if want := "# Title\n" + beginMark + "\nnew\n\n" + endMark + "the end\n"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	again, err := between(got, "newer\n")
	if err != nil || strings.Count(again, "new") != 1 || strings.Count(again, beginMark) != 1 {
		t.Errorf("got %q, %v", again, err)
	}
	for _, broken := range []string{"", beginMark, endMark, endMark + beginMark} {
		if got, err := between(broken, "new\n"); err == nil {
			t.Errorf("%q becomes %q", broken, got)
		}
	}
}

// made is a measurement with figures that are easy to follow.
func made() *measurements {
	m := &measurements{settings: settings{rounds: 3}, samples: map[string][]sample{}, syncing: []float64{0.3, 0.1, 0.2}}
	for i := range 3 {
		for _, l := range loads {
			s := sample{server: 30, loader: 10, others: 0.02}
			s.PerSecond, s.P50, s.P99 = 100_000, 1, 5
			switch {
			case l.merchants > 1:
				s.PerSecond = 25_000
			case !l.noop:
				s.PerSecond, s.server, s.P99 = []float64{20_000, 10_000, 30_000}[i], 70, []float64{4, 6, 20}[i]
			}
			m.samples[l.name] = append(m.samples[l.name], s)
		}
	}
	for _, l := range signedLoads {
		s := sample{server: 1200, loader: 100 * cores} // 9 % of all cores
		s.PerSecond = 900
		if l.noop {
			s.PerSecond = 1200
		}
		m.samples[l.name] = []sample{s, s, s}
	}
	m.signing = signing{rate: []float64{1000, 2000, 1000}, cpu: []float64{900, 600, 900}}
	m.captures, m.disk = 12345, disk{500, 250}
	m.memory.end = 90 << 20
	return m
}

func TestRatios(t *testing.T) {
	got := map[string]string{}
	for _, r := range append(made().ratios(), made().signingRatios()...) {
		got[r.name] = r.format(median(r.rounds)) + " of " + r.each()
	}
	for name, want := range map[string]string{
		"intents against the no-op ceiling, 64 connections":                                                                   "0.20 of 0.20, 0.10, 0.30",
		"CPU of a capture against that of a no-op, both with the load, 64 connections":                                        "2.00 of 2.00, 2.00, 2.00",
		"one shared merchant against 50 distinct ones, 64 connections":                                                        "0.80 of 0.80, 0.40, 1.20",
		"p99 against p50, intents, 64 connections":                                                                            "6.00 of 4.00, 6.00, 20.00",
		"alipay against a server that only signs, 256 connections":                                                            "0.75 of 0.75, 0.75, 0.75",
		"alipay captures against the signatures that all cores can make, 64 connections":                                      "0.90 of 0.90, 0.45, 0.90",
		"the same, against the signatures that they can make in the time that the load generator leaves them, 64 connections": "0.99 of 0.99, 0.49, 0.99",
		"CPU of a signature against that of the server for an alipay capture, 256 connections":                                "0.75 of 0.75, 0.50, 0.75",
		"resident memory of serve after 12345 captures":                                                                       "90 MB of ",
		"bytes on disk for a capture alone, compacted":                                                                        "250 B of ",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, not %q", name, got[name], want)
		}
	}
}

func TestReport(t *testing.T) {
	m := made()
	m.errors = 2
	text := m.report()
	for _, want := range []string{
		machine(), "12345 captures in all, 2 errors", "| **0.20** | 0.20, 0.10, 0.30 | >= 0.18 | >= 0.32 |",
		"| intents, 64 connections | 20000 | 1.00 |", "signatures with all cores: 1000/s, 900 us of CPU each", "fdatasync: 0.20 ms",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

// What the kernel says of this process is believable.
func TestProcesses(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	used, all := cpuOf(os.Getpid()), cpuOfAll()
	for begin := time.Now(); cpuOf(os.Getpid())-used < 200*time.Millisecond; {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("a busy process uses no CPU")
		}
	}
	if cpuOfAll()-all < 100*time.Millisecond { // which is sampled, while a process's is counted
		t.Errorf("the machine used %s, this process alone 200ms", cpuOfAll()-all)
	}
	if n := resident(os.Getpid()); n < 1<<20 || n > 1<<40 {
		t.Errorf("resident memory is %d", n)
	}
}

// The load generator takes the no-op server's answers for successes: all the
// more, the ceiling is measured with the very same load.
func TestNoopAnswers(t *testing.T) {
	for _, status := range []string{"requires_capture", "succeeded"} {
		if text := intent(status); len(text) != answerSize || !strings.Contains(string(text), `"status": "`+status+`"`) {
			t.Errorf("%d bytes: %.100q", len(text), text)
		}
	}
}
