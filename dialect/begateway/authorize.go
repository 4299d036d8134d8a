package begateway

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

const (
	// payerDeadline is how long a payer may take to authenticate himself
	// where the request does not say.
	payerDeadline = 24 * time.Hour

	additionalLimit = 16 << 10 // bytes of additional_data, which is kept to be shown again
)

// authorizeOperation is what the core's refusals are answered for here.
var authorizeOperation = operation{kind: payment.OpAuthorize, impossible: textNotProcessable}

// authorize answers POST /transactions/authorizations (section 6.1).
func (d *Dialect) authorize(c *call) answered { return d.create(c, false) }

// pay answers POST /transactions/payments: an authorization that is captured
// at once, under one uid.
func (d *Dialect) pay(c *call) answered { return d.create(c, true) }

func (d *Dialect) create(c *call, sale bool) answered {
	doc, ok := readDocument(c.body)
	if !ok {
		return answered{problem: fails(base, textBadJSON)}
	}
	in, wrong := d.readIntake(c.Context(), doc.member("request"), c.shop)
	if in.fault != nil {
		return answered{err: in.fault}
	}
	if len(wrong) > 0 {
		return answered{problem: invalid(wrong)}
	}
	in.intake.Policy = c.shop.policy(sale)
	in.intake.Policy.PayerDeadline = in.payerDeadline
	out, err := d.once(c, &in, sale)
	switch {
	case errors.Is(err, errDuplicate):
		return answered{problem: fails(base, textDuplicate)}
	case err != nil:
		return answered{err: err}
	case out.Refusal != nil:
		return answered{problem: refused(authorizeOperation, out.Refusal, nil)}
	}
	d.keepCard(c.Context(), c.shop, &in, out.Payment)
	return d.show(c, out.Payment, transaction{payment: out.Payment.ID}, c.shop.form())
}

// policy is what a shop's holds permit.
func (s *shop) policy(sale bool) payment.Policy {
	p := payment.Policy{HoldFor: time.Duration(s.holdSeconds) * time.Second}
	switch {
	case sale:
		// A sale whose capture is declined has failed: nothing stays held.
		p.AutoCapture, p.DeclinedCaptureEnds = true, true
	case !s.multiCapture:
		p.MaxCaptures = 1
	}
	return p
}

// intakeRequest is what authorizations and payments are asked with.
type intakeRequest struct {
	intake        payment.Intake
	secret        payment.Secret
	stored        bool  // the card is one that was kept
	fault         error // of ours
	duplicates    time.Duration
	payerDeadline time.Duration
	threeDSecure  bool // the payer may be asked to authenticate
}

// command is what the engine is asked for.
func (in *intakeRequest) command() payment.Create {
	return payment.Create{
		Intake:  in.intake,
		Attempt: &payment.Attempt{Secret: in.secret, Unchallenged: !in.threeDSecure, Asked: payment.Asked{Dialect: Name, Reference: in.intake.Reference}},
	}
}

// readIntake reads the request object of an authorization or payment, with all
// that is wrong with it.
func (d *Dialect) readIntake(ctx context.Context, request value, s *shop) (in intakeRequest, wrong faults) {
	fields := map[string]value{}
	request.members(func(name string, v value) { fields[name] = v })
	kept := intakeDetails{Version: 1}

	d.readBasics(fields, &in.intake, &wrong)
	in.duplicates = readDuplicateCheck(fields["duplicate_check"], &wrong)
	d.readCard(ctx, fields, s, &in, &kept, &wrong)
	readCustomer(fields["customer"], s, &in.intake, &kept, &wrong)
	readBilling(fields["billing_address"], s, &kept, &wrong)
	if d.Sandbox && kept.Billing != nil {
		kept.AVS = avsCode(kept.Billing.Address, kept.Billing.Zip)
	}

	kept.Language = readLanguage(fields["language"])
	in.payerDeadline = d.readExpiredAt(fields["expired_at"], &kept, &wrong)
	kept.NotificationURL = readURL(fields, notificationURL, &wrong)
	kept.ReturnURL = readURL(fields, returnURL, &wrong)
	kept.VerificationURL = readURL(fields, verificationURL, &wrong)
	kept.Descriptor = readDescriptor(fields["dynamic_billing_descriptor"])
	if more := fields["additional_data"]; len(more) > additionalLimit {
		wrong.add(additionalData, textTooLong(additionalLimit))
	} else if len(more) > 0 {
		kept.AdditionalData = json.RawMessage(more)
	}
	in.intake.Details = kept.encode()
	if in.leaks() {
		wrong.add(base, textNotProcessable)
	}
	return in, wrong
}

