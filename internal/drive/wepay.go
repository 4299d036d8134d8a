package drive

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
)

type wepay struct {
	wire
	credentials struct {
		AppID     string `json:"app_id"`
		AppToken  string `json:"app_token"`
		AccountID string `json:"account_id"`
	}
}

func newWePay(w wire, credentials json.RawMessage) (Client, error) {
	c := &wepay{wire: w}
	return c, json.Unmarshal(credentials, &c.credentials)
}

func (c *wepay) Name() string { return "wepay" }

func (c *wepay) header(key string) map[string]string {
	h := map[string]string{"App-Id": c.credentials.AppID, "App-Token": c.credentials.AppToken, "Api-Version": "3.0", "Content-Type": "application/json"}
	if key != "" {
		h["Unique-Key"] = key
	}
	return h
}

func (c *wepay) Authorize(ctx context.Context, minor int64, key string) (Result, error) {
	body := fmt.Sprintf(`{"account_id":%q,"amount":%d,"currency":"USD","auto_capture":false,"payment_method":{"type":"credit_card","credit_card":{"card_number":"4003830171874018","expiration_month":12,"expiration_year":2040,"cvv":"123","card_holder":{"holder_name":"Jane Doe","email":"jane@example.com","address":{"country":"US","postal_code":"94025"}}}}}`,
		c.credentials.AccountID, minor)
	x, err := c.send(ctx, "POST", "/payments", c.header(key), []byte(body))
	return c.result(x, err)
}

func (c *wepay) Capture(ctx context.Context, id string, minor int64, key string, _ bool) (Result, error) {
	body := fmt.Sprintf(`{"amounts":{"amount":%d,"currency":"USD"}}`, minor)
	x, err := c.send(ctx, "POST", "/payments/"+url.PathEscape(id)+"/capture", c.header(key), []byte(body))
	return c.result(x, err)
}

func (c *wepay) Query(ctx context.Context, id string) (Result, error) {
	x, err := c.send(ctx, "GET", "/payments/"+url.PathEscape(id), c.header(""), nil)
	return c.result(x, err)
}

func (c *wepay) result(x Exchange, err error) (Result, error) {
	r := Result{Exchange: x, Verdict: Done, Captured: -1}
	if err != nil {
		return r, err
	}
	var answer struct {
		ID, Status string
		Amount     int64
		Pending    []struct {
			Reason string `json:"reason_code"`
		} `json:"pending_reasons"`
		Failure *struct {
			Reason string `json:"reason_code"`
		} `json:"failure_reason"`
		ErrorCode string `json:"error_code"`
		Details   []struct {
			Reason string `json:"reason_code"`
		}
	}
	if err := x.read(&answer); err != nil {
		return r, err
	}
	r.ID, r.State = answer.ID, answer.Status
	switch {
	case answer.ErrorCode != "":
		r.Verdict, r.Code = Refused, answer.ErrorCode
		if len(answer.Details) > 0 {
			r.Code += "." + answer.Details[0].Reason
		}
		if r.Code == "INVALID_PARAMS.CONCURRENT_UNIQUE_KEY_REQUEST_IS_PROCESSING" || x.Status == 429 {
			r.Verdict = InProcess
		}
		if x.Status >= 500 {
			r.Verdict = Unknown
		}
	case answer.Failure != nil:
		r.Verdict, r.Code, r.Captured = Declined, answer.Failure.Reason, 0
	case answer.Status == "completed", len(answer.Pending) > 0 && answer.Pending[0].Reason == "PROCESSING":
		r.Captured = answer.Amount
	default:
		r.Captured = 0
	}
	if len(answer.Pending) > 0 {
		r.State += "/" + answer.Pending[0].Reason
	}
	return r, nil
}
