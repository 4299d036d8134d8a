package bench

import (
	"bytes"
	"context"
	"errors"
	"strconv"
)

type intentsCredentials struct {
	SecretKey string `json:"secret_key"`
}

// intents speaks the payment-intents API: a form, a bearer key, and a fresh
// Idempotency-Key on every request.
type intents struct {
	head string // the header lines that every request has
	run  string
}

func newIntents(_ context.Context, s setup) (dialect, error) {
	if s.credentials.Intents.SecretKey == "" {
		return nil, errors.New("the credentials have no secret key for intents")
	}
	return &intents{
		head: " HTTP/1.1\r\nHost: " + s.target.host + "\r\nAuthorization: Bearer " + s.credentials.Intents.SecretKey +
			"\r\nContent-Type: application/x-www-form-urlencoded\r\nIdempotency-Key: ",
		run: s.run,
	}, nil
}

const intentsHold = "amount=" + amount + "&currency=usd&capture_method=manual&confirm=true&payment_method=pm_card_visa"

func (d *intents) authorize(b []byte, n int) ([]byte, error) {
	return d.post(b, "/v1/payment_intents", "a", n, intentsHold), nil
}

func (d *intents) capture(b []byte, n int, held answer) ([]byte, bool, error) {
	id := member(held.body, "id")
	if held.status != 200 || len(id) == 0 || string(member(held.body, "status")) != "requires_capture" {
		return b, false, nil
	}
	return d.post(b, "/v1/payment_intents/"+string(id)+"/capture", "c", n, ""), true, nil
}

func (d *intents) post(b []byte, path, step string, n int, body string) []byte {
	b = append(append(append(b, "POST "...), path...), d.head...)
	b = append(append(append(b, d.run...), '-'), step...)
	b = strconv.AppendInt(b, int64(n), 10)
	b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), int64(len(body)), 10)
	return append(append(b, "\r\n\r\n"...), body...)
}

var replayed = []byte("Idempotent-Replayed: true")

func (d *intents) captured(a answer) bool {
	return a.status == 200 && string(member(a.body, "status")) == "succeeded" && !bytes.Contains(a.head, replayed)
}

func (d *intents) busy(a answer) bool {
	return a.status == 429 && string(member(a.body, "code")) == "rate_limit"
}

func (d *intents) problem(a answer) string {
	if a.status == 200 {
		return "with status " + string(member(a.body, "status"))
	}
	if code := member(a.body, "code"); code != nil {
		return string(code)
	}
	return string(member(a.body, "type"))
}