// readBasics reads what every request for money names: how much, of what, what
// for, and the shop's own name for it.
func (d *Dialect) readBasics(fields map[string]value, in *payment.Intake, wrong *faults) {
	in.Dialect = Name
	minor, text := readAmount(fields["amount"])
	switch in.Amount = minor; {
	case text != "":
		wrong.add(amount, text)
	case minor > payment.MaxAmount:
		wrong.add(amount, textTooLarge(payment.MaxAmount))
	}
	in.Currency = readCurrency(fields["currency"], wrong)
	in.Description = optional(fields["description"])
	wrong.required(description, in.Description, textLimit)
	in.Reference = optional(fields["tracking_id"])
	in.Labels = tracking(in.Reference)
	wrong.bounded(trackingID, in.Reference, textLimit)
	if in.Test = fields["test"].is(true); in.Test && !d.Sandbox {
		wrong.add(base, textNotProcessable) // only a sandbox has somebody who moves no money
	}
}

// leaks tells whether the card's number stands in what would be kept, where a
// client put it by mistake; also in groups, as it is printed on the card.
func (in *intakeRequest) leaks() bool {
	if in.secret.Number == "" {
		return false
	}
	i := &in.intake
	details := escaped.ReplaceAllStringFunc(string(i.Details), func(e string) string { return value(`"` + e + `"`).text() })
	for _, text := range []string{i.Description, i.Reference, i.Email, i.IP, i.Method.Holder, details} {
		if strings.Contains(card.Ungrouped(text), in.secret.Number) {
			return true
		}
	}
	return false
}

// escaped is a digit or a sign between them, as JSON may spell it.
var escaped = regexp.MustCompile(`\\u00[23a][0-9]|\\u002[dDeE]`)

func readCurrency(v value, wrong *faults) money.Currency {
	if v.blank() {
		wrong.add(currency, textBlank)
		return ""
	}
	code, err := money.ParseCurrency(v.text())
	if err != nil {
		wrong.add(currency, textUnknownCurrency)
	}
	return code
}

// languages of the payer's pages.
var languages = []string{
	"en", "es", "tr", "de", "it", "ru", "zh", "fr", "da", "fi", "no", "pl", "sv", "ja", "be", "ka", "uk", "lv", "az", "ro",
}

// readLanguage returns the language asked for, or "en" if there is no such.
func readLanguage(v value) string {
	if code := v.text(); slices.Contains(languages, code) {
		return code
	}
	return "en"
}

// readExpiredAt reads until when the payer must have acted, and returns how
// long he has.
func (d *Dialect) readExpiredAt(v value, kept *intakeDetails, wrong *faults) time.Duration {
	if v.blank() {
		return payerDeadline
	}
	at, err := parseTime(v.text())
	left := at.Sub(d.Clock.Now())
	switch {
	case err != nil:
		wrong.add(expiredAt, textInvalid)
	case left <= 0:
		wrong.add(expiredAt, textPast)
	}
	kept.ExpiredAt = at.UnixMilli()
	return left
}

// parseTime reads an instant of ISO 8601 with its offset, which PHP writes with
// a colon or without.
func parseTime(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse("2006-01-02T15:04:05Z0700", text)
	}
	return at, err
}

func readURL(fields map[string]value, at attribute, wrong *faults) string {
	url := optional(fields[places[at].name])
	wrong.bounded(at, url, urlLimit)
	return url
}

// readDescriptor is what the payer's statement is to say: a text, or a list of
// them.
func readDescriptor(v value) string {
	if !v.isArray() {
		return optional(v)
	}
	var lines []string
	v.elements(func(line value) { lines = append(lines, line.text()) })
	return strings.Join(lines, " ")
}
