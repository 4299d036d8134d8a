package main

import (
	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/explain"
)

type explainCommand struct {
	ID string `arg:"" help:"An id of the payment, or of one of its captures, refunds or charges, in any dialect; or the number that verify and the logs call it by."`
	place
	JSON bool `help:"Print JSON." name:"json"`
}

func (c explainCommand) Help() string {
	return `Tells what happened to one payment, in order: who asked, what the processor and the risk checks said,
what was posted, and what is still to come. It reads one consistent state and may run beside a live server.
It needs the store's key file, for ids are encrypted with it, and shows no secrets.

Examples:
  capstan explain pi_3CfBQ2mWNPAC0dKtGiCVmfDj --store capstan.db
  capstan explain 7d4ae5a2-4f6a-8a0a-3a28-26a2f9ac2be6 --json
  capstan explain pi_3CfBQ2mWNPAC0dKtGiCVmfDj --admin http://127.0.0.1:8081`
}

// Run prints the story of a payment.
func (c explainCommand) Run(o *output) error {
	story, err := administer(o, c.place, reads, func(a admin.Administrator) (*explain.Story, error) { return a.Explain(o, c.ID) })
	switch {
	case err != nil:
		return err
	case c.JSON:
		return o.print(story)
	}
	return story.Write(o.out)
}
