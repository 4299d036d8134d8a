package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"github.com/capstan-pay/capstan/bench"
)

// overload is what became of three times as many captures as the server can
// make, with the server on one core and the generator on another.
type overload struct {
	dialect  string
	peaks    []bench.Result     // of each round: closed, over 256 connections
	floods   []bench.OpenResult // of the same round
	calm     []float64          // CPU microseconds of the server per capture, closed
	flooded  []float64          // and under the flood, with all refusals
	memory   int64              // resident afterwards, in bytes
	undoable string             // why it was not measured
}

// floodConnections are those of the generator while it floods: more than the
// server lets requests in.
const floodConnections = 3000

// overloads are the dialects that are flooded, and the share of the holds that
// they need.
var overloads = map[string]float64{"intents": 1, "alipay": 0.12}

// measureOverload measures each dialect with a server of its own.
func (m *measurements) measureOverload(ctx context.Context, folder string) error {
	if _, err := exec.LookPath("taskset"); err != nil || runtime.NumCPU() < 2 {
		m.overloads = append(m.overloads, overload{undoable: "it needs two cores, and Linux's taskset"})
		return nil
	}
	for _, dialect := range []string{"intents", "alipay"} {
		folder, err := os.MkdirTemp(folder, "overload-")
		if err != nil {
			return err
		}
		server, err := startServe(ctx, m.capstan, folder, "127.0.0.1:0")
		if err != nil {
			return err
		}
		o := overload{dialect: dialect}
		err = o.measure(ctx, m.settings, server)
		if err := errors.Join(err, server.stop()); err != nil {
			return err
		}
		m.overloads = append(m.overloads, o)
		for i := range o.floods {
			m.errors += o.peaks[i].Errors + o.floods[i].Errors
		}
	}
	return nil
}

// pin puts a process with all its threads on the cores of a list.
func pin(pid int, cores string) error {
	out, err := exec.Command("taskset", "-acp", cores, strconv.Itoa(pid)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("taskset: %w: %s", err, out)
	}
	return nil
}

func (o *overload) measure(ctx context.Context, s settings, server *child) error {
	last := runtime.NumCPU() - 1
	if err := errors.Join(pin(server.Process.Pid, "0"), pin(os.Getpid(), strconv.Itoa(last))); err != nil {
		return err
	}
	defer func() { _ = pin(os.Getpid(), "0-"+strconv.Itoa(last)) }()
	for range s.rounds {
		prepare := func(connections int) (*bench.Load, error) {
			load, err := bench.Prepare(ctx, bench.Options{
				Target: server.credentials.BaseURL, Credentials: server.credentials, Dialect: o.dialect, Connections: connections,
				Merchants: 1, Payments: max(int(float64(s.holds)*overloads[o.dialect]), 100), Log: os.Stderr,
			})
			if err == nil {
				quiet(ctx, s.wait)
			}
			return load, err
		}
		load, err := prepare(256)
		if err != nil {
			return err
		}
		before := cpuOf(server.Process.Pid)
		peak, err := load.Capture(ctx, s.duration())
		if err != nil {
			return err
		}
		o.calm = append(o.calm, micros(cpuOf(server.Process.Pid)-before)/float64(max(peak.Captures, 1)))
		if load, err = prepare(floodConnections); err != nil {
			return err
		}
		before = cpuOf(server.Process.Pid)
		flood, err := load.CaptureOpen(ctx, max(3*peak.PerSecond, 1), s.duration())
		if err != nil {
			return err
		}
		o.flooded = append(o.flooded, micros(cpuOf(server.Process.Pid)-before)/float64(max(flood.Captures, 1)))
		o.peaks, o.floods = append(o.peaks, peak), append(o.floods, flood)
		fmt.Fprintf(os.Stderr, "  %-40s %8.0f captures/s at %.0f a second, %.0f at most; %d refused in %.1f ms; CPU of a capture %.0f us, with refusals %.0f us\n",
			o.dialect+", three times too many", flood.PerSecond, 3*peak.PerSecond, peak.PerSecond, flood.Refused, flood.RefusedP50, o.calm[len(o.calm)-1], o.flooded[len(o.flooded)-1])
	}
	o.memory = resident(server.Process.Pid)
	return nil
}

// report writes down what was measured.
func (o overload) report() string {
	var b strings.Builder
	var ratios []float64
	var each []string
	for i := range o.floods {
		ratios = append(ratios, o.floods[i].PerSecond/o.peaks[i].PerSecond)
		each = append(each, fmt.Sprintf("%.2f", ratios[i]))
	}
	of := func(get func(int) float64) float64 {
		var all []float64
		for i := range o.floods {
			all = append(all, get(i))
		}
		return median(all)
	}
	fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.0f | **%.2f** (%s) | %.0f / %.0f | %.0f | %.0f | %.1f | %.1f | %d |\n", o.dialect,
		of(func(i int) float64 { return o.peaks[i].PerSecond }),
		of(func(i int) float64 { return float64(o.floods[i].Arrived) / o.floods[i].Seconds }),
		of(func(i int) float64 { return o.floods[i].PerSecond }), median(ratios), strings.Join(each, ", "), median(o.calm), median(o.flooded),
		of(func(i int) float64 { return o.floods[i].P50 }), of(func(i int) float64 { return o.floods[i].P99 }),
		of(func(i int) float64 { return o.floods[i].RefusedP50 }), of(func(i int) float64 { return o.floods[i].RefusedP99 }),
		o.memory>>20)
	return b.String()
}

func reportOverload(all []overload) string {
	switch {
	case len(all) == 0:
		return ""
	case all[0].undoable != "":
		return "\nOverload was not measured: " + all[0].undoable + ".\n"
	}
	var b strings.Builder
	b.WriteString("\nThree times as many captures as the server can make, the server on one core and the generator on another (goal: a share of 0.80):\n\n" +
		"| dialect | at most, closed | sent/s | captures/s | share (each round) | server CPU us per capture, closed / with refusals | p50 ms | p99 ms | refused in p50 ms | p99 ms | resident MB |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, o := range all {
		b.WriteString(o.report())
	}
	return b.String()
}
