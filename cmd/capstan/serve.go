package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/processor/remote"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/postgres"
	"github.com/capstan-pay/capstan/telemetry"
)

type serveCommand struct {
	Listen             string            `default:"127.0.0.1:8080" help:"Where the dialects listen."`
	AdminListen        string            `default:"127.0.0.1:8081" help:"Where administration, metrics and health checks listen."`
	Store              string            `default:"capstan.db" help:"The store: a SQLite file, or postgres://... which several instances may share."`
	Keys               string            `help:"File with the sealing keys. Default: the store's name with .keys after it, made with a new store; a database has no default, but for a sandbox."`
	Sandbox            bool              `help:"Serve a sandbox: simulated processors, and controls below /_sandbox."`
	AllowRemoteSandbox bool              `help:"Let a sandbox listen on an address that is not loopback."`
	CredentialsOut     string            `placeholder:"FILE" help:"Write the sandbox's default credentials to this file."`
	Processor          map[string]string `placeholder:"NAME=URL" help:"A remote processor, repeatable: NAME is card, or a brand of cards such as visa that goes elsewhere (docs/processors.md)."`
	Dialects           []string          `help:"The dialects to serve. Default: all."`
	PublicURL          string            `name:"public-url" help:"What receipts and redirects begin with. Default: http:// and the listen address."`
	TLSCert            string            `name:"tls-cert" placeholder:"FILE" help:"Certificate for TLS 1.2 and later, on both listeners, but not on an admin listener on loopback. Read again when it changes, and on SIGHUP."`
	TLSKey             string            `name:"tls-key" placeholder:"FILE" help:"Key for TLS."`
	MaxConnections     int               `default:"8192" help:"Connections to the main listener at a time. One more takes the place of that which was silent for the longest time."`
	MaxRequests        int               `default:"2048" help:"Requests that are carried out at a time."`
	MaxWait            time.Duration     `default:"500ms" help:"How long a request may wait until it is answered, about: while more come than can be answered within this time, the rest is told to come again (docs/operations.md)."`
	LogLevel           string            `enum:"debug,info,warn,error" default:"info" help:"Least level that is logged: debug, info, warn or error."`
	LogFormat          string            `enum:"json,text" default:"json" help:"Form of the log: json or text."`
	LogRequests        string            `enum:"failed,all,none" default:"failed" help:"Which requests are logged: those that failed, all, or none."`
	OTLPEndpoint       string            `name:"otlp-endpoint" placeholder:"URL" help:"Send traces by OTLP over HTTP to this base URL. Default: what OTEL_EXPORTER_OTLP_ENDPOINT says; without either there are none."`
	Pprof              bool              `help:"Serve Go's profiles below /debug/pprof on the admin listener."`
}

func (c serveCommand) Help() string {
	return `Every flag is also an environment variable: CAPSTAN_LISTEN, CAPSTAN_STORE, ... Without --sandbox it is live mode: make a
merchant and an administrator's key first (capstan merchant create, capstan key create --admin).

Examples:
  capstan serve --sandbox --credentials-out credentials.json
  capstan serve --store /var/lib/capstan/capstan.db --keys /etc/capstan/keys.json \
      --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem --public-url https://pay.example.com
  capstan serve --processor card=https://acquirer.example.com --processor amex=https://amex.example.com
  capstan serve --store 'postgres://capstan@db1,db2/capstan?target_session_attrs=read-write' --keys /etc/capstan/keys.json`
}

// Once it is told to stop, the server has drain to answer the requests that it
// has read, and closing to commit what they left. Whoever has not sent his
// request by then is cut off: nothing of it was taken.
const (
	drain   = 6 * time.Second
	closing = 3 * time.Second
)

// Run serves until the context ends, then answers what was taken and returns.
func (c serveCommand) Run(o *output) error {
	if err := c.check(); err != nil {
		return err
	}
	private()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // most of what is allocated lives for one request
	}
	s, err := c.start(o)
	if err != nil {
		return err
	}
	if err := c.ready(o, s); err != nil {
		return errors.Join(err, s.stop())
	}
	select {
	case <-o.Done():
		return s.stop()
	case err := <-s.failed:
		_ = s.main.Close()
		return err
	}
}

