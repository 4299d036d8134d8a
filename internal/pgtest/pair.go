package pgtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pair is a primary and a replica on loopback: no commit is acknowledged before
// the replica has it on its disk.
type Pair struct {
	bin     string
	primary *Server
	replica *Server
	ports   [2]string
}

// StartPair starts both.
func StartPair() (_ *Pair, err error) {
	p := &Pair{}
	if p.bin, err = binaries(); err != nil {
		return nil, err
	}
	for i := range p.ports {
		if p.ports[i], err = freePort(); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			p.Stop()
		}
	}()
	durable := []string{"fsync=on", "full_page_writes=on", "listen_addresses=127.0.0.1", "wal_level=replica", "hot_standby=on", "max_wal_senders=4"}
	p.primary, err = Start(append(durable, "port="+p.ports[0], "synchronous_standby_names=replica", "synchronous_commit=on")...)
	if err != nil {
		return nil, err
	}
	p.replica, err = startOn(p.bin, func(s *Server, data string, attributes *syscall.SysProcAttr) error {
		backup := exec.Command(filepath.Join(p.bin, "pg_basebackup"), "--pgdata", data, "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf",
			"--dbname", fmt.Sprintf("host=127.0.0.1 port=%s user=capstan application_name=replica", p.ports[0]))
		backup.SysProcAttr, backup.Dir = attributes, s.dir
		if out, err := backup.CombinedOutput(); err != nil {
			return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
		}
		return nil
	}, append(durable, "port="+p.ports[1], "synchronous_standby_names=")...)
	if err != nil {
		return nil, err
	}
	return p, p.wait(p.primary, `SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')`)
}

// URL is a connection string with both hosts that leads to the one that writes.
func (p *Pair) URL() string {
	u := url.URL{
		Scheme: "postgres", User: url.User("capstan"), Host: "127.0.0.1:" + p.ports[0] + ",127.0.0.1:" + p.ports[1], Path: "/postgres",
		RawQuery: url.Values{"target_session_attrs": {"read-write"}, "connect_timeout": {"2"}}.Encode(),
	}
	return u.String()
}

// HoldReplica has all processes of the replica stand still, or go on.
func (p *Pair) HoldReplica(still bool) error {
	pid, err := p.replica.postmaster()
	if err != nil {
		return err
	}
	children, err := childrenOf(pid)
	if err != nil {
		return err
	}
	signal := syscall.SIGCONT
	if still {
		signal = syscall.SIGSTOP
	}
	for _, process := range append(children, pid) {
		if err := syscall.Kill(process, signal); err != nil {
			return err
		}
	}
	return nil
}

// postmaster is the process that has started all others of a server.
func (s *Server) postmaster() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.Fields(string(text))[0])
}

// KillPrimary ends all processes of the primary at once, as a power cut would:
// none of them gets to do anything more.
func (p *Pair) KillPrimary() error {
	pid, err := p.primary.postmaster()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil { // it starts no others now
		return err
	}
	children, err := childrenOf(pid)
	if err != nil {
		return err
	}
	for _, child := range children {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// CrashPrimary kills one process of the primary: it ends all sessions and starts
// again from its log, with whatever commits are in it.
func (p *Pair) CrashPrimary() error {
	pid, err := p.primary.postmaster()
	if err != nil {
		return err
	}
	children, err := childrenOf(pid)
	if err != nil {
		return err
	}
	if err := syscall.Kill(children[0], syscall.SIGKILL); err != nil {
		return err
	}
	time.Sleep(100 * time.Millisecond) // it notices
	return p.primary.ready()
}

// DetachReplica has the replica hear nothing more of the primary.
func (p *Pair) DetachReplica() error {
	for _, step := range []struct {
		s     *Server
		query string
	}{
		{p.replica, `ALTER SYSTEM SET primary_conninfo = ''`}, {p.replica, `SELECT pg_reload_conf()`},
		{p.primary, `SELECT pg_terminate_backend(pid) FROM pg_stat_replication`},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		conn, err := pgx.Connect(ctx, step.s.URL())
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, step.query)
		_ = conn.Close(ctx)
		if err != nil {
			return err
		}
	}
	return p.wait(p.primary, `SELECT NOT EXISTS (SELECT FROM pg_stat_replication)`)
}

// childrenOf finds the processes that another has started.
func childrenOf(pid int) (children []int, err error) {
	processes, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, file := range processes {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				return nil, err
			}
			children = append(children, child)
		}
	}
	return children, nil
}

// Promote makes the replica the one that writes, and returns when it does.
func (p *Pair) Promote() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.replica.URL())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var promoted bool
	if err := conn.QueryRow(ctx, `SELECT pg_promote(true, 60)`).Scan(&promoted); err != nil || !promoted {
		return fmt.Errorf("promoted: %t: %w", promoted, err)
	}
	return nil
}

// Stop ends both.
func (p *Pair) Stop() {
	if p.replica != nil {
		_ = p.HoldReplica(false)
	}
	for _, s := range []*Server{p.primary, p.replica} {
		if s != nil {
			s.Stop()
		}
	}
}

func (p *Pair) wait(s *Server, query string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for {
		var yes bool
		if err := conn.QueryRow(ctx, query).Scan(&yes); err != nil || yes {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
