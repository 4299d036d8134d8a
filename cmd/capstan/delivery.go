package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/explain"
)

type deliveryCommand struct {
	List   deliveryList   `cmd:"" help:"List what was, or is to be, sent to a merchant's endpoints."`
	Repeat deliveryRepeat `cmd:"" help:"Send messages again, whatever became of them."`
}

// whichDeliveries says which are meant.
type whichDeliveries struct {
	Payment string   `placeholder:"ID" help:"Of this payment, by any dialect's id or the number that reports call it by."`
	Message string   `placeholder:"MSG" help:"Of this message, msg_..."`
	State   string   `enum:",waiting,delivered,given_up,stopped" default:"" placeholder:"STATE" help:"In this state: waiting, delivered, given_up or stopped."`
	Since   *instant `placeholder:"TIME" help:"Of what happened since: a time such as 2026-01-15T12:00:00Z, or how long ago, such as 6h or 2d."`
	Before  *instant `placeholder:"TIME" help:"Of what happened before."`
}

// instant is a time, or how long ago it was.
type instant time.Time

// UnmarshalText implements encoding.TextUnmarshaler.
func (i *instant) UnmarshalText(text []byte) error {
	if at, err := time.Parse(time.RFC3339, string(text)); err == nil {
		*i = instant(at)
		return nil
	}
	var ago span
	if err := ago.UnmarshalText(text); err != nil {
		return errors.New("neither a time such as 2026-01-15T12:00:00Z nor how long ago, such as 6h")
	}
	*i = instant(clock.System{}.Now().Add(-time.Duration(ago)))
	return nil
}

func (i *instant) time() time.Time {
	if i == nil {
		return time.Time{}
	}
	return time.Time(*i)
}

type deliveryList struct {
	Merchant string `arg:"" help:"The merchant."`
	place
	whichDeliveries
	Limit int  `default:"100" help:"How many, at most 1000."`
	JSON  bool `help:"Print JSON." name:"json"`
}

func (c deliveryList) Help() string {
	return `The latest first, with what the last attempt was answered. capstan explain shows every attempt.

Examples:
  capstan delivery list mer_3CfBQ2mWNPAC0dKtGiCVmfDj --state given_up --since 2d
  capstan delivery list mer_3CfBQ2mWNPAC0dKtGiCVmfDj --payment pi_1CkJpM4OeeSk2dNz1oQFsk1z --json`
}

// Run lists deliveries.
func (c deliveryList) Run(o *output) error {
	all, err := administer(o, c.place, reads, func(a admin.Administrator) ([]admin.Delivery, error) {
		return a.Deliveries(o, c.Merchant, admin.DeliveryQuery{
			Payment: c.Payment, Message: c.Message, State: c.State, Since: c.Since.time(), Before: c.Before.time(), Limit: c.Limit,
		})
	})
	switch {
	case err != nil:
		return err
	case c.JSON:
		return o.print(all)
	}
	return writeDeliveries(o.out, all)
}

func writeDeliveries(to io.Writer, all []admin.Delivery) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MESSAGE\tAT (UTC)\tPAYMENT\tDIALECT\tTOPIC\tSTATE\tATTEMPTS\tLAST ANSWER\tENDPOINT")
	for _, d := range all {
		answer := d.Fault
		if d.Status != 0 {
			answer = fmt.Sprint(d.Status)
		}
		if answer == "" {
			answer = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", d.Message, explain.Time(d.At), d.Payment, d.Dialect, d.Topic, d.State, d.Attempts, answer, d.Endpoint)
	}
	return w.Flush()
}

type deliveryRepeat struct {
	Merchant string `arg:"" help:"The merchant."`
	place
	whichDeliveries
	JSON bool `help:"Print JSON." name:"json"`
}

func (c deliveryRepeat) Help() string {
	return `Each is attempted at once, or when a server has the store open, and goes on by its schedule if that is not used up. Say which:
a message, a payment, or since when those that were given up or stopped.

Examples:
  capstan delivery repeat mer_3CfBQ2mWNPAC0dKtGiCVmfDj --message msg_4f1c2a9be0d35a7788c1d204
  capstan delivery repeat mer_3CfBQ2mWNPAC0dKtGiCVmfDj --state given_up --since 2d --admin http://127.0.0.1:8081`
}

// Run has deliveries made again.
func (c deliveryRepeat) Run(o *output) error {
	done, err := administer(o, c.place, changes, func(a admin.Administrator) (admin.Redelivered, error) {
		return a.Redeliver(o, c.Merchant, admin.Redelivery{
			Payment: c.Payment, Message: c.Message, State: c.State, Since: c.Since.time(), Before: c.Before.time(),
		})
	})
	switch {
	case err != nil:
		return err
	case c.JSON:
		return o.print(done)
	}
	fmt.Fprintf(o.out, "%d deliveries are made again\n", done.Redelivered)
	if done.More {
		fmt.Fprintln(o.out, "There are more: call this again")
	}
	return nil
}
