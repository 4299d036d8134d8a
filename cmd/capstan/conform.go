package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/capstan-pay/capstan/conform"
)

type conformCommand struct {
	Processor string `required:"" placeholder:"URL" help:"The processor, as in serve --processor NAME=URL."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

func (c conformCommand) Help() string {
	return `It asks the processor to authorize, capture, void and refund small amounts in USD under fresh names, repeats, seals and lists them, and
says of each promise of docs/processors.md whether it was kept. Use it on a processor's test system: what it does moves money.
Exit code 1 means that a promise was broken.

Example: capstan conform --processor http://127.0.0.1:9000`
}

// Run checks a processor and prints what it keeps.
func (c conformCommand) Run(o *output) error {
	checks, err := conform.Processor(o, c.Processor)
	if err != nil {
		return usageError("--processor: " + err.Error())
	}
	broken := 0
	for _, check := range checks {
		if check.Broken != "" {
			broken++
		}
	}
	if c.JSON {
		err = json.NewEncoder(o.out).Encode(map[string]any{"checks": checks, "broken": broken})
	} else {
		for _, check := range checks {
			word := "ok    "
			if check.Broken != "" {
				word = "BROKEN"
			}
			fmt.Fprintf(o.out, "%s  %s\n", word, check.Promise)
			if check.Broken != "" {
				fmt.Fprintf(o.out, "        %s\n", check.Broken)
			}
		}
	}
	if err == nil && broken > 0 {
		err = errors.New("the processor breaks the protocol")
	}
	return err
}
