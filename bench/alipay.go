package bench

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

type alipayCredentials struct {
	ClientID    string `json:"client_id"`
	KeyVersion  string `json:"key_version"`
	PrivateKey  string `json:"merchant_private_key"`
	AccessToken string `json:"access_token"`
}

// alipay speaks the wallet API: JSON bodies, every request signed with the
// merchant's RSA key (alipay sections 1.3 to 1.6).
//
// One signature costs more than all else a capture does, on either side. The
// captures are therefore signed in the untimed phase, together with the
// authorizations: while the clock runs, only the server signs and verifies,
// and the generator does not take its CPU. The generator does not verify the
// server's signatures.
type alipay struct {
	setup
	key    *rsa.PrivateKey
	now    string
	tokens []string // of wallet users, so that no user's balance is a hot row
}

const (
	walletUsers = 16 // per merchant, at most
	alipayPay   = "/v2/payments/pay"
	alipayTake  = "/v2/payments/capture"
)

func newAlipay(ctx context.Context, s setup) (dialect, error) {
	key, err := parsePrivateKey(s.credentials.Alipay.PrivateKey)
	if err != nil {
		return nil, err
	}
	d := &alipay{setup: s, key: key, now: time.Now().UTC().Format("2006-01-02T15:04:05Z")}
	type balance struct {
		Currency string `json:"currency"`
		Value    string `json:"value"`
	}
	for range min(walletUsers, s.payments) {
		var user struct {
			AccessToken string `json:"access_token"`
		}
		in := map[string]any{"merchant": s.credentials.Merchant, "balance": balance{"USD", "100000000000000"}}
		if err := s.target.control(ctx, "/_sandbox/wallet/users", in, &user); err != nil {
			return nil, fmt.Errorf("create a wallet user: %w", err)
		}
		d.tokens = append(d.tokens, user.AccessToken)
	}
	return d, nil
}

func (d *alipay) authorize(b []byte, n int) ([]byte, error) {
	body := `{"productCode":"AGREEMENT_PAYMENT","paymentRequestId":"` + d.name("a", n) +
		`","paymentAmount":{"value":"` + amount + `","currency":"USD"},"paymentMethod":{"paymentMethodType":"BALANCE","paymentMethodId":"` +
		d.tokens[n%len(d.tokens)] + `"},"paymentFactor":{"isAuthorizationPayment":true}}`
	return d.post(b, alipayPay, body)
}

func (d *alipay) capture(b []byte, n int, held answer) ([]byte, bool, error) {
	id := member(held.body, "paymentId")
	if held.status != 200 || len(id) == 0 || string(member(held.body, "resultStatus")) != "S" {
		return b, false, nil
	}
	body := `{"captureRequestId":"` + d.name("c", n) + `","paymentId":"` + string(id) +
		`","captureAmount":{"value":"` + amount + `","currency":"USD"}}`
	b, err := d.post(b, alipayTake, body)
	return b, err == nil, err
}

func (d *alipay) captured(a answer) bool {
	return a.status == 200 && string(member(a.body, "resultStatus")) == "S"
}

func (d *alipay) busy(a answer) bool {
	return (a.status == 200 || a.status == 503) && string(member(a.body, "resultCode")) == "UNKNOWN_EXCEPTION"
}

func (d *alipay) problem(a answer) string { return string(member(a.body, "resultCode")) }

func (d *alipay) name(step string, n int) string { return d.run + "-" + step + strconv.Itoa(n) }

// post appends a signed request.
func (d *alipay) post(b []byte, path, body string) ([]byte, error) {
	client := d.credentials.Alipay.ClientID
	digest := sha256.Sum256([]byte("POST " + path + "\n" + client + "." + d.now + "." + body))
	signature, err := rsa.SignPKCS1v15(nil, d.key, crypto.SHA256, digest[:])
	if err != nil {
		return b, errors.New("alipay: a request cannot be signed with the merchant's key")
	}
	b = append(b, "POST "+path+" HTTP/1.1\r\nHost: "+d.target.host+"\r\nContent-Type: application/json; charset=UTF-8\r\nClient-Id: "+
		client+"\r\nRequest-Time: "+d.now+"\r\nSignature: algorithm=RSA256, keyVersion="+d.credentials.Alipay.KeyVersion+", signature="...)
	b = append(b, url.QueryEscape(base64.StdEncoding.EncodeToString(signature))...)
	b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), int64(len(body)), 10)
	return append(append(b, "\r\n\r\n"...), body...), nil
}

// parsePrivateKey reads PKCS#8 in PEM. Its errors quote nothing of the key.
func parsePrivateKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the credentials have no private key for alipay")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("the private key for alipay is not an RSA key in PKCS#8")
	}
	return key, nil
}
