package webhook

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// Addresses of the public Internet are permitted, and no others: whatever form
// they are written in, and whatever they carry.
func TestGuardAddresses(t *testing.T) {
	for text, permitted := range map[string]bool{
		"93.184.216.34": true, "1.1.1.1": true, "8.8.8.8": true, "2606:4700:4700::1111": true, "2a00:1450:4001::1": true,
		"100.63.255.255": true, "100.128.0.0": true, "172.15.255.255": true, "172.32.0.0": true, "169.253.255.255": true, "11.0.0.0": true, "9.255.255.255": true,
		"192.167.255.255": true, "192.169.0.0": true, "198.17.255.255": true, "198.20.0.0": true, "223.255.255.255": true,

		"127.0.0.1": false, "127.255.255.254": false, "::1": false,
		"10.0.0.1": false, "10.255.255.255": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "169.254.170.2": false, "100.100.100.200": false, "192.0.0.192": false, "168.63.129.16": false, "fd00:ec2::254": false, // clouds' metadata
		"100.64.0.1": false, "100.127.255.255": false,
		"0.0.0.0": false, "0.1.2.3": false, "::": false,
		"224.0.0.1": false, "239.255.255.255": false, "ff02::1": false, "ff0e::1": false, "240.0.0.1": false, "255.255.255.255": false,
		"192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false, "198.18.0.1": false, "198.19.255.255": false, "192.88.99.1": false,
		"fc00::1": false, "fdff::1": false, "fe80::1": false, "fec0::1": false, "2001:db8::1": false, "2001::1": false, "100::1": false, "3fff::1": false,
		"fe80::1%eth0": false, "2606:4700:4700::1111%eth0": false,

		// IPv4 inside IPv6: mapped, compatible, translated, NAT64, 6to4, ISATAP.
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false, "::ffff:93.184.216.34": true,
		"::127.0.0.1": false, "::93.184.216.34": false, "::ffff:0:10.0.0.1": false,
		"64:ff9b::127.0.0.1": false, "64:ff9b::10.0.0.1": false, "64:ff9b::169.254.169.254": false, "64:ff9b::93.184.216.34": true,
		"64:ff9b:1::1": false, "64:ff9b:1::93.184.216.34": false,
		"2002:7f00:1::": false, "2002:a00:1::1": false, "2002:a9fe:a9fe::1": false, "2002:5db8:d822::1": true,
		"2a00:1450::5efe:10.0.0.1": false, "2a00:1450::200:5efe:127.0.0.1": false, "2a00:1450::5efe:93.184.216.34": true,
	} {
		if got := (&Guard{}).Permits(netip.AddrPortFrom(netip.MustParseAddr(text), 443)); got != permitted {
			t.Errorf("%s is permitted: %t", text, got)
		}
	}
}

// A sandbox permits the machine's own addresses, and those only besides.
func TestGuardOfASandbox(t *testing.T) {
	g := &Guard{Allow: Loopback()}
	for text, permitted := range map[string]bool{
		"127.0.0.1:9": true, "127.8.8.8:22": true, "[::1]:8080": true, "[::ffff:127.0.0.1]:80": true, "127.0.0.1:0": false,
		"10.0.0.1:80": false, "169.254.169.254:80": false, "0.0.0.0:80": false, "[64:ff9b::127.0.0.1]:80": false, "93.184.216.34:443": true, "93.184.216.34:22": false,
	} {
		if got := g.Permits(netip.MustParseAddrPort(text)); got != permitted {
			t.Errorf("%s is permitted: %t", text, got)
		}
	}
}

