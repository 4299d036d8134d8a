package alipay_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/alipay"
	"github.com/capstan-pay/capstan/dialect/dialecttest"
)

// TestWire plays the transcripts. Requests are signed unless a transcript has
// headers of its own; the signature of every answer is verified, so that the
// transcripts need not show it.
func TestWire(t *testing.T) {
	dialecttest.Play(t, "testdata", dialecttest.Options{Prepare: sign, Check: verifyReply, Hide: hideTokens, Ignore: []string{"signature"}})
}

var tokens = regexp.MustCompile(`"(accessToken|refreshToken)":"\w{64,66}"`)

// hideTokens hides the tokens of an answer, which are random.
func hideTokens(body []byte) []byte { return tokens.ReplaceAll(body, []byte(`"$1":"..."`)) }

// TestWireSigned plays a few with the signature as it travels.
func TestWireSigned(t *testing.T) {
	dialecttest.Play(t, "testdata-signed", dialecttest.Options{Prepare: sign, Check: verifyReply})
}

// requestTime is when requests are sent that do not say.
const requestTime = "2026-01-15T12:00:00Z"

// merchant is the client of a server's default merchant.
type merchant struct {
	ClientID    string `json:"client_id"`
	KeyVersion  string `json:"key_version"`
	PrivateKey  string `json:"merchant_private_key"`
	ServerKey   string `json:"server_public_key"`
	AccessToken string `json:"access_token"`
}

func merchantOf(credentials json.RawMessage) (m merchant, private *rsa.PrivateKey, server *rsa.PublicKey) {
	if err := json.Unmarshal(credentials, &m); err != nil {
		panic(err)
	}
	a, err := x509.ParsePKCS8PrivateKey(der(m.PrivateKey))
	if err != nil {
		panic(err)
	}
	b, err := x509.ParsePKIXPublicKey(der(m.ServerKey))
	if err != nil {
		panic(err)
	}
	return m, a.(*rsa.PrivateKey), b.(*rsa.PublicKey)
}

func der(text string) []byte {
	block, _ := pem.Decode([]byte(text))
	return block.Bytes
}

// sign adds the headers of a signed request, those that a transcript lacks.
func sign(s *capstantest.Server, r *dialecttest.Request) {
	if !alipay.Owns(uri(r.Target)) {
		return
	}
	m, private, _ := merchantOf(s.Credentials.Alipay)
	r.Add("Client-Id", m.ClientID)
	r.Add("Request-Time", requestTime)
	r.Add("Content-Type", "application/json; charset=UTF-8")
	if r.Has("Signature") {
		return
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s\n%s.%s.%s", r.Method, uri(r.Target), value(r, "Client-Id"), value(r, "Request-Time"), r.Body))
	raw, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	r.Add("Signature", "algorithm=RSA256, keyVersion=1, signature="+url.QueryEscape(base64.StdEncoding.EncodeToString(raw)))
}

func value(r *dialecttest.Request, name string) string {
	for _, h := range r.Header {
		if strings.EqualFold(h[0], name) && h[1] != "-" {
			return h[1]
		}
	}
	return ""
}

// uri is the path and query of a target.
func uri(target string) string {
	if _, rest, absolute := strings.Cut(target, "://"); absolute {
		return rest[strings.IndexByte(rest, '/'):]
	}
	return target
}

// verifyReply holds a reply against what every client relies on: status, header
// names in lower case, and the signature with the server's key.
func verifyReply(s *capstantest.Server, r *dialecttest.Request, header [][2]string, body []byte) error {
	if !alipay.Owns(uri(r.Target)) {
		return nil
	}
	got := map[string]string{}
	for _, h := range header {
		if lower := strings.ToLower(h[0]); lower != h[0] && (strings.Contains(lower, "signature") || strings.Contains(lower, "response-time")) {
			return fmt.Errorf("header %s must be in lower case", h[0])
		}
		if _, twice := got[h[0]]; twice {
			return fmt.Errorf("header %s is there twice", h[0])
		}
		got[h[0]] = h[1]
	}
	for _, name := range []string{"content-type", "client-id", "response-time", "signature"} {
		if _, ok := got[name]; !ok {
			return fmt.Errorf("no header %s", name)
		}
	}
	encoded, ok := strings.CutPrefix(got["signature"], "algorithm=RSA256, keyVersion=1, signature=")
	if !ok || strings.ContainsAny(encoded, "+/=") {
		return errors.New("the signature does not have its form")
	}
	text, err := url.QueryUnescape(encoded) // as the Go SDK does
	if err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	_, _, server := merchantOf(s.Credentials.Alipay)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s\n%s.%s.%s", r.Method, uri(r.Target), got["client-id"], got["response-time"], body))
	return rsa.VerifyPKCS1v15(server, crypto.SHA256, sum[:], raw)
}
