// Package remote is the processor behind a network: it speaks the HTTP plugin
// protocol of docs/processors.md to somebody who moves the money.
//
// Every operation goes by its own name, so it can be repeated and asked about.
// What is not a clear answer is none: nothing is guessed here.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
)

const (
	callTimeout = 15 * time.Second // for one answer
	answerLimit = 1 << 20          // bytes of one answer
	listLimit   = 64 << 20         // bytes of one page of a list
	dataLimit   = 16 << 10         // bytes that a processor may have kept with a payment
)

// Config says how a processor is reached.
type Config struct {
	Name   string // as the operator calls it, for logs
	URL    string // what paths begin with; a user and password in it are sent as Basic authentication
	Logger *slog.Logger

	// Merchant is what the processor is told a merchant's name is.
	Merchant func(int64) string
}

// Processor calls a processor. It is safe for concurrent use.
type Processor struct {
	Config
	client  *http.Client
	breaker *breaker
}

var _ processor.Processor = (*Processor)(nil)

// New returns a processor at a URL. It does not call it.
func New(c Config) (*Processor, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("processor %s: its URL must be http:// or https:// with a host", c.Name)
	}
	c.URL = strings.TrimRight(c.URL, "/")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Merchant == nil {
		c.Merchant = func(id int64) string { return fmt.Sprint(id) }
	}
	p := &Processor{Config: c}
	p.breaker = newBreaker(func(open bool) {
		if open {
			c.Logger.Error("processor does not answer: nothing new is sent to it", "processor", c.Name)
		} else {
			c.Logger.Info("processor answers again", "processor", c.Name)
		}
	})
	p.client = &http.Client{
		Timeout: callTimeout,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConnsPerHost: slots,
			IdleConnTimeout:     30 * time.Second,
			ForceAttemptHTTP2:   true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // money does not follow
	}
	return p, nil
}

