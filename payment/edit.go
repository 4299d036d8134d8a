package payment

// Edit makes the new intake of a payment out of the payment as it is when the
// command is decided, so that two changes at a time cannot undo each other. It
// must be pure and must not change the payment. With a refusal nothing is done.
type Edit func(p *Payment) (Intake, *Refusal)

// edit runs e and returns the intake it made; nil when it refused.
func (d *decision) edit(e Edit) *Intake {
	intake, refusal := e(d.p)
	if refusal != nil {
		d.refuse(refusal)
		return nil
	}
	return &intake
}

// abandon ends the wait for a payer who has not acted, if there is one. It is
// not what the command is about.
func (d *decision) abandon() {
	if d.p.Status != AwaitingPayer {
		return
	}
	made := d.made
	d.concludeAuthorization(d.p.Authorization().Number, Answer{Result: Refused, Reason: PayerDeclined}, nil)
	d.made = made
}
