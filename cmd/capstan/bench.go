package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/capstan-pay/capstan/bench"
)

type benchCommand struct {
	Target      string        `placeholder:"URL" help:"The server, on a loopback address. Default: the base_url of the credentials."`
	Credentials string        `required:"" placeholder:"FILE" help:"What serve --credentials-out wrote."`
	Dialect     string        `default:"intents" help:"The dialect to speak: alipay or intents."`
	Connections int           `default:"64" help:"Connections; each has one request at a time."`
	Duration    time.Duration `default:"10s" help:"How long to capture at most."`
	Payments    int           `default:"200000" help:"Holds to authorize before the clock starts; each is captured once at most."`
	Merchants   int           `default:"1" help:"1: the merchant of the credentials. More: that many fresh sandbox merchants share the payments."`
	Rate        float64       `help:"Captures to send a second, whatever becomes of them, instead of one after the other on each connection: overload when it is more than the server can do."`
	JSON        bool          `name:"json" help:"Print JSON."`
}

func (c benchCommand) Help() string {
	return `The holds are authorized first, which takes a while and is not timed; progress and
problems go to standard error. Then each is captured once, until the holds or
the time run out. Errors are all answers that are not a first, successful
capture; with any, the exit code is 1.

The alipay dialect signs every request, so authorizing takes about as long as
capturing: give it no more payments than can be captured, e.g. 2000 a second.

With --rate the load does not wait: times count from the moment at which a
request was to be sent, and answers that tell to come again because the server
is busy are counted as refused; their captures are sent again later.

Examples:
  capstan serve --sandbox --credentials-out credentials.json &
  capstan bench --credentials credentials.json
  capstan bench --credentials credentials.json --dialect alipay --payments 20000 --json
  capstan bench --credentials credentials.json --connections 256 --merchants 50
  capstan bench --credentials credentials.json --connections 1024 --rate 40000`
}

// Run measures and prints the result.
func (c benchCommand) Run(o *output) error {
	text, err := os.ReadFile(c.Credentials)
	if err != nil {
		return usageError(fmt.Sprintf("--credentials: %v", err))
	}
	credentials, err := bench.ParseCredentials(text)
	if err != nil {
		return usageError(fmt.Sprintf("--credentials: %s: %v", c.Credentials, err))
	}
	if c.Target == "" {
		c.Target = credentials.BaseURL
	}
	options := bench.Options{
		Target: c.Target, Credentials: credentials, Dialect: c.Dialect, Connections: c.Connections,
		Payments: c.Payments, Merchants: c.Merchants, Log: o.err,
	}
	if err := options.Check(); err != nil {
		return usageError(err.Error())
	}
	if c.Rate < 0 || c.Rate > 10_000_000 {
		return usageError("--rate must be 0, which is none, to 10000000")
	}
	if c.Duration <= 0 {
		return usageError("--duration must be more than nothing")
	}
	fmt.Fprintf(o.err, "authorizing %d payments\n", c.Payments)
	load, err := bench.Prepare(o, options)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.err, "capturing %d payments, for %s at most\n", load.Holds(), c.Duration)
	if c.Rate > 0 {
		result, err := load.CaptureOpen(o, c.Rate, c.Duration)
		return c.conclude(result.Errors, errors.Join(err, c.printOpen(o, result)))
	}
	result, err := load.Capture(o, c.Duration)
	return c.conclude(result.Errors, errors.Join(err, c.print(o, result)))
}

func (c benchCommand) conclude(failed int, err error) error {
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of the answers were not a successful capture", failed)
	}
	return err
}

func (c benchCommand) printOpen(o *output, r bench.OpenResult) error {
	if c.JSON {
		return json.NewEncoder(o.out).Encode(r)
	}
	if err := c.print(o, r.Result); err != nil {
		return err
	}
	_, err := fmt.Fprintf(o.out, `arrived      %d, %.0f a second; late by %.3f ms (p50)
refused      %d
p50          %.3f ms
p99          %.3f ms
`, r.Arrived, c.Rate, r.LateP50, r.Refused, r.RefusedP50, r.RefusedP99)
	return err
}

func (c benchCommand) print(o *output, r bench.Result) error {
	if c.JSON {
		return json.NewEncoder(o.out).Encode(r)
	}
	_, err := fmt.Fprintf(o.out, `%s, %d connections, merchants: %d
captures     %d in %.3f s
captures/s   %.0f
p50          %.3f ms
p90          %.3f ms
p99          %.3f ms
p99.9        %.3f ms
errors       %d
`, c.Dialect, c.Connections, c.Merchants, r.Captures, r.Seconds, r.PerSecond, r.P50, r.P90, r.P99, r.P999, r.Errors)
	return err
}
