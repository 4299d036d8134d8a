package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/capstan-pay/capstan/verify"
)

type verifyCommand struct {
	Store string `default:"capstan.db" help:"The store to audit. It may be in use."`
	JSON  bool   `help:"Print the report as JSON." name:"json"`
}

func (c verifyCommand) Help() string {
	return `Recomputes balances, states, idempotency records and postings from the history,
with arithmetic of its own. Exit code 1 and a list when anything disagrees.

Example: capstan verify --store capstan.db`
}

var errFindings = errors.New("the store contradicts itself")

// Run audits the store and fails when anything disagrees.
func (c verifyCommand) Run(o *output) error {
	st, err := openReadOnly(o, c.Store)
	if err != nil {
		return err
	}
	defer st.Close()
	report, err := verify.Audit(o, st)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(o.out).Encode(report); err != nil {
			return err
		}
	} else {
		for _, f := range report.Findings {
			fmt.Fprintln(o.out, f)
		}
		if report.More > 0 {
			fmt.Fprintf(o.out, "and %d more\n", report.More)
		}
		fmt.Fprintf(o.out, "%d payments, %d events, %d postings, %d idempotency records, %d timers, %d deliveries: %d findings\n",
			report.Payments, report.Events, report.Postings, report.Records, report.Timers, report.Sent, len(report.Findings)+report.More)
	}
	if !report.Clean() {
		return errFindings
	}
	return nil
}
