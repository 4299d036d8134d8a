package conform

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/capstan-pay/capstan/processor/remote"
)

func authorizes(c *caller) error {
	_, _, err := c.hold(1000)
	return err
}

func repeats(c *caller) error {
	id, first, err := c.hold(1000)
	if err != nil {
		return err
	}
	again, err := c.approved("authorize", remote.Request{ID: id, Amount: 1000})
	if err != nil {
		return err
	}
	return same("the repeat", first, again)
}

func inquires(c *caller) error {
	id, first, err := c.hold(1000)
	if err != nil {
		return err
	}
	return c.tells(id, first)
}

// tells expects an inquiry to tell what the call was answered.
func (c *caller) tells(id string, first remote.Answer) error {
	var told remote.Answer
	status, err := c.ask(http.MethodGet, "/v1/operations/"+id, "", nil, &told)
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("the inquiry is answered with status %d: %v", status, err)
	}
	return same("the inquiry", first, told)
}

func neverSeen(c *caller) error {
	status, err := c.ask(http.MethodGet, "/v1/operations/"+c.name(), "", nil, nil)
	if err == nil && status != http.StatusNotFound {
		err = fmt.Errorf("status %d", status)
	}
	return err
}

func anotherUnderTheID(c *caller) error {
	id, first, err := c.hold(1000)
	if err != nil {
		return err
	}
	for _, other := range []struct {
		verb string
		r    remote.Request
	}{
		{"authorize", remote.Request{ID: id, Amount: 1001}},
		{"authorize", remote.Request{ID: id, Amount: 1000, Currency: "EUR"}},
		{"capture", remote.Request{ID: id, Payment: id, Amount: 1000}},
	} {
		a, status, err := c.perform(other.verb, other.r)
		if err != nil {
			return err
		}
		if status < 400 || status >= 500 {
			return fmt.Errorf("%s of %d %s under the id of an authorization of 1000 USD is answered with status %d, %s",
				other.verb, other.r.Amount, cmp.Or(other.r.Currency, "USD"), status, a.Outcome)
		}
	}
	return c.tells(id, first)
}

