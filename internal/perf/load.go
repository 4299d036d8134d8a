package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/capstan-pay/capstan/bench"
)

// load is one thing that is measured in every round.
type load struct {
	name        string
	noop        bool // against the ceiling, not the server
	dialect     string
	connections int
	merchants   int
	share       float64 // of the holds that one measurement is given
}

// The loads of a round, in their order; every second round goes backward.
// Each is held against its ceiling of the same round.
var loads = []load{
	{"no-op, 64 connections", true, "intents", 64, 1, 2.5},
	{"intents, 64 connections", false, "intents", 64, 1, 1},
	{"intents, 64 connections, 50 merchants", false, "intents", 64, 50, 1},
	{"no-op, 256 connections", true, "intents", 256, 1, 2.5},
	{"intents, 256 connections", false, "intents", 256, 1, 1},
	{"no-op, 16 connections", true, "intents", 16, 1, 2.5},
	{"intents, 16 connections", false, "intents", 16, 1, 0.5},
}

// sample is one measurement.
type sample struct {
	bench.Result
	server float64 // CPU microseconds of the server per capture
	loader float64 // of the load generator
	others float64 // share of the machine that neither of them used
	disk   float64 // bytes that the server had written to the device per capture
}

// disturbed is the share of the machine that others may use before a
// measurement is made again, and again is how often it is.
const (
	disturbed = 0.05
	again     = 3
)

// take measures a load, and does it again while other processes disturb it. It
// returns the measurement that was disturbed least.
func (m *measurements) take(ctx context.Context, l load, c *child) (sample, error) {
	var best sample
	for try := range again {
		taken, err := l.once(ctx, m.settings, c)
		if err != nil {
			return sample{}, err
		}
		m.errors += taken.Errors
		if !l.noop {
			m.captures += taken.Captures
		}
		if try == 0 || taken.others < best.others {
			best = taken
		}
		if m.wait == 0 || best.others <= disturbed {
			break
		}
	}
	return best, nil
}

// once measures a load and says what came of it.
func (l load) once(ctx context.Context, s settings, c *child) (sample, error) {
	holds := max(int(float64(s.holds)*l.share), 100)
	prepared, err := bench.Prepare(ctx, bench.Options{
		Target: c.credentials.BaseURL, Credentials: c.credentials, Dialect: l.dialect,
		Connections: l.connections, Merchants: l.merchants, Payments: holds, Log: os.Stderr,
	})
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", l.name, err)
	}
	quiet(ctx, s.wait)
	pid, self := c.Process.Pid, os.Getpid()
	server, loader, all, disk, begin := cpuOf(pid), cpuOf(self), cpuOfAll(), written(pid), time.Now()
	result, err := prepared.Capture(ctx, s.duration())
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", l.name, err)
	}
	took := time.Since(begin)
	server, loader, all, disk = cpuOf(pid)-server, cpuOf(self)-loader, cpuOfAll()-all, written(pid)-disk
	out := sample{Result: result}
	if n := float64(result.Captures); n > 0 {
		out.server, out.loader, out.disk = micros(server)/n, micros(loader)/n, float64(disk)/n
	}
	out.others = max(0, float64(all-server-loader)/float64(took)/cores)
	fmt.Fprintf(os.Stderr, "  %-40s %8.0f captures/s  p50 %.2f ms  p99 %.2f ms  server %.0f us  others %.0f%%  errors %d\n",
		l.name, out.PerSecond, out.P50, out.P99, out.server, 100*out.others, out.Errors)
	return out, nil
}

// quiet waits until the machine is idle, or no longer than that.
func quiet(ctx context.Context, most time.Duration) {
	const look = 300 * time.Millisecond
	for begin := time.Now(); time.Since(begin) < most && ctx.Err() == nil; {
		busy := cpuOfAll()
		time.Sleep(look)
		if float64(cpuOfAll()-busy) < disturbed*cores*float64(look) {
			return
		}
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
