package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/simulator"
)

type simulatorCommand struct {
	Listen      string `default:"127.0.0.1:9000" help:"Where it listens."`
	Journal     string `required:"" placeholder:"FILE" help:"Every effect is one JSON line in it, on disk before the answer. An existing one is gone on with."`
	AllowRemote bool   `help:"Let it listen on an address that is not loopback: its controls have no authentication."`
}

func (c simulatorCommand) Help() string {
	return `It speaks the plugin protocol of docs/processors.md and knows the sandbox's test cards. POST /_sandbox/processor queues outcomes,
among them lost, late and contradictory answers. What it declined and sealed it keeps in a second file, with .answers after its name.

Example:
  capstan simulator --listen 127.0.0.1:9000 --journal journal.jsonl &
  capstan serve --sandbox --processor card=http://127.0.0.1:9000`
}

// Run serves until the context ends.
func (c simulatorCommand) Run(o *output) error {
	if !c.AllowRemote && !loopback(c.Listen) {
		return usageError(c.Listen + " is not loopback (see --allow-remote)")
	}
	s, err := simulator.Open(c.Journal, clock.System{})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	server := capstan.HTTPServer(s)
	server.WriteTimeout = 0 // an answer may be ordered to take ten minutes
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Fprintf(o.out, "capstan simulator is ready: http://%s, journal %s\n", listener.Addr(), c.Journal)
	select {
	case err = <-failed:
	case <-o.Done():
		ctx, cancel := context.WithTimeout(context.Background(), closing)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			err = server.Close()
		}
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.Close())
}
