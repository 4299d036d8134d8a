package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/capstan-pay/capstan"
)

// answerSize is what a PaymentIntent of the server takes, about.
const answerSize = 2 << 10

// serveNoop is the ceiling: net/http with the server's own settings, which
// reads a request and answers two kilobytes that it has ready, or for alipay as
// much as that says, and signed. It does nothing else, so nothing built on
// net/http can be faster under the same load.
func serveNoop(address string) error {
	debug.SetGCPercent(400) // as serve does
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	held, taken := intent("requires_capture"), intent("succeeded")
	key := newSigningKey()
	fmt.Printf("http://%s\n", listener.Addr())
	return capstan.HTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			w.Header()["signature"] = []string{"algorithm=RSA256, keyVersion=1, signature=" + sign(key, []byte(wallet))}
			_, _ = io.WriteString(w, wallet)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/capture") {
			_, _ = w.Write(taken)
		} else {
			_, _ = w.Write(held)
		}
	})).Serve(listener)
}

// wallet is an answer of alipay's that the load generator takes for a success of
// whatever it asked for.
const wallet = `{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success."},` +
	`"captureId":"202601150000000000000000000000000000000000000000","captureTime":"2026-01-15T12:00:00Z",` +
	`"paymentId":"202601150000000000000000000000000000000000000000","access_token":"token"}`

// intent is an answer that the load generator takes for a success.
func intent(status string) []byte {
	const head = "{\n  \"id\": \"pi_0123456789abcdefghijklmn\",\n  \"object\": \"payment_intent\",\n  \"status\": %q,\n  \"description\": \""
	text := fmt.Sprintf(head, status)
	return []byte(text + strings.Repeat("x", answerSize-len(text)-4) + "\"\n}\n")
}
