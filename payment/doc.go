// Package payment is the state machine of one payment: what may be asked of
// it, what follows, and why not.
//
// It is pure. A [Command] is decided on a [Payment] at an instant and gives
// the [Event]s that follow, or a [*Refusal]; folding events gives the payment
// again. Nothing here reads a clock, does I/O, starts a goroutine or knows a
// dialect. What providers do differently is a [Policy], stored with the hold.
//
// An event brings its ledger entry and its timers with it, so state, books
// and agenda cannot drift apart.
package payment