func TestGuardURLs(t *testing.T) {
	for url, permitted := range map[string]bool{
		"https://shop.test/hook?a=b": true, "http://shop.test": true, "https://shop.test:8443/": true, "https://shop.test:443": true, "http://shop.test:80": true,
		"http://93.184.216.34/": true, "https://[2606:4700:4700::1111]/": true, "HTTPS://shop.test/": true,
		"https://shop.test:22/": false, "https://shop.test:25/": false, "https://shop.test:0/": false, "https://shop.test:70000/": false, "https://shop.test:1023": false, "https://shop.test:1024": true,
		"ftp://shop.test/": false, "file:///etc/passwd": false, "gopher://shop.test/": false, "shop.test/hook": false, "https:///hook": false, "https:shop.test": false, "": false, "https://[::1": false,
		"http://127.0.0.1/": false, "http://[::1]/": false, "http://169.254.169.254/latest/meta-data/": false, "http://[::ffff:10.0.0.1]/": false,
	} {
		err := (&Guard{}).Check(url)
		if (err == nil) != permitted {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && !errors.Is(err, ErrTarget) {
			t.Errorf("%q: %v does not wrap ErrTarget", url, err)
		}
	}
	if err := (&Guard{Allow: Loopback()}).Check("http://127.0.0.1:3000/hook"); err != nil {
		t.Error(err)
	}
}

// resolver says what names stand for, each time something else.
type resolver struct {
	answers [][]netip.Addr
	asked   atomic.Int64
}

func (r *resolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	n := int(r.asked.Add(1)) - 1
	return r.answers[min(n, len(r.answers)-1)], nil
}

func addresses(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

var errDialled = errors.New("dialled")

// dialled is a guard that dials nothing, and to where it would have.
func dialled(r *resolver) (*Guard, *[]string) {
	var to []string
	g := &Guard{Resolver: r}
	g.Dialer.Control = func(_, address string, _ syscall.RawConn) error {
		to = append(to, address)
		return errDialled
	}
	return g, &to
}

// A name that stands for a public address when it is checked and for another
// one a moment later is dialled at the first, and not at all the second time.
func TestRebinding(t *testing.T) {
	r := &resolver{answers: [][]netip.Addr{addresses("93.184.216.34"), addresses("127.0.0.1")}}
	g, to := dialled(r)
	if _, err := g.dial(t.Context(), "tcp", "shop.test:443"); !errors.Is(err, errDialled) {
		t.Errorf("the first time: %v", err)
	}
	if strings.Join(*to, " ") != "93.184.216.34:443" || r.asked.Load() != 1 {
		t.Errorf("dialled %v after asking %d times", *to, r.asked.Load())
	}
	if _, err := g.dial(t.Context(), "tcp", "shop.test:443"); !errors.Is(err, ErrTarget) {
		t.Errorf("the second time: %v", err)
	}
	if len(*to) != 1 {
		t.Errorf("dialled %v", *to)
	}
}

// A name of which one address is not permitted is not dialled at all.
func TestMixedAddresses(t *testing.T) {
	for _, answer := range [][]netip.Addr{addresses("93.184.216.34", "10.0.0.1"), addresses("::ffff:192.168.0.1"), addresses("64:ff9b::a00:1")} {
		g, to := dialled(&resolver{answers: [][]netip.Addr{answer}})
		if _, err := g.dial(t.Context(), "tcp", "shop.test:443"); !errors.Is(err, ErrTarget) || len(*to) > 0 {
			t.Errorf("%v: %v, dialled %v", answer, err, *to)
		}
	}
	g, to := dialled(&resolver{answers: [][]netip.Addr{addresses("93.184.216.34", "2606:4700:4700::1111")}})
	if _, err := g.dial(t.Context(), "tcp", "shop.test:443"); !errors.Is(err, errDialled) || len(*to) != 2 {
		t.Errorf("two public ones: %v, dialled %v", err, *to)
	}
	empty, _ := dialled(&resolver{answers: [][]netip.Addr{nil}})
	var dns *net.DNSError
	if _, err := empty.dial(t.Context(), "tcp", "shop.test:443"); !errors.As(err, &dns) {
		t.Errorf("no address: %v", err)
	}
}

// Numbers that some resolvers take for addresses are names here, and what they
// stand for is checked like any other.
func TestOddHosts(t *testing.T) {
	for _, host := range []string{"2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost"} {
		g, to := dialled(&resolver{answers: [][]netip.Addr{addresses("127.0.0.1")}})
		if _, err := g.dial(t.Context(), "tcp", host+":80"); !errors.Is(err, ErrTarget) || len(*to) > 0 {
			t.Errorf("%s: %v, dialled %v", host, err, *to)
		}
	}
}

// A proxy in the environment is not asked.
func TestNoProxy(t *testing.T) {
	var proxied, direct atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied.Add(1) }))
	defer proxy.Close()
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { direct.Add(1) }))
	defer target.Close()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	t.Setenv("REQUEST_METHOD", "")
	_, port, err := net.SplitHostPort(target.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(&Guard{Allow: Loopback(), Resolver: &resolver{answers: [][]netip.Addr{addresses("127.0.0.1")}}})
	response, err := client.Post("http://shop.test:"+port+"/hook", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if proxied.Load() != 0 || direct.Load() != 1 {
		t.Errorf("%d requests to the proxy, %d to the target", proxied.Load(), direct.Load())
	}
}

func FuzzGuard(f *testing.F) {
	for _, url := range []string{"https://shop.test/", "http://127.0.0.1:80", "http://[::ffff:10.0.0.1]/", "http://0x7f.1/"} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		if err := (&Guard{}).Check(url); err != nil {
			return
		}
		request, err := http.NewRequest(http.MethodPost, url, nil)
		if err != nil {
			t.Skip("no client takes it")
		}
		if a, err := netip.ParseAddr(request.URL.Hostname()); err == nil && (a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast()) {
			t.Errorf("%q is permitted", url)
		}
	})
}
