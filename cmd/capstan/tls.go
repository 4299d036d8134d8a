package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// certificate is the server's certificate as it stands in its files. It is
// read again on SIGHUP, and when the files have changed, so that connections
// from then on get the new one; those that are open stay. While the files
// cannot be read, or do not belong together, the last good one is used.
type certificate struct {
	cert, key string
	logger    *slog.Logger
	current   atomic.Pointer[pair]
}

// pair is what the files held.
type pair struct {
	certPEM, keyPEM []byte
	tls.Certificate
}

// lookAgain is how often the files are looked at.
const lookAgain = 10 * time.Second

func openCertificate(cert, key string, logger *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, logger: logger}
	_, err := c.read()
	return c, err
}

// read reads the files and tells whether they had changed.
func (c *certificate) read() (changed bool, err error) {
	p := &pair{}
	if p.certPEM, err = os.ReadFile(c.cert); err != nil {
		return false, err
	}
	if p.keyPEM, err = os.ReadFile(c.key); err != nil {
		return false, err
	}
	if old := c.current.Load(); old != nil && bytes.Equal(old.certPEM, p.certPEM) && bytes.Equal(old.keyPEM, p.keyPEM) {
		return false, nil
	}
	if p.Certificate, err = tls.X509KeyPair(p.certPEM, p.keyPEM); err != nil {
		return false, err
	}
	c.current.Store(p)
	return true, nil
}

// watch reads the files again when it has to, until ctx ends.
func (c *certificate) watch(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	failed := ""
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			asked = true
		case <-tick.C:
		}
		changed, err := c.read()
		switch {
		case err != nil && (asked || err.Error() != failed):
			failed = err.Error()
			c.logger.Error("certificate cannot be read, the last good one is used", "error", err)
		case err == nil && (asked || changed):
			failed = ""
			c.logger.Info("certificate read", "changed", changed)
		}
	}
}

// over returns a listener that speaks TLS on another.
func (c *certificate) over(l net.Listener) net.Listener {
	if c == nil {
		return l
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &c.current.Load().Certificate, nil },
	})
}
