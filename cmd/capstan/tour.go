package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/sandbox"
	"github.com/capstan-pay/capstan/store/sqlite"
	"github.com/capstan-pay/capstan/verify"
)

type tourCommand struct {
	Keep bool `help:"Leave the server running afterwards, until it is interrupted."`
}

func (c tourCommand) Help() string {
	return `Starts a sandbox on a free loopback port and a temporary SQLite file. Then, through
each of the four dialects, over real HTTP with that dialect's own authentication:
authorize 20.00 USD, capture 15.00, capture the remaining 5.00 (or be refused),
repeat the first capture, and query the payment. At the end the books are audited.

Exit code 0 means that every answer was as it must be.

Example: capstan tour`
}

// Amounts of the tour, in minor units of USD.
const (
	tourHold  = 2000
	tourFirst = 1500
	tourRest  = tourHold - tourFirst
)

// step is one request of the tour and what must come of it.
type step struct {
	name     string
	send     func(ctx context.Context, c drive.Client, id string) (drive.Result, error)
	expected map[string]expectation // by dialect
}

// expectation is what a step must come to.
type expectation struct {
	verdict  drive.Verdict
	code     string // how a refusal's code begins
	captured int64  // -1: not told
}

// Run walks through the dialects and fails when any answer is not as it must
// be.
func (c tourCommand) Run(o *output) error {
	folder, err := os.MkdirTemp("", "capstan-tour-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	serve := serveCommand{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Store: filepath.Join(folder, "capstan.db"), Sandbox: true, LogLevel: "error",
		CredentialsOut: filepath.Join(folder, "credentials.json"),
	}
	s, err := serve.start(o)
	if err != nil {
		return err
	}
	if err := serve.ready(o, s); err != nil {
		return errors.Join(err, s.stop())
	}
	walked := c.walk(o, s)
	if c.Keep {
		fmt.Fprintf(o.out, "\nThe server stays at %s; its credentials are in %s. Interrupt to stop it.\n", s.url, serve.CredentialsOut)
		select {
		case <-o.Done():
		case err := <-s.failed:
			return err
		}
	}
	// The interruption that ends a kept server does not end the audit.
	return errors.Join(walked, s.stop(), c.audit(&output{context.WithoutCancel(o), o.out, o.err}, serve.Store))
}

func (c tourCommand) walk(o *output, s *running) error {
	credentials, err := s.Sandboxed.Default(o)
	if err != nil {
		return err
	}
	var rows []tourRow
	for _, name := range []string{"alipay", "wepay", "intents", "begateway"} {
		row, err := c.dialect(o, name, credentials)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		rows = append(rows, row)
	}
	return printTable(o.out, rows)
}

// tourRow is what the closing table says of one dialect.
type tourRow struct {
	dialect string
	answers []string
	wrong   []string
}

// steps of the tour. A wepay payment and a plain intent take one capture: the
// rest is released with it. Alipay and begateway take several. Begateway has no
// idempotency keys: a repeat within 30 seconds is refused as a duplicate.
var steps = []step{
	{
		"authorize 20.00",
		func(ctx context.Context, c drive.Client, _ string) (drive.Result, error) {
			return c.Authorize(ctx, tourHold, "tour-authorize")
		},
		map[string]expectation{
			"alipay": {drive.Done, "SUCCESS", -1}, "wepay": {drive.Done, "", 0}, "intents": {drive.Done, "", 0}, "begateway": {drive.Done, "", -1},
		},
	},
	{
		"capture 15.00",
		func(ctx context.Context, c drive.Client, id string) (drive.Result, error) {
			return c.Capture(ctx, id, tourFirst, "tour-capture-1", false)
		},
		map[string]expectation{
			"alipay": {drive.Done, "SUCCESS", tourFirst}, "wepay": {drive.Done, "", tourFirst},
			"intents": {drive.Done, "", tourFirst}, "begateway": {drive.Done, "", tourFirst},
		},
	},
	{
		"capture 5.00",
		func(ctx context.Context, c drive.Client, id string) (drive.Result, error) {
			return c.Capture(ctx, id, tourRest, "tour-capture-2", true)
		},
		map[string]expectation{
			"alipay": {drive.Done, "SUCCESS", tourRest}, "wepay": {drive.Refused, "INVALID_PARAMS.PAYMENT_CANNOT_BE_CAPTURED", -1},
			"intents": {drive.Refused, "payment_intent_unexpected_state", tourFirst}, "begateway": {drive.Done, "", tourRest},
		},
	},
	{
		"repeat 15.00",
		func(ctx context.Context, c drive.Client, id string) (drive.Result, error) {
			return c.Capture(ctx, id, tourFirst, "tour-capture-1", false)
		},
		map[string]expectation{
			"alipay": {drive.Done, "SUCCESS", tourFirst}, "wepay": {drive.Done, "", tourFirst},
			"intents": {drive.Replayed, "", tourFirst}, "begateway": {drive.Duplicate, "Duplicate transaction", -1},
		},
	},
	{
		"query",
		func(ctx context.Context, c drive.Client, id string) (drive.Result, error) { return c.Query(ctx, id) },
		map[string]expectation{
			"alipay": {drive.Done, "SUCCESS", tourHold}, "wepay": {drive.Done, "", tourFirst},
			"intents": {drive.Done, "", tourFirst}, "begateway": {drive.Done, "", -1},
		},
	},
}

