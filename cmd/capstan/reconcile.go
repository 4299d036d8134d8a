package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/capstan-pay/capstan/admin"
)

type reconcileCommand struct {
	Find   reconcileFind   `cmd:"" default:"withargs" help:"List in what the books and the processors differ."`
	Adopt  reconcileAdopt  `cmd:"" help:"Book what a processor has performed and what is not known here."`
	Settle reconcileSettle `cmd:"" help:"Write down how a difference was settled."`
}

type reconcileFind struct {
	place
	Since *instant `placeholder:"TIME" help:"Of what was performed since: a time such as 2026-01-15T12:00:00Z, or how long ago, such as 2d. Default: from the beginning."`
	JSON  bool     `help:"Print JSON." name:"json"`
}

func (c reconcileFind) Help() string {
	return `A running server compares what its remote processors have performed with its history; it does so by itself every day, for the last
eight days. What a processor has performed against its own word is taken back at once. Exit code 1 means that there are differences.

Examples:
  capstan reconcile --admin http://127.0.0.1:8081
  capstan reconcile --admin http://127.0.0.1:8081 --since 2d --json`
}

// running returns a client of the server.
func (p place) running() (*admin.Client, error) {
	if p.server() == "" {
		return nil, usageError("only a running server knows its processors: --admin URL")
	}
	return p.client(p.server())
}

var errDiffer = errors.New("the books differ from the processors'")

// Run lists the differences and fails when there is one.
func (c reconcileFind) Run(o *output) error {
	client, err := c.running()
	if err != nil {
		return err
	}
	client.HTTP.Timeout = 0 // as long as it takes
	findings, err := client.Reconcile(o, admin.Since{Since: c.Since.time()})
	if err != nil {
		return err
	}
	if c.JSON {
		err = o.print(map[string]any{"findings": findings})
	} else if len(findings) > 0 {
		w := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "PROCESSOR\tOPERATION\tKIND\tWHAT")
		for _, f := range findings {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Processor, f.ID, f.Kind, f.Text)
		}
		err = w.Flush()
	} else {
		_, err = fmt.Fprintln(o.out, "no differences")
	}
	if err == nil && len(findings) > 0 {
		err = errDiffer
	}
	return err
}

type reconcileAdopt struct {
	Operation string `arg:"" help:"The operation, op_..., as the list shows it."`
	place
	Reason string `required:"" help:"Why. It is kept in the payment's history."`
}

func (c reconcileAdopt) Help() string {
	return `A capture, a void or a refund that the processor's list has and a restored store has not is booked as the processor has performed it,
with your name and the reason. Nothing is asked of the processor. Where a payment lacks several, adopt them in their order.

Example: capstan reconcile adopt op_118640279_2 --reason 'restored from the backup of 3:00' --admin http://127.0.0.1:8081`
}

// Run adopts one operation.
func (c reconcileAdopt) Run(o *output) error {
	client, err := c.running()
	if err != nil {
		return err
	}
	return client.Adopt(o, admin.Settlement{Operation: c.Operation, Reason: c.Reason})
}

type reconcileSettle struct {
	Operation string `arg:"" help:"The operation, op_..., as the list shows it."`
	place
	Reason string `required:"" help:"How it was settled, and why. It is kept in the payment's history."`
}

func (c reconcileSettle) Help() string {
	return `It moves no money: do that with the processor. The correction is written into the history of the payment, with your name, and the
difference is listed no more.

Example: capstan reconcile settle op_118640279_2 --reason 'refunded by the acquirer, ticket 4711' --admin http://127.0.0.1:8081`
}

// Run settles one difference.
func (c reconcileSettle) Run(o *output) error {
	client, err := c.running()
	if err != nil {
		return err
	}
	return client.Settle(o, admin.Settlement{Operation: c.Operation, Reason: c.Reason})
}
