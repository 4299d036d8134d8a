package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/explain"
)

// Client administers a store through a running server.
type Client struct {
	URL   string // of the admin listener
	Token string // empty for a sandbox on this machine
	HTTP  *http.Client
}

var _ Administrator = (*Client)(nil)

// call sends a request and decodes its answer into out.
func (c *Client) call(ctx context.Context, method string, in, out any, path ...string) error {
	address, err := url.JoinPath(c.URL, path...)
	if err != nil {
		return err
	}
	return c.send(ctx, method, address, in, out)
}

func (c *Client) send(ctx context.Context, method, address string, in, out any) error {
	var body []byte
	var err error
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	answer, err := c.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	const most = 64 << 20
	text, err := io.ReadAll(io.LimitReader(answer.Body, most))
	if err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	switch {
	case answer.StatusCode == http.StatusOK && out == nil:
		return nil
	case answer.StatusCode == http.StatusOK:
		return json.Unmarshal(text, out)
	}
	var problem struct{ Error string }
	if json.Unmarshal(text, &problem) != nil || problem.Error == "" {
		return fmt.Errorf("the server answers %s: is this its admin listener?", answer.Status)
	}
	if answer.StatusCode >= http.StatusInternalServerError {
		return errors.New("the server answers: " + problem.Error)
	}
	return Problem{answer.StatusCode, problem.Error}
}

// CreateMerchant implements Administrator.
func (c *Client) CreateMerchant(ctx context.Context, in NewMerchant) (out Created, err error) {
	return out, c.call(ctx, http.MethodPost, in, &out, "api/merchants")
}

// Merchants implements Administrator.
func (c *Client) Merchants(ctx context.Context) ([]Merchant, error) {
	var out struct{ Merchants []Merchant }
	err := c.call(ctx, http.MethodGet, nil, &out, "api/merchants")
	return out.Merchants, err
}

// Merchant implements Administrator.
func (c *Client) Merchant(ctx context.Context, id string) (out Merchant, err error) {
	return out, c.call(ctx, http.MethodGet, nil, &out, "api/merchants", url.PathEscape(id))
}

// ChangeMerchant implements Administrator.
func (c *Client) ChangeMerchant(ctx context.Context, id string, change Change) (out Merchant, err error) {
	return out, c.call(ctx, http.MethodPatch, change, &out, "api/merchants", url.PathEscape(id))
}

// Keys implements Administrator.
func (c *Client) Keys(ctx context.Context, merchant string) ([]Key, error) {
	var out struct{ Keys []Key }
	err := c.call(ctx, http.MethodGet, nil, &out, "api/merchants", url.PathEscape(merchant), "keys")
	return out.Keys, err
}

// AddKey implements Administrator.
func (c *Client) AddKey(ctx context.Context, merchant string, k NewKey) (out Issued, err error) {
	return out, c.call(ctx, http.MethodPost, k, &out, "api/merchants", url.PathEscape(merchant), "keys")
}

// DisableKey implements Administrator.
func (c *Client) DisableKey(ctx context.Context, merchant, key string) (out Key, err error) {
	return out, c.call(ctx, http.MethodPost, struct{}{}, &out, "api/merchants", url.PathEscape(merchant), "keys", url.PathEscape(key), "disable")
}

// AdminKeys implements Administrator.
func (c *Client) AdminKeys(ctx context.Context) ([]Key, error) {
	var out struct{ Keys []Key }
	err := c.call(ctx, http.MethodGet, nil, &out, "api/admin-keys")
	return out.Keys, err
}

// AddAdminKey implements Administrator.
func (c *Client) AddAdminKey(ctx context.Context, k NewAdminKey) (out IssuedAdminKey, err error) {
	return out, c.call(ctx, http.MethodPost, k, &out, "api/admin-keys")
}

// DisableAdminKey implements Administrator.
func (c *Client) DisableAdminKey(ctx context.Context, key string) (out Key, err error) {
	return out, c.call(ctx, http.MethodPost, struct{}{}, &out, "api/admin-keys", url.PathEscape(key), "disable")
}

// ServerRisk implements Administrator.
func (c *Client) ServerRisk(ctx context.Context) (out json.RawMessage, err error) {
	return out, c.call(ctx, http.MethodGet, nil, &out, "api/risk")
}

// SetServerRisk implements Administrator.
func (c *Client) SetServerRisk(ctx context.Context, document json.RawMessage) error {
	return c.call(ctx, http.MethodPut, document, new(json.RawMessage), "api/risk")
}

// Deliveries implements Administrator.
func (c *Client) Deliveries(ctx context.Context, merchant string, q DeliveryQuery) ([]Delivery, error) {
	address, err := url.JoinPath(c.URL, "api/merchants", url.PathEscape(merchant), "deliveries")
	if err != nil {
		return nil, err
	}
	query := pageQuery(q.Since, q.Before, q.Limit)
	for name, value := range map[string]string{"payment": q.Payment, "message": q.Message, "state": q.State} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var out struct{ Deliveries []Delivery }
	err = c.send(ctx, http.MethodGet, address+"?"+query.Encode(), nil, &out)
	return out.Deliveries, err
}

// Reviews implements Administrator.
func (c *Client) Reviews(ctx context.Context, merchant string, q ReviewQuery) ([]Review, error) {
	address, err := url.JoinPath(c.URL, "api/merchants", url.PathEscape(merchant), "reviews")
	if err != nil {
		return nil, err
	}
	var out struct{ Reviews []Review }
	err = c.send(ctx, http.MethodGet, address+"?"+pageQuery(q.Since, q.Before, q.Limit).Encode(), nil, &out)
	return out.Reviews, err
}

// pageQuery says what part of a list is wanted.
func pageQuery(since, before time.Time, limit int) url.Values {
	query := url.Values{}
	for name, at := range map[string]time.Time{"since": since, "before": before} {
		if !at.IsZero() {
			query.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	if limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	return query
}

// Redeliver implements Administrator.
func (c *Client) Redeliver(ctx context.Context, merchant string, r Redelivery) (out Redelivered, err error) {
	return out, c.call(ctx, http.MethodPost, r, &out, "api/merchants", url.PathEscape(merchant), "deliveries", "repeat")
}

// Log implements Administrator.
func (c *Client) Log(ctx context.Context, q LogQuery) ([]Act, error) {
	address, err := url.JoinPath(c.URL, "api/log")
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if q.Merchant != "" {
		query.Set("merchant", q.Merchant)
	}
	for name, n := range map[string]int64{"before": q.Before, "limit": int64(q.Limit)} {
		if n != 0 {
			query.Set(name, strconv.FormatInt(n, 10))
		}
	}
	var out struct{ Acts []Act }
	err = c.send(ctx, http.MethodGet, address+"?"+query.Encode(), nil, &out)
	return out.Acts, err
}

// Explain implements Administrator.
func (c *Client) Explain(ctx context.Context, id string) (*explain.Story, error) {
	var out explain.Story
	if err := c.call(ctx, http.MethodGet, nil, &out, "api/payments", url.PathEscape(id)); err != nil {
		return nil, err
	}
	return &out, nil
}
