// Package conform checks somebody else's processor against the promises of the
// plugin protocol (docs/processors.md).
package conform

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/capstan-pay/capstan/processor/remote"
)

// Check is a promise, and how it was broken.
type Check struct {
	Promise string `json:"promise"`
	Broken  string `json:"broken,omitempty"` // empty: it was kept
}

// promises are checked in order.
var promises = []struct {
	text  string
	check func(*caller) error
}{
	{"an authorization of a good card is approved", authorizes},
	{"a repeat under the same id gets the same answer", repeats},
	{"an inquiry tells what the call was told", inquires},
	{"an id that was never seen is answered with 404", neverSeen},
	{"an id stands for one operation: another amount, currency or kind under it is refused and changes nothing", anotherUnderTheID},
	{"captures, voids and refunds of a hold are approved, each repeatable", moves},
	{"a capture of an authorization that never was is declined, with status 200", captureOfNothing},
	{"what was declined stays declined", declinesForGood},
	{"many calls at once under one id perform it once", atOnce},
	{"what is sealed is never performed, however late its request arrives", seals},
	{"sealing what was performed tells its true outcome, and undoes nothing", sealsTooLate},
	{"everything performed is listed once, in order, with its amount; nothing else is", lists},
	{"the list goes on from its cursor, and knows since", pages},
	{"what is not a request is refused, and performs nothing", nonsense},
}

// Processor holds the processor at a URL against every promise. An error means
// that it could not be tried at all.
func Processor(ctx context.Context, at string) ([]Check, error) {
	u, err := url.Parse(at)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("that is no http:// or https:// URL")
	}
	run := make([]byte, 6)
	rand.Read(run)
	c := &caller{
		ctx: ctx, url: strings.TrimRight(at, "/"), run: hex.EncodeToString(run),
		client: &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	checks := make([]Check, 0, len(promises))
	for _, p := range promises {
		check := Check{Promise: p.text}
		if err := p.check(c); err != nil {
			check.Broken = err.Error()
		}
		checks = append(checks, check)
	}
	return checks, nil
}

// caller calls a processor under names that nobody has used.
type caller struct {
	ctx    context.Context
	url    string
	run    string
	client *http.Client

	mu        sync.Mutex
	names     int
	performed []remote.Effect // what it has said to have performed, in order
}

// name makes an operation's name.
func (c *caller) name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names++
	return fmt.Sprintf("op_conform%s_%d", c.run, c.names)
}

// ask sends a request, whose body is a text as it is or a value, and decodes what is answered with status 200.
func (c *caller) ask(method, path, key string, body any, into any) (status int, err error) {
	var text []byte
	if raw, ok := body.(string); ok {
		text = []byte(raw)
	} else if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return 0, err
		}
	}
	request, err := http.NewRequestWithContext(c.ctx, method, c.url+path, bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("%s %s: no answer", method, path)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return 0, fmt.Errorf("%s %s: the answer breaks off", method, path)
	}
	if response.StatusCode == http.StatusOK && into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			return 0, fmt.Errorf("%s %s: the answer is not JSON as agreed: %w", method, path, err)
		}
	}
	return response.StatusCode, nil
}

// perform sends an operation. What is approved the first time is noted.
func (c *caller) perform(verb string, r remote.Request) (a remote.Answer, status int, err error) {
	r.Merchant, r.Currency = "mer_conform", cmp.Or(r.Currency, "USD")
	if verb == "authorize" {
		r.Payment = r.ID
		r.Card = &remote.Card{Number: "4242424242424242", CVC: "123", Brand: "visa", First6: "424242", Last4: "4242", ExpMonth: 12, ExpYear: 2040, Holder: "Jane Doe"}
	}
	status, err = c.ask(http.MethodPost, "/v1/"+verb, r.ID, r, &a)
	if err == nil && status == http.StatusOK && a.Outcome == remote.Pending {
		a, status, err = c.settled(r.ID)
	}
	if err == nil && status == http.StatusOK && a.ID != r.ID {
		return a, status, fmt.Errorf("%s: the answer's id is %q, not %q", verb, a.ID, r.ID)
	}
	if err == nil && status == http.StatusOK && a.Outcome == remote.Approved {
		c.note(remote.Effect{Operation: verb, ID: r.ID, Payment: r.Payment, Amount: r.Amount, Currency: r.Currency})
	}
	return a, status, err
}

// note keeps an effect once.
func (c *caller) note(e remote.Effect) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.performed {
		if known.ID == e.ID {
			return
		}
	}
	c.performed = append(c.performed, e)
}

// settled asks for the final answer of a pending operation, for a while.
func (c *caller) settled(id string) (a remote.Answer, status int, err error) {
	for range 40 {
		if status, err = c.ask(http.MethodGet, "/v1/operations/"+id, "", nil, &a); err != nil || status != http.StatusOK || a.Outcome != remote.Pending {
			return a, status, err
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-c.ctx.Done():
			return a, status, c.ctx.Err()
		}
	}
	return a, status, errors.New("it stays pending")
}

// approved performs an operation that has to be approved.
func (c *caller) approved(verb string, r remote.Request) (remote.Answer, error) {
	a, status, err := c.perform(verb, r)
	switch {
	case err != nil:
		return a, err
	case status != http.StatusOK:
		return a, fmt.Errorf("%s of %d is answered with status %d", verb, r.Amount, status)
	case a.Outcome != remote.Approved:
		return a, fmt.Errorf("%s of %d is %s %s", verb, r.Amount, a.Outcome, a.Reason)
	}
	return a, nil
}

// hold authorizes an amount under a fresh name.
func (c *caller) hold(amount int64) (string, remote.Answer, error) {
	id := c.name()
	a, err := c.approved("authorize", remote.Request{ID: id, Amount: amount})
	return id, a, err
}

func same(what string, first, then remote.Answer) error {
	if !reflect.DeepEqual(first, then) {
		return fmt.Errorf("%s: %+v, and at first it was %+v", what, then, first)
	}
	return nil
}
