package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// dialect speaks one wire API for one merchant. Its methods are called by many
// goroutines at once.
type dialect interface {
	// authorize appends the request for hold n.
	authorize(b []byte, n int) ([]byte, error)

	// capture appends the request that captures hold n whole, given the
	// answer to its authorization; false if that answer is not an open hold.
	capture(b []byte, n int, held answer) ([]byte, bool, error)

	// captured tells whether an answer says that this very request captured.
	captured(answer) bool

	// busy tells whether an answer says that nothing was done because too many
	// ask, and that the same request may come again.
	busy(answer) bool

	// problem is what an answer says went wrong: a code, never a value of the
	// request.
	problem(answer) string
}

// setup is what a dialect is made from.
type setup struct {
	target      target
	credentials Credentials
	run         string // differs from run to run: goes into every key
	payments    int    // that this merchant will authorize
}

// dialects make a dialect ready for one merchant. A new dialect is a file of
// its own and a line here.
var dialects = map[string]func(context.Context, setup) (dialect, error){
	"alipay":  newAlipay,
	"intents": newIntents,
}

// Dialects lists the names of the dialects that can be measured.
func Dialects() []string { return slices.Sorted(maps.Keys(dialects)) }

// amount is what every payment is about, in minor units of USD.
const amount = "1099"

// newRun makes a name that no earlier run has used.
func newRun() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// describe is how an answer that is no success is reported.
func describe(d dialect, a answer) string {
	if problem := d.problem(a); problem != "" {
		return fmt.Sprintf("answer %d %s", a.status, problem)
	}
	return fmt.Sprintf("answer %d", a.status)
}
