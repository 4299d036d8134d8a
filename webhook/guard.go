package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

// ErrTarget is wrapped by the errors for targets that are not permitted.
var ErrTarget = errors.New("webhook: target not permitted")

// Resolver looks names up; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Guard says where messages may be sent: over http and https to addresses of
// the public Internet. It dials the very addresses that it has checked, so what
// a name stands for a moment later does not count, and it knows no proxy.
type Guard struct {
	// Allow are addresses that are permitted besides the public ones: those of
	// the machine itself in a sandbox, or an operator's own network. On them
	// every port is.
	Allow []netip.Prefix

	Resolver Resolver // nil is the machine's
	Dialer   net.Dialer
}

// Loopback are the addresses of the machine itself.
func Loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// reserved are the addresses of no public host: those of IANA's registries for
// special purposes, and what clouds answer on. Of IPv6 only 2000::/3 and NAT64's
// own prefix are public at all, so the list has only what is in those.
var reserved = parse(
	"0.0.0.0/8",        // this network
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // between a carrier and its customers; clouds' metadata too
	"127.0.0.0/8",      // loopback
	"169.254.0.0/16",   // link-local; clouds' metadata
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments; clouds' metadata
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, broadcast
	"168.63.129.16/32", // a cloud's own, though it looks public

	"2001::/23",     // protocol assignments, Teredo
	"2001:db8::/32", // documentation
	"3fff::/20",     // documentation
)

func parse(prefixes ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(prefixes))
	for i, p := range prefixes {
		parsed[i] = netip.MustParsePrefix(p)
	}
	return parsed
}

// lowPorts are those below 1024 that are permitted.
var lowPorts = map[uint16]bool{80: true, 443: true}

// Permits tells whether messages may be sent to an address and port.
func (g *Guard) Permits(to netip.AddrPort) bool {
	a := to.Addr().WithZone("").Unmap()
	if to.Port() == 0 {
		return false
	}
	for _, p := range g.Allow {
		if p.Contains(a) {
			return true
		}
	}
	return to.Addr().Zone() == "" && (to.Port() >= 1024 || lowPorts[to.Port()]) && public(a)
}

// public tells whether an address is one of a host on the public Internet, and
// so is the one that it carries, if it does.
func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.Is6() && !global6.Contains(a) && !nat64.Contains(a) {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	inner, carries := carried(a)
	return !carries || public(inner)
}

var (
	global6   = netip.MustParsePrefix("2000::/3")
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// carried returns the IPv4 address that an IPv6 address carries.
func carried(a netip.Addr) (netip.Addr, bool) {
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case a.Is6() && b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP
		return netip.AddrFrom4([4]byte(b[12:])), true
	}
	return netip.Addr{}, false
}

// anyPublic stands for an address that is not known yet.
var anyPublic = netip.AddrFrom4([4]byte{1, 1, 1, 1})

// Check says what is wrong with a URL as a target, as far as can be said
// without looking its name up.
func (g *Guard) Check(target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return fmt.Errorf("%w: not a URL", ErrTarget)
	}
	port := uint16(80)
	switch {
	case u.Scheme == "https":
		port = 443
	case u.Scheme != "http":
		return fmt.Errorf("%w: neither http nor https", ErrTarget)
	}
	if u.Hostname() == "" || u.Opaque != "" {
		return fmt.Errorf("%w: no host", ErrTarget)
	}
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return fmt.Errorf("%w: no such port", ErrTarget)
		}
		port = uint16(n)
	}
	a, err := netip.ParseAddr(u.Hostname())
	if err != nil { // a name: its addresses are looked at when it is dialled
		if len(g.Allow) > 0 {
			return nil
		}
		a = anyPublic
	}
	if !g.Permits(netip.AddrPortFrom(a, port)) {
		return fmt.Errorf("%w: its address or port", ErrTarget)
	}
	return nil
}

// dial looks a name up, checks what it stands for and dials just that. A name
// of which one address is not permitted is not dialled at all.
func (g *Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%w: no such port", ErrTarget)
	}
	addresses, err := g.look(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, a := range addresses {
		if !g.Permits(netip.AddrPortFrom(a, uint16(port))) {
			return nil, fmt.Errorf("%w: its address or port", ErrTarget)
		}
	}
	var failed error
	for _, a := range addresses {
		conn, err := g.Dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(a.Unmap(), uint16(port)).String())
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

// look returns the addresses of a host, at least one.
func (g *Guard) look(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	var r Resolver = net.DefaultResolver
	if g.Resolver != nil {
		r = g.Resolver
	}
	addresses, err := r.LookupNetIP(ctx, "ip", host)
	if err == nil && len(addresses) == 0 {
		err = &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	return addresses, err
}

// newClient is an HTTP client that goes where the guard lets it, and follows
// nobody's redirects.
func newClient(g *Guard) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            g.dial,
			Proxy:                  nil, // also not one from the environment
			TLSHandshakeTimeout:    10 * time.Second,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 32 << 10,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
