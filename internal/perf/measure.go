package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/capstan-pay/capstan/bench"
)

var cores = float64(runtime.NumCPU())

// measurements are all that one run found out.
type measurements struct {
	settings
	began    time.Time
	samples  map[string][]sample // by the name of the load, one of each round
	syncing  []float64           // milliseconds for 4 KiB and fdatasync, before each round
	captures int                 // made by the server in all
	errors   int                 // answers that were not a first, successful capture
	memory   memory
	disk     disk
	signing  signing
	postgres onPostgres

	overloads []overload
}

// memory is what the server has of it, in bytes.
type memory struct {
	fresh, end             int64 // before the first capture, after the last round
	million, millionBefore int64 // around a million captures more; 0: not measured
	millionCaptures        int
}

// disk is what payments take on it, in bytes, in a compacted store.
type disk struct {
	authorization, capture float64
}

// measure runs all rounds.
func measure(ctx context.Context, s settings, folder string) (*measurements, error) {
	m := &measurements{settings: s, began: time.Now(), samples: map[string][]sample{}}
	noop, err := startNoop(ctx)
	if err != nil {
		return nil, err
	}
	defer noop.stop()
	server, err := startServe(ctx, s.capstan, folder, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	err = m.load(ctx, noop, server)
	if err := errors.Join(err, server.stop()); err != nil {
		return nil, err
	}
	if err := m.weigh(ctx, folder); err != nil {
		return nil, err
	}
	if err := m.measureSigning(ctx, folder); err != nil {
		return nil, err
	}
	if err := m.measureOverload(ctx, folder); err != nil {
		return nil, err
	}
	return m, m.measurePostgres(ctx, folder)
}

func (m *measurements) load(ctx context.Context, noop, server *child) error {
	m.memory.fresh = resident(server.Process.Pid)
	for round := range m.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, m.rounds)
		quiet(ctx, m.wait)
		syncing, err := syncTime(filepath.Dir(m.capstan))
		if err != nil {
			return err
		}
		m.syncing = append(m.syncing, syncing)
		if err := m.takeAll(ctx, round, loads, noop, server); err != nil {
			return err
		}
	}
	m.memory.end = resident(server.Process.Pid)
	if m.profile != "" {
		if err := m.profileServer(ctx, server); err != nil {
			return err
		}
	}
	if m.million {
		return m.captureMillion(ctx, server)
	}
	return nil
}

// takeAll measures loads one after the other, in every second round backward.
func (m *measurements) takeAll(ctx context.Context, round int, loads []load, noop, server *child) error {
	order := slices.Clone(loads)
	if round%2 == 1 {
		slices.Reverse(order)
	}
	for _, l := range order {
		target := server
		if l.noop {
			target = noop
		}
		taken, err := m.take(ctx, l, target)
		if err != nil {
			return err
		}
		m.samples[l.name] = append(m.samples[l.name], taken)
	}
	return nil
}

// captureMillion captures a million payments more and looks at the memory
// before and after.
func (m *measurements) captureMillion(ctx context.Context, server *child) error {
	m.memory.millionBefore = resident(server.Process.Pid)
	long := m.settings
	long.holds, long.seconds = 100_000, 600
	for m.memory.millionCaptures < 1_000_000 {
		l := load{"towards a million", false, "intents", 64, 1, 1}
		taken, err := l.once(ctx, long, server)
		if err != nil {
			return err
		}
		m.errors += taken.Errors
		m.memory.millionCaptures += taken.Captures
		fmt.Fprintf(os.Stderr, "  resident %d MB\n", resident(server.Process.Pid)>>20)
	}
	m.memory.million = resident(server.Process.Pid)
	return nil
}

// profileServer takes a CPU profile while the server captures over 64
// connections. The measurement does not count.
func (m *measurements) profileServer(ctx context.Context, server *child) error {
	seconds := max(int(m.seconds), 1)
	done := make(chan error, 1)
	long := m.settings
	long.seconds = float64(seconds + 1) // the profile ends before the captures do
	long.holds = int(float64(m.holds) * long.seconds / m.seconds)
	prepared, err := bench.Prepare(ctx, bench.Options{
		Target: server.credentials.BaseURL, Credentials: server.credentials, Dialect: "intents",
		Connections: 64, Merchants: 1, Payments: long.holds, Log: os.Stderr,
	})
	if err != nil {
		return err
	}
	go func() {
		done <- download(ctx, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", server.adminURL, seconds), m.profile)
	}()
	_, err = prepared.Capture(ctx, long.duration())
	return errors.Join(err, <-done)
}

func download(ctx context.Context, url, file string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, response.Body)
	return errors.Join(err, out.Close())
}

// weigh finds what an authorization and a capture take on disk: on a store of
// its own that is compacted after all holds, and again after all captures.
func (m *measurements) weigh(ctx context.Context, folder string) error {
	folder, err := os.MkdirTemp(folder, "weigh-")
	if err != nil {
		return err
	}
	holds := min(m.holds, 50_000)
	server, err := startServe(ctx, m.capstan, folder, "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := server.credentials.BaseURL[len("http://"):]
	if err := server.stop(); err != nil {
		return err
	}
	empty, err := compacted(folder)
	if err != nil {
		return err
	}
	if server, err = startServe(ctx, m.capstan, folder, address); err != nil {
		return err
	}
	prepared, err := bench.Prepare(ctx, bench.Options{
		Target: server.credentials.BaseURL, Credentials: server.credentials, Dialect: "intents",
		Connections: 64, Merchants: 1, Payments: holds, Log: os.Stderr,
	})
	if err := errors.Join(err, server.stop()); err != nil {
		return err
	}
	held, err := compacted(folder)
	if err != nil {
		return err
	}
	if server, err = startServe(ctx, m.capstan, folder, address); err != nil {
		return err
	}
	result, err := prepared.Capture(ctx, 10*time.Minute)
	if err := errors.Join(err, server.stop()); err != nil {
		return err
	}
	taken, err := compacted(folder)
	if err != nil {
		return err
	}
	m.disk.authorization = float64(held-empty) / float64(holds)
	m.disk.capture = float64(taken-held) / float64(max(result.Captures, 1))
	return nil
}

// compacted is the size of the store in a folder without free space in it. No
// server may have it open.
func compacted(folder string) (int64, error) {
	conn, err := sqlite.OpenConn(storeFile(folder), sqlite.OpenReadOnly)
	if err != nil {
		return 0, err
	}
	file := filepath.Join(folder, "compacted.db")
	err = sqlitex.ExecuteTransient(conn, "VACUUM INTO ?", &sqlitex.ExecOptions{Args: []any{file}})
	if err := errors.Join(err, conn.Close()); err != nil {
		return 0, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return info.Size(), os.Remove(file)
}

// syncTime is the median time, in milliseconds, that 4 KiB at the end of a
// file take until they are on the device.
func syncTime(folder string) (float64, error) {
	f, err := os.CreateTemp(folder, "sync-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var took []float64
	for range 100 {
		begin := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, micros(time.Since(begin))/1000)
	}
	return median(took), nil
}

func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}
