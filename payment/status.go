package payment

import "fmt"

// Status says where a payment stands.
type Status uint8

// The states of a payment. Captured and those after it are final: no hold is
// open and none can be opened. A captured payment can still be
// refunded and settled, which moves money but not the state.
const (
	None          Status = iota // nothing is there yet
	Created                     // known; no authorization has been asked for, or the last one was declined and another may follow
	Authorizing                 // the processor has been asked and has not answered
	AwaitingPayer               // the payer has to do something first
	Authorized                  // a hold is open
	Captured                    // the hold is closed and something was captured
	Voided                      // closed by the merchant with nothing captured
	Expired                     // closed by its deadline with nothing captured
	Declined                    // the authorization, a capture that may not be repeated, or a payout was declined
	PaidOut                     // money went to the payee
	statusCount
)

var statusNames = [...]string{
	None: "none", Created: "created", Authorizing: "authorizing", AwaitingPayer: "awaiting_payer",
	Authorized: "authorized", Captured: "captured", Voided: "voided", Expired: "expired", Declined: "declined", PaidOut: "paid_out",
}

// String is the name of the status in APIs and reports, such as "authorized".
func (s Status) String() string {
	if s >= statusCount {
		return fmt.Sprintf("payment.Status(%d)", uint8(s))
	}
	return statusNames[s]
}

// Final tells whether the hold is closed for good.
func (s Status) Final() bool { return s >= Captured }

// Statuses lists every status, None first.
func Statuses() []Status {
	all := make([]Status, statusCount)
	for i := range all {
		all[i] = Status(i)
	}
	return all
}

// Ending says why a payment's hold, or the wait for one, is over. A captured
// payment may have ended by its last capture, by a void of the rest or by its
// deadline.
type Ending uint8

// The endings.
const (
	Open            Ending = iota // not ended
	EndedByCapture                // a final capture, or one that took all that was left
	EndedByVoid                   // what was left was voided
	EndedByCancel                 // cancelled as a whole
	EndedByDeadline               // the deadline passed
	EndedByDecline                // declined by the processor
	EndedByPayout                 // the payee was paid
	EndedByReview                 // voided because an operator did not let it go on
	endingCount
)

var endingNames = [...]string{
	Open: "open", EndedByCapture: "capture", EndedByVoid: "void", EndedByCancel: "cancel",
	EndedByDeadline: "deadline", EndedByDecline: "decline", EndedByPayout: "payout", EndedByReview: "review",
}

// String is the name of the ending in reports, such as "void".
func (e Ending) String() string {
	if e >= endingCount {
		return fmt.Sprintf("payment.Ending(%d)", uint8(e))
	}
	return endingNames[e]
}

// Edge is one permitted move of the state machine.
type Edge struct {
	From  Status
	Event EventKind
	To    Status
}

// Edges returns every permitted move. Documentation is generated from it,
// property tests and the auditor hold histories against it, and applying an
// event that would make any other move is an error.
func Edges() []Edge {
	edges := []Edge{
		{None, PaymentCreated, Created},
		{Created, AuthorizationPending, Authorizing},
		{AwaitingPayer, AuthorizationPending, Authorizing},
		{Created, PayerAwaited, AwaitingPayer},
		{Authorizing, PayerAwaited, AwaitingPayer},
		{AwaitingPayer, PayerAwaited, AwaitingPayer},
		{Created, HoldAuthorized, Authorized},
		{Authorizing, HoldAuthorized, Authorized},
		{AwaitingPayer, HoldAuthorized, Authorized},
		{Created, AuthorizationDeclined, Declined},
		{Authorizing, AuthorizationDeclined, Declined},
		{AwaitingPayer, AuthorizationDeclined, Declined},
		{Created, AuthorizationDeclined, Created},
		{Authorizing, AuthorizationDeclined, Created},
		{AwaitingPayer, AuthorizationDeclined, Created},
		{Authorized, HoldCaptured, Authorized},
		{Authorized, HoldCaptured, Captured},
		{Authorized, CaptureDeclined, Authorized},
		{Authorized, CaptureDeclined, Declined},
		{Authorized, HoldVoided, Authorized},
		{Authorized, HoldVoided, Voided},
		{Authorized, HoldVoided, Captured},
		{Created, PaymentCancelled, Voided},
		{AwaitingPayer, PaymentCancelled, Voided},
		{Authorized, HoldExpired, Expired},
		{Authorized, HoldExpired, Captured},
		{AwaitingPayer, HoldExpired, Expired},
		{Created, PayoutPending, Authorizing},
		{Created, MoneyPaidOut, PaidOut},
		{Authorizing, MoneyPaidOut, PaidOut},
		{Created, PayoutDeclined, Declined},
		{Authorizing, PayoutDeclined, Declined},
	}
	for s := Created; s < statusCount; s++ {
		edges = append(edges, Edge{s, PaymentRevised, s})
	}
	edges = append(edges, Edge{PaidOut, CorrectionMade, PaidOut})
	for s := Created; s < PaidOut; s++ {
		for _, e := range []EventKind{CorrectionPending, CorrectionMade, CorrectionDeclined} {
			edges = append(edges, Edge{s, e, s})
		}
	}
	for _, e := range []EventKind{CapturePending, VoidPending, VoidDeclined, IncrementPending, HoldIncremented, IncrementDeclined, HoldPassed, HoldRejected} {
		edges = append(edges, Edge{Authorized, e, Authorized})
	}
	for _, s := range []Status{Authorized, Captured} {
		for _, e := range []EventKind{RefundPending, MoneyRefunded, RefundDeclined, CaptureSettled, RefundSettled} {
			edges = append(edges, Edge{s, e, s})
		}
	}
	return edges
}

var legal = func() (table [statusCount][eventKindCount][statusCount]bool) {
	for _, e := range Edges() {
		table[e.From][e.Event][e.To] = true
	}
	return table
}()