func (c serveCommand) check() error {
	for _, name := range c.Dialects {
		if !slices.Contains(capstan.Dialects(), name) {
			return usageError(fmt.Sprintf("unknown dialect %q: there are %v", name, capstan.Dialects()))
		}
	}
	if err := c.checkAddresses(); err != nil {
		return err
	}
	for name, at := range c.Processor {
		if name != strings.ToLower(name) || name == "" {
			return usageError(fmt.Sprintf("--processor %s=...: its name is card, or a brand of cards in small letters", name))
		}
		if _, err := remote.New(remote.Config{Name: name, URL: at}); err != nil {
			return usageError("--processor: " + err.Error())
		}
	}
	switch {
	case c.MaxConnections < 1 || c.MaxRequests < 1 || c.MaxWait <= 0:
		return usageError("--max-connections, --max-requests and --max-wait must be more than nothing")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return usageError("--tls-cert and --tls-key go together")
	case c.Pprof && !c.Sandbox && !loopback(c.AdminListen):
		return usageError("--pprof has no authentication: in live mode it wants --admin-listen on loopback")
	case c.CredentialsOut != "" && !c.Sandbox:
		return usageError("--credentials-out goes with --sandbox")
	case onPostgres(c.Store) && c.Keys == "" && !c.Sandbox:
		_, err := sealingKeys(context.Background(), c.Store, c.Keys, c.Sandbox, nil)
		return err
	}
	if c.Sandbox && !c.AllowRemoteSandbox {
		for _, address := range []string{c.Listen, c.AdminListen} {
			if !loopback(address) {
				return usageError(fmt.Sprintf("a sandbox has no authentication on its controls: %s is not loopback (see --allow-remote-sandbox)", address))
			}
		}
	}
	return nil
}

func (c serveCommand) checkAddresses() error {
	for flag, address := range map[string]string{"listen": c.Listen, "admin-listen": c.AdminListen} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return usageError(fmt.Sprintf("--%s: %q is not HOST:PORT", flag, address))
		}
	}
	if c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return usageError(fmt.Sprintf("--public-url: %q is no http or https URL that addresses can begin with", c.PublicURL))
	}
	return nil
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// running is a server with its listeners.
type running struct {
	*capstan.Server
	store         store.Store
	main, admin   *http.Server
	url, adminURL string
	failed        chan error
	traces        *telemetry.Traces
}

func (c serveCommand) start(o *output) (*running, error) {
	st, err := openStore(o, c.Store)
	if err != nil {
		return nil, err
	}
	s, err := c.assemble(o, st)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return s, nil
}

func (c serveCommand) assemble(o *output, st store.Store) (*running, error) {
	sealing, err := sealingKeys(o, c.Store, c.Keys, c.Sandbox, st)
	if err != nil {
		return nil, err
	}
	logger := c.logger(o)
	var certificate *certificate
	if c.TLSCert != "" {
		if certificate, err = openCertificate(c.TLSCert, c.TLSKey, logger); err != nil {
			return nil, err
		}
		go certificate.watch(o)
	}
	listener, url, err := listen(c.Listen, certificate)
	own := certificate
	if err != nil {
		return nil, err
	}
	if loopback(c.AdminListen) {
		certificate = nil // nobody else is on the way, and no certificate is for this name
	}
	adminListener, adminURL, err := listen(c.AdminListen, certificate)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	var traces *telemetry.Traces
	if to := telemetry.TracesEndpoint(c.OTLPEndpoint, os.Getenv); to != "" {
		if traces, err = telemetry.NewTraces(to, version, logger); err != nil {
			return nil, errors.Join(err, listener.Close(), adminListener.Close())
		}
	}
	s := &running{store: st, traces: traces, failed: make(chan error, 4), url: url, adminURL: adminURL}
	public := strings.TrimRight(c.PublicURL, "/")
	if public == "" {
		public = s.url
	}
	s.Server, err = capstan.New(o, capstan.Config{
		Store: st, Sealing: sealing, Sandbox: c.Sandbox, Dialects: c.Dialects, PublicURL: public, BaseURL: s.url, AdminURL: s.adminURL,
		Logger: logger, Fatal: func(err error) { s.failed <- err },
		Processors: c.Processor, Admission: capstan.Admission{Connections: c.MaxConnections, Requests: c.MaxRequests, Wait: c.MaxWait},
		Version: version, LogRequests: telemetry.ParseRequests(c.LogRequests), Traces: traces,
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close(), adminListener.Close())
	}
	admin := s.Server.Admin()
	if c.Pprof {
		admin = profiled(admin)
	}
	s.main, s.admin = s.HTTP(), capstan.HTTPServer(admin)
	for _, server := range []*http.Server{s.main, s.admin} {
		server.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelWarn)
	}
	go s.serve(s.main, own.over(s.Listen(listener, own == nil)))
	go s.serve(s.admin, certificate.over(adminListener))
	return s, nil
}

