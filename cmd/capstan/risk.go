package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

type riskCommand struct {
	Show  riskShow  `cmd:"" help:"Show the risk configuration for all merchants."`
	Set   riskSet   `cmd:"" help:"Set the risk configuration for all merchants."`
	Clear riskClear `cmd:"" help:"Take the risk configuration for all merchants away."`
}

type riskShow struct {
	place
	JSON bool `help:"Print JSON, which it does anyway." name:"json"`
}

func (c riskShow) Help() string { return "Example: capstan risk show --store capstan.db" }

// Run shows the configuration.
func (c riskShow) Run(o *output) error {
	if err := c.own(); err != nil {
		return err
	}
	a, closing, err := c.open(o, reads)
	if err != nil {
		return err
	}
	defer closing()
	document, err := a.ServerRisk(o)
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
	if err := p.own(); err != nil {
		return err
	}
	if !json.Valid(document) {
		return errors.New("the risk configuration is not JSON")
	}
	a, closing, err := p.open(o, changes)
	if err != nil {
		return err
	}
	if err := errors.Join(a.SetServerRisk(o, document), closing()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.out, done)
	return err
}
