package alipay_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

// quirk is one way in which a client that is out there sends a capture.
type quirk struct {
	name   string
	path   string // "/v2/payments/capture" if empty
	target string // what is in the request line, if it is not the path
	time   string
	body   string // with $r for captureRequestId and $p for paymentId
	encode func(string) string
	pairs  string // the signature header, with $s for its value
	header []string
}

func raw(s string) string { return s }

func base64url(s string) string {
	return strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(s), "=")
}

// quirks are what was seen of the official SDKs and of merchants' own code
// (marked K in the specification this package follows).
var quirks = []quirk{
	{name: "Content-Type twice (Go SDK)", header: []string{"Content-Type: application/json; charset=UTF-8", "Content-Type: application/json; charset=UTF-8"}},
	{name: "no Content-Type", header: []string{}},
	{name: "an empty Agent-Token (Go SDK)", header: []string{"Content-Type: application/json", "Agent-Token: "}},
	{name: "an Agent-Token where there are no agents", header: []string{"Agent-Token: whatever"}},
	{name: "text types accepted only (Java and Python SDKs)", header: []string{"Accept: text/plain,text/xml,text/javascript,text/html", "SDK-VERSION: 1.0", "Key-Version: 7"}},
	{name: "epoch milliseconds (Go and Java SDKs)", time: "1768478400000"},
	{name: "an offset without colon (PHP SDK)", time: "2026-01-15T12:00:00+0000"},
	{name: "a fraction and an odd offset", time: "2026-01-15T17:30:00.253+05:30"},
	{name: "Zulu", time: "2026-01-15T12:00:00Z"},
	{name: "an indented body (Python SDK)", body: "{\n   \"captureRequestId\": \"$r\",\n   \"paymentId\": \"$p\",\n   \"extendInfo\": \"café ✓ \\u003c1\\u003e\"\n}\n"},
	{name: "absolute form (Python SDK)", target: "https://wallet.example"},
	{name: "absolute form with a query", target: "http://wallet.example:8080", path: "/v2/payments/capture?a=%2Fb&c"},
	{name: "the path of the SDKs", path: "/ams/api/v1/payments/capture"},
	{name: "the path of the SDKs in the sandbox", path: "/ams/sandbox/api/v1/payments/capture"},
	{name: "repeated slashes (a constant of the Go SDK)", path: "/ams/api//v1///payments/capture"},
	{name: "repeated slashes in absolute form", path: "//api/open/v2//payments/capture", target: "https://wallet.example"},
	{name: "percent-encoded", encode: url.QueryEscape},
	{name: "raw base64 (merchants of several wallets)", encode: raw},
	{name: "base64url without padding", encode: base64url},
	{name: "no spaces between the pairs (SDKs)", pairs: "algorithm=RSA256,keyVersion=1,signature=$s"},
	{name: "pairs in another order", pairs: "signature=$s , keyVersion=1,algorithm=rsa256"},
	{name: "nothing but the signature", pairs: "signature=$s"},
	{name: "captureType and transit, unknown here (SDKs)", body: `{"captureRequestId":"$r","paymentId":"$p","captureType":"MANUAL","transit":{"a":[1]},"isLastCapture":"true"}`},
	{name: "nulls for what is absent", body: `{"captureRequestId":"$r","paymentId":"$p","captureAmount":null,"isLastCapture":null,"extendInfo":null}`},
}

// TestQuirks: a capture by each of them, byte by byte over a connection, is
// carried out, and the answer verifies as the SDKs verify it.
func TestQuirks(t *testing.T) {
	s := capstantest.Run(t)
	c := newShop(t, s)
	for i, q := range quirks {
		t.Run(q.name, func(t *testing.T) {
			c := *c
			c.t = t
			if q.path == "" {
				q.path = "/v2/payments/capture"
			}
			if q.body == "" {
				q.body = `{"captureRequestId":"$r","paymentId":"$p"}`
			}
			if q.time == "" {
				q.time = requestTime
			}
			if q.encode == nil {
				q.encode = url.QueryEscape
			}
			body := strings.NewReplacer("$r", fmt.Sprint("cap-", i), "$p", c.hold(fmt.Sprint("pay-", i), "")).Replace(q.body)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.stamp(request, q.path, q.time, body, q.encode)
			signature := request.Header.Get("Signature")
			if q.pairs != "" {
				_, value, _ := strings.Cut(signature, "signature=")
				signature = strings.Replace(q.pairs, "$s", value, 1)
			}
			lines := append([]string{
				"POST " + q.target + q.path + " HTTP/1.1", "Host: wallet.example", "Client-Id: " + c.ClientID, "Request-Time: " + q.time, "Signature: " + signature,
				fmt.Sprint("Content-Length: ", len(body)), "Connection: close",
			}, q.header...)
			head, answer := overWire(t, s, strings.Join(lines, "\r\n")+"\r\n\r\n"+body)
			if !strings.Contains(answer, `"resultCode":"SUCCESS"`) || !strings.Contains(answer, `"captureAmount":{"value":"1000","currency":"USD"}`) {
				t.Fatalf("%s", answer)
			}
			// As the SDKs do it: header names in lower case, taken by position.
			got := map[string]string{}
			for _, line := range head[1:] {
				name, value, _ := strings.Cut(line, ": ")
				got[name] = value
				for _, word := range []string{"signature", "response-time"} {
					if strings.Contains(line, word) && name != word {
						t.Errorf("header %q", line)
					}
				}
			}
			if head[0] != "HTTP/1.1 200 OK" || got["client-id"] != c.ClientID || got["content-type"] != "application/json; charset=UTF-8" {
				t.Errorf("%q", head)
			}
			if items := strings.Split(got["signature"], ","); len(items) != 3 || len(strings.Split(items[2], "=")) != 2 {
				t.Errorf("signature %q", got["signature"])
			}
			c.verify(http.MethodPost, q.path, got["client-id"], got["response-time"], got["signature"], []byte(answer))
		})
	}
	if got := s.Balances(t, "USD"); got["merchant"] != int64(len(quirks))*1000 || got["held"] != 0 {
		t.Errorf("books %v", got)
	}
}

// overWire sends bytes over a connection of their own and returns the lines of
// the answer's head and its body.
func overWire(t *testing.T, s *capstantest.Server, text string) (head []string, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !found {
		t.Fatalf("%q", answer)
	}
	return strings.Split(string(before), "\r\n"), string(after)
}
