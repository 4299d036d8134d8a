package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/bench"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/store/postgres"
)

// instances are how many servers share the database at most.
const instances = 3

// shared is a measurement of servers on one database.
type shared struct {
	instances, connections int

	perSecond, p50, p99 float64
	server              float64 // CPU microseconds of all servers per capture
	database            float64 // of PostgreSQL
	commits             float64 // transactions per capture
	errors              int
}

// sharings are what is measured in every round, beside pgbench.
var sharings = []shared{
	{instances: 1, connections: 64}, {instances: 2, connections: 64}, {instances: 3, connections: 64}, {instances: 1, connections: 256},
}

func (s shared) name() string {
	return fmt.Sprintf("%d of %d instances, %d connections", s.instances, instances, s.connections)
}

// onPostgres is what was measured on PostgreSQL, a value for each round.
type onPostgres struct {
	single []float64 // captures a second of pgbench, a transaction each
	taken  map[string][]shared
}

// measurePostgres measures servers on a PostgreSQL of their own, flushing every
// commit, against pgbench making the same writes in it.
func (m *measurements) measurePostgres(ctx context.Context, folder string) (err error) {
	database, err := pgtest.Start("fsync=on", "full_page_writes=on", "shared_buffers=512MB", "max_wal_size=4GB")
	if err != nil {
		return err
	}
	defer database.Stop()
	script, err := prepareBaseline(ctx, database, folder, m.holds)
	if err != nil {
		return fmt.Errorf("prepare pgbench: %w", err)
	}
	var servers [instances]*child
	defer func() {
		for _, s := range servers {
			if s != nil {
				err = errors.Join(err, s.stop())
			}
		}
	}()
	for i := range servers {
		if servers[i], err = startOn(ctx, m.capstan, folder, database.URL(), "127.0.0.1:0"); err != nil {
			return err
		}
	}
	m.postgres = onPostgres{taken: map[string][]shared{}}
	for round := range m.rounds {
		fmt.Fprintf(os.Stderr, "PostgreSQL, round %d of %d\n", round+1, m.rounds)
		quiet(ctx, m.wait)
		rate, err := pgbench(ctx, database, script, m.duration())
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "  %-40s %8.0f captures/s\n", "pgbench, 64 clients", rate)
		m.postgres.single = append(m.postgres.single, rate)
		for i := range sharings {
			s := sharings[i]
			if round%2 == 1 {
				s = sharings[len(sharings)-1-i]
			}
			if err := s.take(ctx, m.settings, database, servers[:s.instances]); err != nil {
				return err
			}
			m.errors += s.errors
			m.postgres.taken[s.name()] = append(m.postgres.taken[s.name()], s)
		}
	}
	return nil
}

// take measures servers that share a database, each under its part of the
// connections.
func (s *shared) take(ctx context.Context, of settings, database *pgtest.Server, servers []*child) error {
	holds := max(of.holds/2, 300)
	var loads []*bench.Load
	for _, c := range servers {
		l, err := bench.Prepare(ctx, bench.Options{
			Target: c.credentials.BaseURL, Credentials: c.credentials, Dialect: "intents",
			Connections: max(s.connections/len(servers), 1), Merchants: 1, Payments: holds / len(servers), Log: os.Stderr,
		})
		if err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
		loads = append(loads, l)
	}
	quiet(ctx, of.wait)
	before, err := usage(ctx, database, servers)
	if err != nil {
		return err
	}
	results, problems := make([]bench.Result, len(loads)), make([]error, len(loads))
	var all sync.WaitGroup
	for i, l := range loads {
		all.Go(func() { results[i], problems[i] = l.Capture(ctx, of.duration()) })
	}
	all.Wait()
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("%s: %w", s.name(), err)
	}
	after, err := usage(ctx, database, servers)
	if err != nil {
		return err
	}
	captures := 0.0
	for _, r := range results {
		captures += float64(r.Captures)
		s.perSecond += r.PerSecond
		s.errors += r.Errors
		s.p50, s.p99 = max(s.p50, r.P50), max(s.p99, r.P99)
	}
	if captures > 0 {
		s.server, s.database = micros(after.servers-before.servers)/captures, micros(after.database-before.database)/captures
		s.commits = float64(after.commits-before.commits) / captures
	}
	fmt.Fprintf(os.Stderr, "  %-40s %8.0f captures/s  p50 %.2f ms  p99 %.2f ms  servers %.0f us  PostgreSQL %.0f us  %.3f transactions a capture  errors %d\n",
		s.name(), s.perSecond, s.p50, s.p99, s.server, s.database, s.commits, s.errors)
	return nil
}

// used is what was used up to a moment.
type used struct {
	servers, database time.Duration // CPU
	commits           int64
}

func usage(ctx context.Context, database *pgtest.Server, servers []*child) (u used, err error) {
	for _, c := range servers {
		u.servers += cpuOf(c.Process.Pid)
	}
	processes, err := database.Processes()
	if err != nil {
		return u, err
	}
	for _, pid := range processes {
		u.database += cpuOf(pid)
	}
	conn, err := pgx.Connect(ctx, database.URL())
	if err != nil {
		return u, err
	}
	defer conn.Close(ctx)
	time.Sleep(1100 * time.Millisecond) // backends say how much they did once a second
	return u, conn.QueryRow(ctx, `SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()`).Scan(&u.commits)
}

