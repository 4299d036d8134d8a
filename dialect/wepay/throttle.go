package wepay

import (
	"sync"
	"time"
)

// window is the time in which an application may make so many requests to one
// endpoint.
const window = 10 * time.Second

// maxRateLimit bounds what is remembered of one application and endpoint.
const maxRateLimit = 100_000

// throttle counts requests. Each instance counts for itself. Its zero value is
// ready to use, and it is safe for concurrent use.
type throttle struct {
	mu     sync.Mutex
	passed map[lane]*ring
}

type lane struct{ app, endpoint string }

// ring holds the times of the last requests that passed, as many as may pass
// in one window.
type ring struct {
	times []time.Time
	next  int
}

// allow tells whether a request may pass: fewer than limit have passed in the
// window that ends now.
func (t *throttle) allow(app, endpoint string, limit int, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.passed == nil {
		t.passed = map[lane]*ring{}
	}
	r := t.passed[lane{app, endpoint}]
	if r == nil || len(r.times) != limit {
		r = &ring{times: make([]time.Time, limit)}
		t.passed[lane{app, endpoint}] = r
	}
	if oldest := r.times[r.next]; !oldest.IsZero() && now.Sub(oldest) < window {
		return false
	}
	r.times[r.next] = now
	r.next = (r.next + 1) % limit
	return true
}