// Secure tells whether what is sent cannot be read on the way: by TLS, or
// because it does not leave the machine.
func (p *Processor) Secure() bool {
	u, err := url.Parse(p.URL)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Decide leaves everything to a call, but for increments, which the protocol
// does not have: they are declined.
func (p *Processor) Decide(i payment.Instruction, _ *payment.Payer) payment.Answer {
	if i.Kind == payment.OpIncrement {
		return payment.Answer{Result: payment.Refused, Reason: payment.UnsupportedMethod, Message: "Increments are not supported"}
	}
	return payment.Answer{Result: payment.Pending}
}

// Perform sends an operation. The error wraps processor.ErrNotSent when
// nothing has left.
func (p *Processor) Perform(ctx context.Context, o processor.Order) (payment.Answer, error) {
	body, err := json.Marshal(p.request(o))
	if err != nil {
		return payment.Answer{}, fmt.Errorf("%w: %w", processor.ErrNotSent, err)
	}
	a, status, err := p.call(ctx, false, http.MethodPost, "/v1/"+Verb(o.Kind), o.ID, body)
	if err != nil {
		return payment.Answer{}, err
	}
	return p.final(a, status, o)
}

// Lookup asks what became of an operation.
func (p *Processor) Lookup(ctx context.Context, o processor.Order) (payment.Answer, error) {
	a, status, err := p.call(ctx, true, http.MethodGet, operationPath(o.ID), "", nil)
	if err != nil {
		return payment.Answer{}, err
	}
	if status == http.StatusNotFound {
		return payment.Answer{}, processor.ErrNoTrace
	}
	return p.final(a, status, o)
}

// Seal has an operation never performed, unless it was.
func (p *Processor) Seal(ctx context.Context, o processor.Order) (payment.Answer, error) {
	a, status, err := p.call(ctx, true, http.MethodPost, operationPath(o.ID)+"/seal", o.ID, nil)
	if err != nil {
		return payment.Answer{}, err
	}
	if status == http.StatusOK && a.Outcome == Sealed && a.ID == o.ID {
		return payment.Answer{}, processor.ErrSealed
	}
	return p.final(a, status, o)
}

// Performed lists what the processor has performed since a moment, in order.
func (p *Processor) Performed(ctx context.Context, since time.Time) ([]Effect, error) {
	var all []Effect
	q := url.Values{"since": {since.UTC().Format(time.RFC3339)}}
	asked := map[string]bool{}
	for {
		page, err := p.list(ctx, "/v1/operations?"+q.Encode())
		if err != nil {
			return nil, err
		}
		all = append(all, page.Operations...)
		if page.Next == "" {
			return all, nil
		}
		if asked[page.Next] {
			return nil, fmt.Errorf("processor %s: the list does not end", p.Name)
		}
		asked[page.Next] = true
		q.Set("cursor", page.Next)
	}
}

func (p *Processor) list(ctx context.Context, path string) (page List, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+path, nil)
	if err != nil {
		return page, fmt.Errorf("processor %s: its URL cannot be called", p.Name)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return page, fmt.Errorf("processor %s: %w", p.Name, plain(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return page, fmt.Errorf("processor %s answers with status %d", p.Name, response.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, listLimit)).Decode(&page); err != nil {
		return page, fmt.Errorf("processor %s: the list is not JSON as agreed", p.Name)
	}
	return page, nil
}

func operationPath(id string) string { return "/v1/operations/" + url.PathEscape(id) }

// request is an order as it is sent.
func (p *Processor) request(o processor.Order) Request {
	r := Request{
		ID: o.ID, Payment: o.Authorization, Capture: o.Parent, Merchant: p.Merchant(o.Merchant), Amount: o.Amount,
		Currency: string(o.Currency), Final: o.Final, Reference: o.Reference, Data: o.Data,
	}
	m := &o.Method
	if o.Kind != payment.OpRefund {
		r.Capture = "" // an automatic capture's is its authorization
	}
	if o.Kind == payment.OpAuthorize || o.Kind == payment.OpPayout {
		r.Payment, r.Reference, r.Data = o.ID, "", nil
		r.Card = &Card{
			Number: o.Secret.Number, CVC: o.Secret.CVC, Encoded: o.Secret.Encoded, Brand: m.Brand, First6: m.First6, Last4: m.Last4,
			ExpMonth: m.ExpMonth, ExpYear: m.ExpYear, Holder: m.Holder, Simulate: m.Simulate,
		}
	} else if m.Simulate != "" {
		r.Card = &Card{Simulate: m.Simulate}
	}
	return r
}

// final makes what the engine wants of an answer; what is not final is an error.
func (p *Processor) final(a Answer, status int, o processor.Order) (payment.Answer, error) {
	if status != http.StatusOK {
		return payment.Answer{}, fmt.Errorf("processor %s answers with status %d", p.Name, status)
	}
	if a.ID != o.ID {
		return payment.Answer{}, fmt.Errorf("processor %s answers about another operation", p.Name)
	}
	if a.Outcome == Approved && a.Amount != 0 && a.Amount != o.Amount { // a store that was restored has lost what the name was used for
		return payment.Answer{}, fmt.Errorf("processor %s has performed %s as another operation: reconcile", p.Name, o.ID)
	}
	out, ok := a.answer()
	if !ok {
		return payment.Answer{}, fmt.Errorf("processor %s answers %q", p.Name, clip(masked(string(a.Outcome)), 32))
	}
	if len(out.Data) > dataLimit {
		return payment.Answer{}, fmt.Errorf("processor %s sends %d bytes of data with its answer", p.Name, len(out.Data))
	}
	if n := o.Secret.Number; n != "" && strings.Contains(out.Reference+" "+out.AuthCode+" "+string(out.Data), n) {
		return payment.Answer{}, fmt.Errorf("processor %s sends the card's number back", p.Name)
	}
	return out, nil
}

// call makes one call. A status below 500 is an answer, whatever it says.
func (p *Processor) call(ctx context.Context, inquiry bool, method, path, key string, body []byte) (a Answer, status int, err error) {
	leave, err := p.breaker.enter(ctx, inquiry)
	if err != nil {
		return a, 0, fmt.Errorf("processor %s: %w: %w", p.Name, processor.ErrNotSent, err)
	}
	answered := false
	defer func() { leave(answered) }()
	request, err := http.NewRequestWithContext(ctx, method, p.URL+path, bytes.NewReader(body))
	if err != nil {
		return a, 0, fmt.Errorf("processor %s: %w", p.Name, processor.ErrNotSent)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		// Not by Header.Set: of a key that net/http knows it concludes that it may
		// send a request again of which a part has left.
		request.Header["idempotency-key"] = []string{key}
	}
	response, err := p.client.Do(request)
	if dial := new(net.OpError); errors.As(err, &dial) && dial.Op == "dial" {
		return a, 0, fmt.Errorf("processor %s: %w: %w", p.Name, processor.ErrNotSent, plain(err))
	}
	if err != nil {
		return a, 0, fmt.Errorf("processor %s: %w", p.Name, plain(err))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	switch {
	case err != nil:
		return a, 0, fmt.Errorf("processor %s: %w", p.Name, plain(err))
	case len(text) > answerLimit:
		return a, 0, fmt.Errorf("processor %s: the answer is too large", p.Name)
	}
	answered = response.StatusCode < 500 && response.StatusCode != http.StatusTooManyRequests
	if response.StatusCode == http.StatusOK && json.Unmarshal(text, &a) != nil {
		return Answer{}, 0, fmt.Errorf("processor %s: the answer is not JSON as agreed", p.Name)
	}
	return a, response.StatusCode, nil
}

// plain takes the URL out of an error: it may have a password in it.
func plain(err error) error {
	if outer := new(url.Error); errors.As(err, &outer) {
		return outer.Err
	}
	return err
}
