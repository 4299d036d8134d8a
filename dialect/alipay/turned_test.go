package alipay

import (
	"crypto"
	"crypto/rsa"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/dialect"
)

// turnedTo is the answer to a client whose request to a target is turned away,
// and its header.
func (r *rig) turnedTo(target, client string) (dialect.TurnedAway, map[string]string) {
	got := r.TurnAway(dialect.Asked{Method: http.MethodPost, Target: target, Header: func(name string) string {
		if name == "client-id" {
			return client
		}
		return ""
	}})
	fields := map[string]string{}
	for _, f := range got.Fields {
		fields[f.Name] = f.Value
	}
	return got, fields
}

func (r *rig) later(d time.Duration) { r.clock.Advance(r.clock.Offset() + d) }

// TestTurnedAway: the answer is signed over the path and query of the request,
// whatever form its target has, and says that nothing is known.
func TestTurnedAway(t *testing.T) {
	r := newRig(t, true, nil)
	key, err := publishedServer()
	if err != nil {
		t.Fatal(err)
	}
	for target, signed := range map[string]string{
		"/v2/payments/capture":                                             "/v2/payments/capture",
		"/ams/api//v1/payments/capture?a=%2F":                              "/ams/api//v1/payments/capture?a=%2F",
		"https://wallet.example/v2/payments/capture":                       "/v2/payments/capture", // the Python SDK sends it so
		"http://wallet.example:8080//ams/api/v1/payments/pay?x=http://y/z": "//ams/api/v1/payments/pay?x=http://y/z",
	} {
		r.later(time.Second)
		got, fields := r.turnedTo(target, vectorClient)
		if got.Status != http.StatusOK || string(got.Body) != string(only(unknownException)) || fields["client-id"] != vectorClient {
			t.Fatalf("%s: %d %v %s", target, got.Status, fields, got.Body)
		}
		header, ok := parseSignature(fields["signature"])
		raw, ok2 := decodeSignature(header.value)
		sum := digest(http.MethodPost, signed, vectorClient, fields["response-time"], got.Body)
		if !ok || !ok2 || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], raw) != nil {
			t.Errorf("%s: the signature is not over %s", target, signed)
		}
	}
	if got, fields := r.turnedTo("/v2/payments/capture", ""); got.Status != http.StatusServiceUnavailable || fields["signature"] != "" {
		t.Errorf("nobody was told %d %v", got.Status, fields)
	}
}

// TestTurnedAwayIsKept: one signature serves a client and an endpoint for a
// second, and no other client or endpoint.
func TestTurnedAwayIsKept(t *testing.T) {
	r := newRig(t, true, nil)
	_, first := r.turnedTo("/v2/payments/capture", "A")
	r.later(900 * time.Millisecond)
	if _, again := r.turnedTo("/v2/payments/capture", "A"); again["signature"] != first["signature"] || again["response-time"] != first["response-time"] {
		t.Errorf("%v, first %v", again, first)
	}
	for _, other := range [][2]string{{"/v2/payments/capture", "B"}, {"/v2/payments/void", "A"}} {
		r.later(signEvery)
		if _, got := r.turnedTo(other[0], other[1]); got["signature"] == "" || got["signature"] == first["signature"] {
			t.Errorf("%v: %v", other, got)
		}
	}
	r.later(time.Second)
	if _, later := r.turnedTo("/v2/payments/capture", "A"); later["signature"] == first["signature"] || later["response-time"] == first["response-time"] {
		t.Errorf("a second later %v", later)
	}
	if got, fields := r.turnedTo("/v2/payments/capture", "C"); got.Status != http.StatusServiceUnavailable || fields["signature"] != "" || strings.Contains(string(got.Body), "\n") {
		t.Errorf("without time for a signature: %d %v", got.Status, fields)
	}
}
