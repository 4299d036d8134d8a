package drive

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
)

type intents struct {
	wire
	key string
}

func newIntents(w wire, credentials json.RawMessage) (Client, error) {
	var c struct {
		SecretKey string `json:"secret_key"`
	}
	if err := json.Unmarshal(credentials, &c); err != nil {
		return nil, err
	}
	return &intents{w, c.SecretKey}, nil
}

func (c *intents) Name() string { return "intents" }

func (c *intents) Authorize(ctx context.Context, minor int64, key string) (Result, error) {
	return c.post(ctx, "/v1/payment_intents", key, url.Values{
		"amount": {strconv.FormatInt(minor, 10)}, "currency": {"usd"}, "capture_method": {"manual"},
		"payment_method": {"pm_card_visa"}, "confirm": {"true"},
	})
}

func (c *intents) Capture(ctx context.Context, id string, minor int64, key string, _ bool) (Result, error) {
	return c.post(ctx, "/v1/payment_intents/"+url.PathEscape(id)+"/capture", key, url.Values{"amount_to_capture": {strconv.FormatInt(minor, 10)}})
}

func (c *intents) Query(ctx context.Context, id string) (Result, error) {
	x, err := c.send(ctx, "GET", "/v1/payment_intents/"+url.PathEscape(id), map[string]string{"Authorization": "Bearer " + c.key}, nil)
	if err != nil {
		return Result{}, err
	}
	return c.result(x)
}

func (c *intents) post(ctx context.Context, path, key string, form url.Values) (Result, error) {
	x, err := c.send(ctx, "POST", path, map[string]string{
		"Authorization": "Bearer " + c.key, "Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": key,
	}, []byte(form.Encode()))
	if err != nil {
		return Result{}, err
	}
	return c.result(x)
}

func (c *intents) result(x Exchange) (Result, error) {
	type intent struct {
		ID       string `json:"id"`
		Status   string `json:"status"`
		Received int64  `json:"amount_received"`
	}
	var answer struct {
		intent
		Error *struct {
			Type, Code, Message string
			Intent              *intent `json:"payment_intent"`
		} `json:"error"`
	}
	r := Result{Exchange: x, Verdict: Done, Captured: -1}
	if err := x.read(&answer); err != nil {
		return r, err
	}
	if e := answer.Error; e != nil {
		r.Verdict, r.Code = Refused, e.Code
		switch {
		case x.Status == 402:
			r.Verdict = Declined
		case x.Status == 409 || x.Status == 429:
			r.Verdict = InProcess
		case x.Status >= 500:
			r.Verdict = Unknown
		}
		if r.Code == "" {
			r.Code = e.Message
		}
		if e.Intent != nil {
			answer.intent = *e.Intent
		}
	}
	if answer.ID != "" {
		r.ID, r.State, r.Captured = answer.ID, answer.Status, answer.Received
	}
	if x.Header.Get("Idempotent-Replayed") == "true" && r.Verdict == Done {
		r.Verdict = Replayed
	}
	if r.State == "processing" && r.Verdict == Done {
		r.Verdict = Unknown
	}
	return r, nil
}