// baseline is a capture as one transaction, statement by statement, with the
// writes that the store makes.
const baseline = `\set payment random(1, %d)
BEGIN;
SELECT merchant, version FROM states WHERE tenant = 1 AND payment = :payment FOR NO KEY UPDATE;
SELECT count(*) FROM events WHERE tenant = 1 AND payment = :payment;
UPDATE states SET version = version + 1, captured = captured + 1, updated_at = 1, status = 2 WHERE tenant = 1 AND payment = :payment RETURNING version \gset
INSERT INTO events (tenant, payment, at, amount, sequence, operation, kind, body, postings)
  VALUES (1, :payment, 1, 500, :version, 1, 2, '\x00112233445566778899', ARRAY[1, -500, 2, 500]::bigint[]);
INSERT INTO records (tenant, key, fingerprint, payment, at, expires, version, operation, pending, context)
  VALUES (1, gen_random_uuid(), gen_random_uuid(), :payment, 1, 2, :version, 1, false, '\x0011223344556677');
INSERT INTO balance_changes (tenant, account, minor) VALUES (1, 1, -500), (1, 2, 500);
COMMIT;
`

// prepareBaseline makes a store's tables in a schema of their own, with as many
// held payments, and returns the file with pgbench's script.
func prepareBaseline(ctx context.Context, database *pgtest.Server, folder string, payments int) (string, error) {
	conn, err := pgx.Connect(ctx, database.URL())
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `CREATE SCHEMA baseline`); err != nil {
		return "", err
	}
	s, err := postgres.Open(ctx, database.URL()+"&search_path=baseline", postgres.Options{})
	if err != nil {
		return "", err
	}
	if err := s.Close(); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, fmt.Sprintf(`SET search_path = baseline;
		INSERT INTO states (tenant, payment, merchant, updated_at, authorized, extended, captured, voided, released, refunded, version, status)
			SELECT 1, n, 1, 1, 500, 0, 0, 0, 0, 0, 1, 1 FROM generate_series(1, %[1]d) n;
		INSERT INTO events (tenant, payment, at, amount, sequence, operation, kind, postings)
			SELECT 1, n, 1, 500, 1, 0, 1, ARRAY[1, -500, 2, 500]::bigint[] FROM generate_series(1, %[1]d) n;
		ANALYZE states, events; CHECKPOINT`, payments))
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, "capture.sql")
	return file, os.WriteFile(file, fmt.Appendf(nil, baseline, payments), 0o600)
}

var tps = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

// pgbench runs the script with 64 clients and prepared statements.
func pgbench(ctx context.Context, database *pgtest.Server, script string, d time.Duration) (float64, error) {
	program, err := database.Program("pgbench")
	if err != nil {
		return 0, err
	}
	run := exec.CommandContext(ctx, program, "-n", "-M", "prepared", "-c", "64", "-j", "2", "-T", strconv.Itoa(max(int(d.Seconds()), 1)), "-f", script,
		database.URL()+"&options="+strings.ReplaceAll("-csearch_path=baseline", "=", "%3D"))
	out, err := run.CombinedOutput()
	found := tps.FindSubmatch(out)
	if err != nil || found == nil {
		return 0, fmt.Errorf("pgbench: %w\n%s", err, out)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// report writes down what was measured on PostgreSQL.
func (p onPostgres) report() string {
	if p.taken == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nOn PostgreSQL, against pgbench (64 clients, prepared statements) making the same writes, one transaction per capture:\n\n")
	against := func(name, of, goal, stretch string) ratio {
		r := ratio{name: name, goal: goal, stretch: stretch}
		for i, s := range p.taken[of] {
			r.rounds = append(r.rounds, s.perSecond/p.single[i])
		}
		return r
	}
	b.WriteString(reportRatios([]ratio{
		against("intents over HTTP, one instance, 64 connections, against pgbench", sharings[0].name(), ">= 1.5", ">= 2.5"),
		against("the same with 256 connections", sharings[3].name(), "", ""),
		against("three instances, 64 connections together, against pgbench", sharings[2].name(), "", ""),
	}))
	b.WriteString("\n| on PostgreSQL | captures/s | p50 ms | p99 ms | CPU us of the servers | CPU us of PostgreSQL | round trips of batches |\n|---|---|---|---|---|---|---|\n")
	fmt.Fprintf(&b, "| pgbench, 64 clients | %.0f | | | | | 8 |\n", median(p.single))
	for _, s := range sharings {
		of := func(get func(shared) float64) float64 {
			var all []float64
			for _, taken := range p.taken[s.name()] {
				all = append(all, get(taken))
			}
			return median(all)
		}
		fmt.Fprintf(&b, "| %s | %.0f | %.2f | %.2f | %.0f | %.0f | %.2f |\n", s.name(), of(func(s shared) float64 { return s.perSecond }),
			of(func(s shared) float64 { return s.p50 }), of(func(s shared) float64 { return s.p99 }),
			of(func(s shared) float64 { return s.server }), of(func(s shared) float64 { return s.database }), of(func(s shared) float64 { return 2 * s.commits }))
	}
	b.WriteString("\nAll per capture; a batch is two round trips and one transaction, and the few transactions of background work are counted too.\n")
	return b.String()
}
