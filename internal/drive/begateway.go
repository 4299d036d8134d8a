package drive

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

type begateway struct {
	wire
	authorization string
}

func newBegateway(w wire, credentials json.RawMessage) (Client, error) {
	var c struct {
		ShopID    string `json:"shop_id"`
		SecretKey string `json:"secret_key"`
	}
	if err := json.Unmarshal(credentials, &c); err != nil {
		return nil, err
	}
	return &begateway{w, "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ShopID+":"+c.SecretKey))}, nil
}

func (c *begateway) Name() string { return "begateway" }

func (c *begateway) header() map[string]string {
	return map[string]string{"Authorization": c.authorization, "Content-Type": "application/json", "Accept": "application/json"}
}

// Authorize has no key in this dialect: the key goes into tracking_id, and the
// duplicate check is off, since all holds of a test are alike.
func (c *begateway) Authorize(ctx context.Context, minor int64, key string) (Result, error) {
	body := fmt.Sprintf(`{"request":{"amount":%d,"currency":"USD","description":"Test order","tracking_id":%q,"duplicate_check":false,"test":true,"credit_card":{"number":"4200000000000000","verification_value":"123","holder":"Jane Doe","exp_month":"12","exp_year":"2040"}}}`, minor, key)
	x, err := c.send(ctx, "POST", "/transactions/authorizations", c.header(), []byte(body))
	return c.result(x, err)
}

func (c *begateway) Capture(ctx context.Context, id string, minor int64, _ string, _ bool) (Result, error) {
	body := fmt.Sprintf(`{"request":{"parent_uid":%q,"amount":%d}}`, id, minor)
	x, err := c.send(ctx, "POST", "/transactions/captures", c.header(), []byte(body))
	return c.result(x, err)
}

func (c *begateway) Query(ctx context.Context, id string) (Result, error) {
	x, err := c.send(ctx, "GET", "/transactions/"+url.PathEscape(id), c.header(), nil)
	return c.result(x, err)
}

func (c *begateway) result(x Exchange, err error) (Result, error) {
	r := Result{Exchange: x, Verdict: Done, Captured: -1}
	if err != nil {
		return r, err
	}
	var answer struct {
		Transaction *struct {
			UID, Status, Message, Type string
			Amount                     int64
		}
		Response *struct {
			Message string
		}
	}
	if err := x.read(&answer); err != nil {
		return r, err
	}
	if t := answer.Transaction; t != nil {
		r.ID, r.State = t.UID, t.Type+" "+t.Status
		switch t.Status {
		case "failed":
			r.Verdict, r.Code = Declined, t.Message
		case "incomplete":
			r.Verdict = Unknown
		}
		if t.Type == "capture" && t.Status == "successful" {
			r.Captured = t.Amount
		}
		return r, nil
	}
	r.Verdict = Refused
	if answer.Response != nil {
		r.Code = answer.Response.Message
	}
	switch {
	case strings.HasPrefix(r.Code, "Duplicate"):
		r.Verdict = Duplicate
	case x.Status == 429:
		r.Verdict = InProcess
	case x.Status >= 500:
		r.Verdict = Unknown
	}
	return r, nil
}
