package drive

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

type alipay struct {
	wire
	clientID, keyVersion, token string
	private                     *rsa.PrivateKey
	server                      *rsa.PublicKey
}

func newAlipay(w wire, credentials json.RawMessage) (Client, error) {
	var c struct {
		ClientID   string `json:"client_id"`
		KeyVersion string `json:"key_version"`
		PrivateKey string `json:"merchant_private_key"`
		ServerKey  string `json:"server_public_key"`
		Token      string `json:"access_token"`
	}
	if err := json.Unmarshal(credentials, &c); err != nil {
		return nil, err
	}
	private, public := decodePEM(c.PrivateKey), decodePEM(c.ServerKey)
	key, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	server, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	signer, ok1 := key.(*rsa.PrivateKey)
	verifier, ok2 := server.(*rsa.PublicKey)
	if !ok1 || !ok2 {
		return nil, errors.New("drive: alipay keys are not RSA")
	}
	return &alipay{w, c.ClientID, c.KeyVersion, c.Token, signer, verifier}, nil
}

func decodePEM(text string) []byte {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		return block.Bytes
	}
	return nil
}

func (c *alipay) Name() string { return "alipay" }

func (c *alipay) Authorize(ctx context.Context, minor int64, key string) (Result, error) {
	return c.call(ctx, "/v2/payments/pay", fmt.Sprintf(
		`{"productCode":"AGREEMENT_PAYMENT","paymentRequestId":%q,"paymentAmount":{"value":"%d","currency":"USD"},"paymentMethod":{"paymentMethodType":"BALANCE","paymentMethodId":%q},"paymentFactor":{"isAuthorizationPayment":true}}`,
		key, minor, c.token))
}

func (c *alipay) Capture(ctx context.Context, id string, minor int64, key string, last bool) (Result, error) {
	return c.call(ctx, "/v2/payments/capture", fmt.Sprintf(
		`{"captureRequestId":%q,"paymentId":%q,"captureAmount":{"value":"%d","currency":"USD"},"isLastCapture":%t}`, key, id, minor, last))
}

func (c *alipay) Query(ctx context.Context, id string) (Result, error) {
	return c.call(ctx, "/v2/payments/inquiryPayment", fmt.Sprintf(`{"paymentId":%q}`, id))
}

// call signs a request, sends it, verifies the signature of the answer and
// reads it.
func (c *alipay) call(ctx context.Context, path, body string) (Result, error) {
	at := time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00")
	digest := sha256.Sum256([]byte("POST " + path + "\n" + c.clientID + "." + at + "." + body))
	signature, err := rsa.SignPKCS1v15(rand.Reader, c.private, crypto.SHA256, digest[:])
	if err != nil {
		return Result{}, err
	}
	x, err := c.send(ctx, "POST", path, map[string]string{
		"Client-Id": c.clientID, "Request-Time": at, "Content-Type": "application/json; charset=UTF-8",
		"Signature": "algorithm=RSA256, keyVersion=" + c.keyVersion + ", signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature)),
	}, []byte(body))
	if err != nil {
		return Result{Exchange: x}, err
	}
	if err := c.verify(path, x); err != nil {
		return Result{Exchange: x}, err
	}
	return c.result(x)
}

func (c *alipay) verify(path string, x Exchange) error {
	_, value, ok := strings.Cut(x.Header.Get("Signature"), "signature=")
	if !ok {
		return errors.New("drive: the answer is not signed")
	}
	value, err := url.PathUnescape(value)
	if err != nil {
		return err
	}
	signature, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte("POST " + path + "\n" + x.Header.Get("Client-Id") + "." + x.Header.Get("Response-Time") + "." + string(x.Answer)))
	return rsa.VerifyPKCS1v15(c.server, crypto.SHA256, digest[:], signature)
}

// declines are the codes by which the wallet or a risk check says no.
var declines = []string{
	"USER_BALANCE_NOT_ENOUGH", "USER_STATUS_ABNORMAL", "USER_AMOUNT_EXCEED_LIMIT", "PAYMENT_AMOUNT_EXCEED_LIMIT", "PAYMENT_COUNT_EXCEED_LIMIT", "RISK_REJECT",
}

func (c *alipay) result(x Exchange) (Result, error) {
	var answer struct {
		Result struct {
			Code    string `json:"resultCode"`
			Status  string `json:"resultStatus"`
			Message string `json:"resultMessage"`
		} `json:"result"`
		PaymentID     string `json:"paymentId"`
		CaptureID     string `json:"captureId"`
		PaymentStatus string `json:"paymentStatus"`
		Transactions  []struct {
			Type   string `json:"transactionType"`
			Status string `json:"transactionStatus"`
			Amount struct {
				Value string `json:"value"`
			} `json:"transactionAmount"`
		} `json:"transactions"`
		Amount *struct {
			Value string `json:"value"`
		} `json:"captureAmount"`
	}
	r := Result{Exchange: x, Captured: -1}
	if x.Status != http.StatusOK {
		return r, fmt.Errorf("drive: alipay answered status %d", x.Status)
	}
	if err := x.read(&answer); err != nil {
		return r, err
	}
	r.ID, r.State, r.Code = answer.PaymentID, answer.PaymentStatus, answer.Result.Code
	switch answer.Result.Status {
	case "S":
		r.Verdict = Done
	case "F":
		r.Verdict = Refused
		if slices.Contains(declines, r.Code) {
			r.Verdict = Declined
		}
	case "A":
		r.Verdict = Unknown
	default:
		r.Verdict = Unknown
		if strings.HasSuffix(r.Code, "_IN_PROCESS") {
			r.Verdict = InProcess
		}
	}
	if answer.CaptureID != "" {
		r.ID = answer.CaptureID
	}
	if answer.Amount != nil {
		r.Captured, _ = strconv.ParseInt(answer.Amount.Value, 10, 64)
	}
	if answer.PaymentStatus != "" {
		r.Captured = 0
		for _, t := range answer.Transactions {
			if t.Type == "CAPTURE" && t.Status == "SUCCESS" {
				minor, _ := strconv.ParseInt(t.Amount.Value, 10, 64)
				r.Captured += minor
			}
		}
	}
	return r, nil
}