func moves(c *caller) error {
	hold, _, err := c.hold(1000)
	if err != nil {
		return err
	}
	capture := c.name()
	for _, step := range []struct {
		verb string
		r    remote.Request
	}{
		{"capture", remote.Request{ID: capture, Payment: hold, Amount: 600}},
		{"capture", remote.Request{ID: c.name(), Payment: hold, Amount: 100}},
		{"void", remote.Request{ID: c.name(), Payment: hold, Amount: 300}},
		{"refund", remote.Request{ID: c.name(), Payment: hold, Capture: capture, Amount: 200}},
		{"refund", remote.Request{ID: c.name(), Payment: hold, Amount: 500}},
	} {
		first, err := c.approved(step.verb, step.r)
		if err != nil {
			return err
		}
		again, err := c.approved(step.verb, step.r)
		if err == nil {
			err = same("the repeat of "+step.verb, first, again)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func captureOfNothing(c *caller) error {
	_, _, err := c.declined(remote.Request{ID: c.name(), Payment: c.name(), Amount: 100})
	return err
}

// declined captures what cannot be captured: a decline is an answer like any
// other.
func (c *caller) declined(r remote.Request) (remote.Request, remote.Answer, error) {
	a, status, err := c.perform("capture", r)
	if err == nil && (status != http.StatusOK || a.Outcome != remote.Declined || a.ID != r.ID) {
		err = fmt.Errorf("it is answered with status %d, %q about %q: a decline has status 200", status, a.Outcome, a.ID)
	}
	return r, a, err
}

func declinesForGood(c *caller) error {
	hold := c.name()
	r, first, err := c.declined(remote.Request{ID: c.name(), Payment: hold, Amount: 100})
	if err != nil {
		return err
	}
	if _, err := c.approved("authorize", remote.Request{ID: hold, Amount: 1000}); err != nil {
		return err
	}
	_, again, err := c.declined(r) // now it could be captured
	if err != nil {
		return err
	}
	if err := same("the repeat", first, again); err != nil {
		return err
	}
	return c.tells(r.ID, first)
}

func atOnce(c *caller) error {
	hold, _, err := c.hold(1000)
	if err != nil {
		return err
	}
	r := remote.Request{ID: c.name(), Payment: hold, Amount: 10}
	answers, errs := make([]remote.Answer, 16), make([]error, 16)
	var calls sync.WaitGroup
	for i := range answers {
		calls.Go(func() { answers[i], errs[i] = c.approved("capture", r) })
	}
	calls.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, a := range answers {
		if err := same("one of the answers", answers[0], a); err != nil {
			return err
		}
	}
	return nil
}

func (c *caller) seal(id string) (a remote.Answer, err error) {
	status, err := c.ask(http.MethodPost, "/v1/operations/"+id+"/seal", id, nil, &a)
	if err == nil && (status != http.StatusOK || a.ID != id) {
		err = fmt.Errorf("sealing is answered with status %d about %q", status, a.ID)
	}
	return a, err
}

func seals(c *caller) error {
	hold, _, err := c.hold(1000)
	if err != nil {
		return err
	}
	for _, r := range []remote.Request{{ID: c.name(), Amount: 1000}, {ID: c.name(), Payment: hold, Amount: 100}} {
		verb := "authorize"
		if r.Payment != "" {
			verb = "capture"
		}
		for range 2 {
			a, err := c.seal(r.ID)
			if err != nil {
				return err
			}
			if a.Outcome != remote.Sealed {
				return fmt.Errorf("what was never sent is %s when it is sealed", a.Outcome)
			}
		}
		late, status, err := c.perform(verb, r)
		if err != nil {
			return err
		}
		if status == http.StatusOK && late.Outcome != remote.Sealed && late.Outcome != remote.Declined {
			return fmt.Errorf("the late %s is %s", verb, late.Outcome)
		}
		var told remote.Answer
		if status, err = c.ask(http.MethodGet, "/v1/operations/"+r.ID, "", nil, &told); err != nil || status != http.StatusOK || told.Outcome != remote.Sealed {
			return fmt.Errorf("afterwards an inquiry is answered with status %d, %q: %v", status, told.Outcome, err)
		}
	}
	return nil
}

func sealsTooLate(c *caller) error {
	id, first, err := c.hold(1000)
	if err != nil {
		return err
	}
	told, err := c.seal(id)
	if err != nil {
		return err
	}
	if err := same("sealing", first, told); err != nil {
		return err
	}
	_, err = c.approved("capture", remote.Request{ID: c.name(), Payment: id, Amount: 100})
	return err
}

// mine reads the list from since and keeps what this run has caused.
func (c *caller) mine(since time.Time) (mine []remote.Effect, err error) {
	ours := map[string]bool{}
	c.mu.Lock()
	for n := 1; n <= c.names; n++ {
		ours[fmt.Sprintf("op_conform%s_%d", c.run, n)] = true
	}
	c.mu.Unlock()
	q := url.Values{"since": {since.UTC().Format(time.RFC3339)}}
	for range 10_000 {
		var page remote.List
		status, err := c.ask(http.MethodGet, "/v1/operations?"+q.Encode(), "", nil, &page)
		if err != nil || status != http.StatusOK {
			return nil, fmt.Errorf("the list is answered with status %d: %v", status, err)
		}
		for _, e := range page.Operations {
			if ours[e.ID] {
				mine = append(mine, e)
			}
		}
		if page.Next == "" {
			return mine, nil
		}
		if page.Next == q.Get("cursor") {
			return nil, errors.New("the cursor stays where it is")
		}
		q.Set("cursor", page.Next)
	}
	return nil, errors.New("the list has no end")
}

func lists(c *caller) error {
	listed, err := c.mine(time.Unix(0, 0))
	if err != nil {
		return err
	}
	c.mu.Lock()
	want := append([]remote.Effect(nil), c.performed...)
	c.mu.Unlock()
	var last time.Time
	for i, e := range listed {
		at, err := time.Parse(time.RFC3339, e.At)
		if err != nil {
			return fmt.Errorf("%s is listed at %q", e.ID, e.At)
		}
		if at.Before(last) {
			return fmt.Errorf("%s is listed after what came later", e.ID)
		}
		last, e.At = at, ""
		if i >= len(want) || e != want[i] {
			return fmt.Errorf("number %d is %+v; %d operations were approved", i, e, len(want))
		}
	}
	if len(listed) != len(want) {
		return fmt.Errorf("%d are listed, %d were approved", len(listed), len(want))
	}
	return nil
}

func pages(c *caller) error {
	all, err := c.mine(time.Unix(0, 0))
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("nothing is listed")
	}
	last, err := time.Parse(time.RFC3339, all[len(all)-1].At)
	if err != nil {
		return err
	}
	from, err := c.mine(last)
	if err == nil && (len(from) == 0 || from[len(from)-1] != all[len(all)-1]) {
		err = errors.New("since the moment of the last one, that is not listed")
	}
	if err != nil {
		return err
	}
	later, err := c.mine(last.Add(2 * time.Second))
	if err == nil && len(later) > 0 {
		err = fmt.Errorf("since a moment after the last one, %d are listed", len(later))
	}
	return err
}

func nonsense(c *caller) error {
	before, err := c.mine(time.Unix(0, 0))
	if err != nil {
		return err
	}
	id := c.name()
	for _, body := range []string{`{`, `[]`, `{}`, fmt.Sprintf(`{"id":%q,"payment":%q,"amount":-5,"currency":"USD"}`, id, id)} {
		status, err := c.ask(http.MethodPost, "/v1/authorize", "", body, nil)
		if err != nil {
			return err
		}
		if status < 400 || status >= 500 {
			return fmt.Errorf("%s is answered with status %d", body, status)
		}
	}
	after, err := c.mine(time.Unix(0, 0))
	if err == nil && len(after) != len(before) {
		err = errors.New("something was performed")
	}
	return err
}