// readKeys reads the key file; a store that was never served gets a new one.
func readKeys(ctx context.Context, path string, st store.Store) (keyring.Sealing, error) {
	sealing, err := keyring.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return sealing, err
	}
	sealed, err := capstan.Sealed(ctx, st)
	if err != nil {
		return keyring.Sealing{}, err
	}
	if sealed {
		return keyring.Sealing{}, fmt.Errorf("the key file %s is missing; without it the store cannot be opened", path)
	}
	return keyring.ReadOrCreateFile(path)
}

// listen listens on an address and returns the URL of it, with TLS if there is a
// certificate. The TLS is not yet there.
func listen(address string, c *certificate) (_ net.Listener, url string, err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, "", err
	}
	if c == nil {
		return listener, "http://" + listener.Addr().String(), nil
	}
	return listener, "https://" + listener.Addr().String(), nil
}

func (c serveCommand) logger(o *output) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel))
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(o.err, options))
	}
	return slog.New(slog.NewJSONHandler(o.err, options))
}

func (s *running) serve(server *http.Server, listener net.Listener) {
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		s.failed <- err
	}
}

// ready writes the credentials, opens the gates and says so in one line.
func (c serveCommand) ready(o *output, s *running) error {
	if c.Sandbox {
		credentials, err := s.Sandboxed.Default(o)
		if err != nil {
			return err
		}
		if c.CredentialsOut != "" {
			if err := writeCredentials(c.CredentialsOut, credentials); err != nil {
				return err
			}
		}
	}
	s.Server.Ready()
	if keys, err := s.Desk().AdminKeys(o); err == nil && len(keys) == 0 && !c.Sandbox {
		c.logger(o).Warn("there is no administrator's key yet: stop the server, and make one with capstan key create --admin --name NAME")
	}
	if shared, ok := s.store.(*postgres.Store); ok {
		if risk, err := shared.AtRisk(o); err == nil && risk {
			c.logger(o).Warn("--store names several hosts, and none of them has to have a commit before it is acknowledged: " +
				"what was acknowledged last may be lost when another takes over (synchronous_standby_names is empty)")
		}
	}
	mode := "live"
	if c.Sandbox {
		mode = "sandbox"
	}
	_, err := fmt.Fprintf(o.out, "capstan %s is ready: %s on %s, admin on %s, store %s\n", version, mode, s.url, s.adminURL, shown(c.Store))
	return err
}

// writeCredentials replaces a file, mode 0600, in one step.
func writeCredentials(path string, credentials any) error {
	text, err := json.MarshalIndent(credentials, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".credentials-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if _, err := temp.Write(append(text, '\n')); err != nil {
		return errors.Join(err, temp.Close())
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// stop takes nothing more, answers what was taken, and closes the store.
func (s *running) stop() error {
	s.Server.Hurry()
	draining, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	for _, server := range []*http.Server{s.main, s.admin} {
		if server.Shutdown(draining) != nil {
			_ = server.Close()
		}
	}
	ctx, cancelClosing := context.WithTimeout(context.Background(), closing)
	defer cancelClosing()
	return errors.Join(s.Server.Close(ctx), s.traces.Close(ctx), s.store.Close())
}
