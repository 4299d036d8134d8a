// Package throttle bounds how often somebody may ask. It is pure but for its
// own memory: whoever asks says what time it is.
//
// Each instance of a server counts for itself.
package throttle

import (
	"cmp"
	"sync"
	"time"
)

// Rule says how many requests may pass. The zero Rule lets all pass.
type Rule struct {
	requests int           // that may pass within per
	per      time.Duration //
	burst    int           // Steady: that may pass at once; 0 makes it a window
}

// maxRequests bounds what a rule can ask to be remembered.
const maxRequests = 100_000

// Steady lets perSecond requests a second pass on average, and after a pause
// up to burst at once; a burst below 1 is as many as pass in a second. It is no
// bound when perSecond is below 1.
func Steady(perSecond, burst int) Rule {
	if perSecond < 1 {
		return Rule{}
	}
	if burst < 1 {
		burst = perSecond
	}
	return Rule{requests: perSecond, per: time.Second, burst: burst}
}

// Window lets at most requests pass in any time as long as per. It is no bound
// when requests is below 1; a number above 100,000 is taken as that.
func Window(requests int, per time.Duration) Rule {
	if requests < 1 || per <= 0 {
		return Rule{}
	}
	return Rule{requests: min(requests, maxRequests), per: per}
}

// Lane names who is counted, and for what.
type Lane struct {
	Merchant int64
	Name     string
}

// remembered bounds the moments that a limiter keeps, of all lanes together.
const remembered = 1 << 20

// Limiter counts requests. Its zero value is ready to use; a nil one lets
// everything pass. It is safe for concurrent use, and its memory is bounded:
// when there are too many lanes, those that have all of their allowance back
// are forgotten, which changes nothing for them, and if that is not enough, all
// are.
type Limiter struct {
	mu    sync.Mutex
	lanes map[Lane]*lane
	kept  int // moments, of all lanes
	most  int // of them; 0 is remembered
}

// lane is what is remembered of one.
type lane struct {
	rule   Rule
	paidBy int64   // Steady: when all that has passed is paid for, Unix nanoseconds
	passed []int64 // Window: when the last requests passed, a ring once it is full
	next   int     // the oldest of a full ring
}

// Pass counts a request and returns 0, or returns how long it has to wait
// before it would pass. A request that does not pass costs nothing.
func (l *Limiter) Pass(who Lane, rule Rule, now time.Time) (wait time.Duration) {
	if l == nil || rule.requests == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := now.UnixNano()
	n := l.lanes[who]
	if n == nil || n.rule != rule {
		if n != nil {
			l.drop(who, n)
		}
		n = l.add(who, rule, at)
	}
	if rule.burst > 0 {
		return n.pay(at)
	}
	before := cap(n.passed)
	wait = n.enter(at)
	l.kept += cap(n.passed) - before
	return wait
}

// pay lets a request pass that does not run the lane too far into debt.
func (n *lane) pay(at int64) time.Duration {
	price := int64(n.rule.per) / int64(n.rule.requests)
	credit := price * int64(n.rule.burst)
	owed := max(n.paidBy-at, 0)
	if owed > credit {
		owed = 0 // the clock was set back
	}
	if missing := owed + price - credit; missing > 0 {
		return time.Duration(missing)
	}
	n.paidBy = at + owed + price
	return 0
}

// enter lets a request pass when the window that ends now has room.
func (n *lane) enter(at int64) time.Duration {
	if len(n.passed) < n.rule.requests {
		n.passed = append(n.passed, at)
		return 0
	}
	if age := at - n.passed[n.next]; age >= 0 && age < int64(n.rule.per) {
		return n.rule.per - time.Duration(age)
	}
	n.passed[n.next] = at
	n.next = (n.next + 1) % n.rule.requests
	return 0
}

// idle tells whether forgetting the lane would change nothing.
func (n *lane) idle(at int64) bool {
	if n.rule.burst > 0 {
		return n.paidBy <= at
	}
	last := n.next - 1
	if last < 0 {
		last = len(n.passed) - 1
	}
	return len(n.passed) == 0 || at-n.passed[last] >= int64(n.rule.per)
}

func (l *Limiter) add(who Lane, rule Rule, at int64) *lane {
	most := cmp.Or(l.most, remembered)
	if l.kept >= most {
		for name, n := range l.lanes {
			if n.idle(at) {
				l.drop(name, n)
			}
		}
	}
	if l.lanes == nil || l.kept >= most {
		l.lanes, l.kept = map[Lane]*lane{}, 0
	}
	n := &lane{rule: rule}
	l.lanes[who] = n
	l.kept++
	return n
}

func (l *Limiter) drop(who Lane, n *lane) {
	l.kept -= 1 + cap(n.passed)
	delete(l.lanes, who)
}
