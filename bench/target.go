package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// target is the server under load.
type target struct {
	host    string // as the Host header names it
	address string // where to dial: a loopback IP and a port
}

// parseTarget reads a URL and refuses any host that is not this machine.
func parseTarget(text string) (target, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "":
		return target{}, fmt.Errorf("target %q must be a URL such as http://127.0.0.1:8080", text)
	case u.Scheme != "http":
		return target{}, fmt.Errorf("target %q: only plain http is measured", text)
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = "80"
	}
	ip := net.ParseIP(host)
	if host == "localhost" {
		ip = net.IPv4(127, 0, 0, 1)
	}
	if ip == nil || !ip.IsLoopback() {
		return target{}, fmt.Errorf("target %q is not on a loopback address: the load is for a sandbox on this machine", text)
	}
	return target{host: u.Host, address: net.JoinHostPort(ip.String(), port)}, nil
}

// control calls a sandbox control and decodes its answer into out.
func (t target) control(ctx context.Context, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+t.address+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: %s (is it a sandbox?)", path, response.Status)
	}
	if json.Unmarshal(text, out) != nil {
		return fmt.Errorf("POST %s: the answer is not what was expected", path) // the cause might quote a secret
	}
	return nil
}

// patience is how long one answer may take.
const patience = 30 * time.Second

// merchants returns the credentials to use: those given, or of n fresh
// merchants.
func (t target) merchants(ctx context.Context, given Credentials, n int) ([]Credentials, error) {
	if n == 1 {
		return []Credentials{given}, nil
	}
	all := make([]Credentials, n)
	for i := range all {
		if err := t.control(ctx, "/_sandbox/merchants", struct{}{}, &all[i]); err != nil {
			return nil, fmt.Errorf("create a merchant: %w", err)
		}
	}
	return all, nil
}