// dialect walks through one dialect.
func (c tourCommand) dialect(o *output, name string, credentials sandbox.Credentials) (tourRow, error) {
	client, err := drive.New(name, credentials)
	if err != nil {
		return tourRow{}, err
	}
	fmt.Fprintf(o.out, "\n=== %s ===\n", name)
	row, id := tourRow{dialect: name}, ""
	for _, step := range steps {
		r, err := step.send(o, client, id)
		if err != nil {
			return row, fmt.Errorf("%s: %w", step.name, err)
		}
		if id == "" {
			id = r.ID
		}
		show(o.out, step.name, r)
		answer, want := string(r.Verdict), step.expected[name]
		if r.Verdict == drive.Refused && r.Code != "" {
			answer += ": " + r.Code
		}
		row.answers = append(row.answers, answer)
		switch {
		case r.Verdict != want.verdict, !strings.HasPrefix(r.Code, want.code), want.captured >= 0 && r.Captured != want.captured:
			row.wrong = append(row.wrong, fmt.Sprintf("%s: got %s %q with %d captured, want %s %q with %d",
				step.name, r.Verdict, r.Code, r.Captured, want.verdict, want.code, want.captured))
		}
	}
	return row, nil
}

// show prints an exchange for people: what was sent, and the answer indented.
func show(out io.Writer, title string, r drive.Result) {
	fmt.Fprintf(out, "\n-- %s\n   %s %s\n", title, r.Method, r.Path)
	if len(r.Request) > 0 {
		fmt.Fprintf(out, "   > %s\n", shorten(r.Request, 400))
	}
	fmt.Fprintf(out, "   < %d ", r.Status)
	var compact bytes.Buffer
	if json.Compact(&compact, r.Answer) != nil {
		compact.Write(r.Answer)
	}
	fmt.Fprintln(out, shorten(compact.Bytes(), 600))
}

func shorten(text []byte, limit int) string {
	if len(text) <= limit {
		return string(text)
	}
	return string(text[:limit]) + " ..."
}

var errTour = errors.New("an answer was not as it must be")

func printTable(out io.Writer, rows []tourRow) error {
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprint(table, "dialect")
	for _, s := range steps {
		fmt.Fprint(table, "\t", s.name)
	}
	fmt.Fprintln(table, "\t")
	wrong := 0
	for _, row := range rows {
		fmt.Fprint(table, row.dialect)
		for _, a := range row.answers {
			fmt.Fprint(table, "\t", shorten([]byte(a), 44))
		}
		fmt.Fprintln(table, "\t")
		wrong += len(row.wrong)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, row := range rows {
		for _, w := range row.wrong {
			fmt.Fprintf(out, "WRONG %s: %s\n", row.dialect, w)
		}
	}
	if wrong > 0 {
		return errTour
	}
	fmt.Fprintln(out, "\nEvery answer is as it must be.")
	return nil
}

// audit holds the books of the tour against its history.
func (c tourCommand) audit(o *output, store string) error {
	st, err := sqlite.OpenReadOnly(o, store)
	if err != nil {
		return err
	}
	defer st.Close()
	report, err := verify.Audit(o, st)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.out, "Audit: %d payments, %d events, %d postings, %d findings.\n", report.Payments, report.Events, report.Postings, len(report.Findings))
	if !report.Clean() {
		return errFindings
	}
	return nil
}
