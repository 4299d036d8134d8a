package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/explain"
)

type auditCommand struct {
	place
	Merchant string `placeholder:"MERCHANT" help:"Only acts about this merchant."`
	Before   int64  `help:"Only acts with a lower number."`
	Limit    int    `default:"100" help:"How many acts, at most 1000."`
	JSON     bool   `help:"Print JSON." name:"json"`
}

func (c auditCommand) Help() string {
	return `Lists who administered what, the latest first. Acts are only ever added, and each is tied to all before it by
a digest: capstan verify notices one that was changed or taken out.

Examples:
  capstan audit --store capstan.db
  capstan audit --merchant mer_3CfBQ2mWNPAC0dKtGiCVmfDj --json`
}

// Run lists acts of administration.
func (c auditCommand) Run(o *output) error {
	acts, err := administer(o, c.place, reads, func(a admin.Administrator) ([]admin.Act, error) {
		return a.Log(o, admin.LogQuery{Merchant: c.Merchant, Before: c.Before, Limit: c.Limit})
	})
	switch {
	case err != nil:
		return err
	case c.JSON:
		return o.print(acts)
	}
	return writeActs(o.out, acts)
}

func writeActs(to io.Writer, acts []admin.Act) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ACT\tAT (UTC)\tBY\tACTION\tMERCHANT\tSUBJECT\tDETAILS")
	for _, a := range acts {
		merchant, subject := a.Merchant, a.Subject
		if merchant == "" {
			merchant = "-"
		}
		if subject == "" {
			subject = "-"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", a.Number, explain.Time(a.At), a.By, a.Action, merchant, subject, a.Details)
	}
	return w.Flush()
}
