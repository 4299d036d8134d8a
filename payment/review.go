package payment

import (
	"fmt"
	"slices"
)

// ReviewStatus says where a hold stands that the risk checks want an operator
// to look at, where the policy holds it up for that.
type ReviewStatus uint8

// The states of a review. A payment that nobody has to look at has none.
const (
	NotReviewed  ReviewStatus = iota
	InReview                  // nothing is captured before an operator has decided; voids and the deadline do not wait
	ReviewPassed              // he let it go on
	ReviewFailed              // he did not: the hold is given back, and nothing is captured any more
	reviewStatusCount
)

// String is the name of the status in APIs and reports, such as "in_review".
func (s ReviewStatus) String() string {
	if s >= reviewStatusCount {
		return fmt.Sprintf("payment.ReviewStatus(%d)", uint8(s))
	}
	return [...]string{NotReviewed: "not_reviewed", InReview: "in_review", ReviewPassed: "passed", ReviewFailed: "failed"}[s]
}

// Review is what an operator has decided of a hold that waits for him. If it
// passed, what was held up follows: the automatic capture, or one that was
// planned for a time that has come. If not, the hold is voided; that may be said
// again while the processor has not given it back. It is refused with
// NotCapturable where there is nothing to decide.
type Review struct {
	Passed bool
	Note   string // who says so, and why; kept in the history
}

func (c Review) decide(d *decision) {
	p := d.p
	lapsed := d.expireIfDue()
	r := &Refusal{}
	r.when(p.inDoubt(), OperationPending)
	r.when(p.Status != Authorized || p.Review != InReview && (c.Passed || p.Review != ReviewFailed), NotCapturable)
	r.when(lapsed, HoldOver)
	if d.refuse(r) {
		return
	}
	said, op := &Answer{Message: c.Note}, p.Authorization()
	if !c.Passed {
		d.emit(Event{Kind: HoldRejected, Answer: said})
		d.void(OpVoid, p.Remaining(), EndedByReview, Asked{Dialect: op.Dialect})
		return
	}
	d.emit(Event{Kind: HoldPassed, Answer: said})
	if p.Policy.AutoCapture && d.err == nil {
		d.capture(Capture{Final: true}, Asked{Dialect: op.Dialect, Reference: op.Reference, Parent: op.Number})
	}
	d.made = op.Number
}

// HeldUp tells whether a hold is open that a review keeps from being captured:
// until an operator has decided, and what he has turned down was given back.
func (p *Payment) HeldUp() bool {
	return p.Status == Authorized && (p.Review == InReview || p.Review == ReviewFailed)
}

// Reviewed says in a word where the payment's review stands: in_review, passed,
// failed, undecided if the hold was over before anybody had decided, or nothing
// if there is none.
func (p *Payment) Reviewed() string {
	switch {
	case p.Review == NotReviewed:
		return ""
	case p.Review == InReview && !p.HeldUp():
		return "undecided"
	}
	return p.Review.String()
}

// flag notes that an operator has to look at the authorization that e is of.
func (p *Payment) flag(e Event) {
	if p.Policy.ReviewsHold && e.Asked != nil && slices.Contains(e.Asked.Labels, ToReview) {
		p.Review = InReview
	}
	if e.Kind == AuthorizationDeclined {
		p.Review = NotReviewed // another attempt is judged anew
	}
}

func (p *Payment) applyReview(e Event) error {
	if p.Status != Authorized || !(p.Review == InReview || p.Review == ReviewFailed && e.Kind == HoldRejected) {
		return fmt.Errorf("%w: %s of payment %s, which is %s and %s", ErrIllegal, e.Kind, p.ID, p.Status, p.Review)
	}
	p.Review = ReviewPassed
	if e.Kind == HoldRejected {
		p.Review = ReviewFailed
	}
	return nil
}
