package payment

// Edit makes the new intake of a payment out of the payment as it is when the
// command is decided, so that two changes at a time cannot undo each other. It
// must be pure and must not change the payment. With a refusal nothing is done.
type Edit func(p *Payment) (Intake, *Refusal)

// edit runs e, if there is one, and returns the intake it made; nil without
// one, or when it refused.
func (d *decision) edit(e Edit) *Intake {
	if e == nil {
		return nil
	}
	intake, refusal := e(d.p)
	if refusal != nil {
		d.refuse(refusal)
		return nil
	}
	return &intake
}

// abandon ends the wait for a payer who has not acted, where the policy lets
// another authorization follow, and tells whether it did.
func (d *decision) abandon() bool {
	if d.p.Status != AwaitingPayer || !d.p.Policy.RetryDeclined {
		return false
	}
	d.concludeAuthorization(d.p.Authorization().Number, Answer{Result: Refused, Reason: PayerDeclined}, nil)
	return true
}
