// Command perf measures a Capstan server against the machine it runs on, and
// prints ratios that can be compared with another machine's: everything is
// measured in one run, in interleaved rounds, with the same load generator on
// the same cores. docs/performance.md says what is measured and how.
//
//	go run ./internal/perf -write docs/performance.md
//	go run ./internal/perf -cpuprofile cpu.pprof -rounds 1
//	go run ./internal/perf -short
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// settings are the flags.
type settings struct {
	rounds     int
	seconds    float64
	holds      int
	wait       time.Duration
	million    bool
	short      bool
	database   bool
	flood      bool
	signatures bool
	profile    string
	write      string
	capstan    string
	folder     string
	noopAddr   string
}

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 3, "rounds; the median of each measurement counts")
	flag.Float64Var(&s.seconds, "seconds", 4, "time for the captures of one measurement")
	flag.IntVar(&s.holds, "holds", 120_000, "payments of one measurement of the server")
	flag.DurationVar(&s.wait, "wait", 20*time.Second, "how long to wait, before each measurement, for other processes to pause; 0 also takes every measurement as it comes")
	flag.BoolVar(&s.million, "million", false, "capture a million payments more and see what memory does")
	flag.BoolVar(&s.short, "short", false, "a few seconds of everything; fails on any error, never on a time")
	flag.BoolVar(&s.database, "postgres", false, "measure PostgreSQL alone, and write nothing")
	flag.BoolVar(&s.flood, "overload", false, "measure overload alone, and write nothing")
	flag.BoolVar(&s.signatures, "signatures", false, "measure alipay against RSA signatures alone, and write nothing")
	flag.StringVar(&s.profile, "cpuprofile", "", "write a CPU profile of the server under 64 connections to this file")
	flag.StringVar(&s.write, "write", "", "rewrite the table in this document")
	flag.StringVar(&s.capstan, "capstan", "", "a capstan that is built already")
	flag.StringVar(&s.folder, "dir", "", "where to put the stores; default: a new folder below the system's for temporary files")
	flag.StringVar(&s.noopAddr, "noop", "", "internal: be the no-op server on this address")
	flag.Parse()
	if s.noopAddr != "" {
		fmt.Fprintln(os.Stderr, serveNoop(s.noopAddr))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "perf:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if s.short {
		s.rounds, s.seconds, s.holds, s.wait = 1, 0.4, 2_000, 0
	}
	folder, err := os.MkdirTemp(s.folder, "capstan-perf-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if s.capstan == "" {
		s.capstan = filepath.Join(folder, "capstan")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", s.capstan, "github.com/capstan-pay/capstan/cmd/capstan")
		build.Env, build.Stderr = append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build capstan: %w", err)
		}
	}
	if s.database {
		m := &measurements{settings: s}
		err := m.measurePostgres(ctx, folder)
		fmt.Print(m.postgres.report())
		return err
	}
	if s.flood {
		m := &measurements{settings: s}
		err := m.measureOverload(ctx, folder)
		fmt.Print(reportOverload(m.overloads))
		return err
	}
	if s.signatures {
		m := &measurements{settings: s, samples: map[string][]sample{}}
		err := m.measureSigning(ctx, folder)
		fmt.Print(m.reportSigning())
		return err
	}
	m, err := measure(ctx, s, folder)
	if err != nil {
		return err
	}
	text := m.report()
	fmt.Print("\n", text)
	if s.write != "" && !s.short {
		if err := rewrite(s.write, text); err != nil {
			return err
		}
	}
	if m.errors > 0 {
		return fmt.Errorf("%d of the answers were not a first, successful capture", m.errors)
	}
	return nil
}

// duration is how long the captures of one measurement may take.
func (s settings) duration() time.Duration { return time.Duration(s.seconds * float64(time.Second)) }
