package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/explain"
	"github.com/capstan-pay/capstan/money"
)

type riskCommand struct {
	Show  riskShow  `cmd:"" help:"Show the risk configuration for all merchants."`
	Set   riskSet   `cmd:"" help:"Set the risk configuration for all merchants."`
	Clear riskClear `cmd:"" help:"Take the risk configuration for all merchants away."`

	Reviews riskReviews `cmd:"" help:"List operations of a merchant that a rule wants somebody to look at."`
	Approve riskApprove `cmd:"" help:"Let a payment go on that is held up for a review."`
	Reject  riskReject  `cmd:"" help:"Give the hold of a payment back that is held up for a review."`
}

type riskShow struct {
	place
	JSON bool `help:"Print JSON, which it does anyway." name:"json"`
}

func (c riskShow) Help() string { return "Example: capstan risk show --store capstan.db" }

// Run shows the configuration.
func (c riskShow) Run(o *output) error {
	document, err := administer(o, c.place, reads, func(a admin.Administrator) (json.RawMessage, error) { return a.ServerRisk(o) })
	if err != nil {
		return err
	}
	return o.print(document)
}

type riskSet struct {
	File string `arg:"" help:"File with the configuration, JSON: rules of the level psp, as docs/risk.md describes them."`
	place
}

func (c riskSet) Help() string {
	return `Every merchant's operations are held against these rules, besides his own (merchant set MERCHANT risk=@FILE). Running
servers follow within ten seconds.

Example: capstan risk set psp.json --admin http://127.0.0.1:8081`
}

// Run sets the configuration.
func (c riskSet) Run(o *output) error {
	document, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	return setRisk(o, c.place, document, "The risk configuration for all merchants is set")
}

type riskClear struct{ place }

func (c riskClear) Help() string { return "Example: capstan risk clear --store capstan.db" }

// Run takes the configuration away.
func (c riskClear) Run(o *output) error {
	return setRisk(o, c.place, json.RawMessage("null"), "There is no risk configuration for all merchants any more")
}

func setRisk(o *output, p place, document json.RawMessage, done string) error {
	if !json.Valid(document) {
		return errors.New("the risk configuration is not JSON")
	}
	if _, err := administer(o, p, changes, func(a admin.Administrator) (struct{}, error) { return struct{}{}, a.SetServerRisk(o, document) }); err != nil {
		return err
	}
	_, err := fmt.Fprintln(o.out, done)
	return err
}

type riskReviews struct {
	Merchant string `arg:"" help:"The merchant."`
	place
	Since  *instant `placeholder:"TIME" help:"Asked for since: a time such as 2026-01-15T12:00:00Z, or how long ago, such as 6h or 2d."`
	Before *instant `placeholder:"TIME" help:"Asked for before."`
	Limit  int      `default:"100" help:"How many, at most 1000."`
	JSON   bool     `help:"Print JSON: with the verdicts and their facts." name:"json"`
}

func (c riskReviews) Help() string {
	return `The latest first. Payments that were made through wepay are held up until somebody approves or rejects them: those are in_review.
Nothing else is held up by a rule with the action review: void or refund what should not have been.

Examples:
  capstan risk reviews mer_3CfBQ2mWNPAC0dKtGiCVmfDj --since 1d
  capstan risk reviews mer_3CfBQ2mWNPAC0dKtGiCVmfDj --json --admin http://127.0.0.1:8081`
}

// Run lists reviews.
func (c riskReviews) Run(o *output) error {
	all, err := administer(o, c.place, reads, func(a admin.Administrator) ([]admin.Review, error) {
		return a.Reviews(o, c.Merchant, admin.ReviewQuery{Since: c.Since.time(), Before: c.Before.time(), Limit: c.Limit})
	})
	switch {
	case err != nil:
		return err
	case c.JSON:
		return o.print(all)
	}
	w := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "AT (UTC)\tPAYMENT\tOPERATION\tSTATUS\tAMOUNT\tREVIEW")
	for _, r := range all {
		fmt.Fprintf(w, "%s\t%s\t%d %s\t%s\t%s\t%s\n", explain.Time(r.At), r.Payment, r.Operation, r.Kind, r.Status, money.Of(r.Amount, money.Currency(r.Currency)), r.Review)
	}
	return w.Flush()
}

// verdict is what somebody has decided of a payment.
type verdict struct {
	Payment string `arg:"" help:"The payment: the number that the list shows, or any dialect's id of it."`
	place
	Reason string `required:"" help:"Why. It is kept in the payment's history, with your name."`
	JSON   bool   `help:"Print JSON." name:"json"`
}

type riskApprove struct{ verdict }

func (c riskApprove) Help() string {
	return `What was held up follows: a payment that is captured at once is captured, and so is one whose planned capture has come meanwhile.

Example: capstan risk approve 118640279 --reason 'known customer' --admin http://127.0.0.1:8081`
}

// Run lets the payment go on.
func (c riskApprove) Run(o *output) error { return c.decide(o, "approve") }

type riskReject struct{ verdict }

func (c riskReject) Help() string {
	return `The payment has failed then. It may be said again where the processor would not give the hold back.

Example: capstan risk reject 118640279 --reason 'stolen card' --admin http://127.0.0.1:8081`
}

// Run gives the hold back.
func (c riskReject) Run(o *output) error { return c.decide(o, "reject") }

func (v verdict) decide(o *output, decision string) error {
	if v.server() == "" {
		return usageError("only a running server carries payments on: --admin URL")
	}
	client, err := v.client(v.server())
	if err != nil {
		return err
	}
	after, err := client.Review(o, v.Payment, admin.Verdict{Decision: decision, Reason: v.Reason})
	switch {
	case err != nil:
		return err
	case v.JSON:
		return o.print(after)
	}
	_, err = fmt.Fprintf(o.out, "Payment %s is %s, its review has %s\n", after.Payment, after.Status, after.Review)
	return err
}
