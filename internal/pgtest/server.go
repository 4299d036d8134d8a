package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL server on a Unix socket in a folder of its own. It
// ends when Stop is called, or with this process.
type Server struct {
	dir   string
	port  string    // empty is the usual one
	alive io.Closer // while it is open
	ended chan error
}

// settings are those of a server that need not survive a power cut: it is as
// durable as its processes, and a test that kills those sets fsync itself.
var settings = []string{
	"listen_addresses=", "max_connections=300", "shared_buffers=128MB", "fsync=off", "synchronous_commit=on", "full_page_writes=off",
	"autovacuum_naptime=5s", "max_wal_size=1GB", "log_min_messages=fatal", "log_min_error_statement=panic", "timezone=UTC", "deadlock_timeout=100ms",
}

// Start makes a database cluster and starts a server for it. Settings, such as
// "fsync=on", come after those of tests in general and override them.
func Start(override ...string) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	return startOn(bin, func(_ *Server, data string, attributes *syscall.SysProcAttr) error {
		return cluster(bin, data, attributes)
	}, override...)
}

// startOn starts a server on what fill has put into its folder.
func startOn(bin string, fill func(s *Server, data string, attributes *syscall.SysProcAttr) error, override ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "capstan-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, ended: make(chan error, 1)}
	if err := s.start(bin, fill, override); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

func (s *Server) start(bin string, fill func(*Server, string, *syscall.SysProcAttr) error, override []string) error {
	attributes, err := ordinary(s.dir)
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	if err := fill(s, data, attributes); err != nil {
		return err
	}
	arguments := []string{"-c", script, "sh", s.dir, filepath.Join(bin, "postgres"), "-D", data, "-k", s.dir}
	for _, setting := range slices.Concat(settings, override) {
		arguments = append(arguments, "-c", setting)
	}
	server := exec.Command("sh", arguments...)
	server.SysProcAttr, server.Dir = attributes, s.dir
	if s.alive, err = server.StdinPipe(); err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	for _, setting := range override {
		if port, ok := strings.CutPrefix(setting, "port="); ok {
			s.port = port
		}
	}
	go func() { s.ended <- server.Wait() }()
	return s.ready()
}

// script runs a server until its standard input ends, and cleans up.
const script = `
dir=$1; shift
trap '' INT HUP
"$@" >"$dir/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
rm -rf "$dir"
`

func (s *Server) ready() error {
	var err error
	for range 200 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		var conn *pgx.Conn
		if conn, err = pgx.Connect(ctx, s.URL()); err == nil {
			err = conn.Close(ctx)
			cancel()
			return err
		}
		cancel()
		select {
		case <-s.ended:
			return errors.New("the server ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	_ = s.alive.Close()
	return fmt.Errorf("the server is not ready: %w\n%s", err, log)
}

// URL is the connection string of the server.
func (s *Server) URL() string {
	u := url.URL{Scheme: "postgres", User: url.User("capstan"), Path: "/postgres", RawQuery: url.Values{"host": {s.dir}}.Encode()}
	if s.port != "" {
		u.RawQuery += "&port=" + s.port
	}
	return u.String()
}

// Stop ends the server at once, as a crash would, and removes its folder.
func (s *Server) Stop() {
	_ = s.alive.Close()
	<-s.ended
}

// binaries finds the folder of PostgreSQL's programs: the newest there is.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/opt/homebrew/opt/postgresql*/bin/initdb", "/usr/local/pgsql/bin/initdb"} {
		paths, _ := filepath.Glob(pattern)
		found = append(found, paths...)
	}
	if len(found) == 0 {
		return "", errors.New("initdb is not installed")
	}
	slices.SortFunc(found, func(a, b string) int { return len(a) - len(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

// ordinary returns the attributes of a process that is not root's, since
// PostgreSQL refuses to be, and gives it the folder.
func ordinary(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, int(uid), int(gid))
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user to run it as")
}
