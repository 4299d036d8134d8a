package capstan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/processor/remote"
)

// allCards is the name of the processor of cards whose brand has none of its
// own.
const allCards = "card"

// addProcessors connects the remote processors. In a sandbox the script of
// outcomes goes before them, as before every processor.
func (s *Server) addProcessors(c Config) error {
	s.brands, s.remotes = map[string]processor.Processor{}, map[string]*remote.Processor{}
	for _, name := range slices.Sorted(maps.Keys(c.Processors)) {
		p, err := remote.New(remote.Config{Name: name, URL: c.Processors[name], Logger: c.Logger, Merchant: s.IDs.Merchant})
		if err != nil {
			return err
		}
		if !c.Sandbox && !p.Secure() {
			return fmt.Errorf("processor %s: card numbers are sent to it: in live mode its URL must be https://, or on this machine", name)
		}
		s.remotes[name] = p
		var behind processor.Processor = p
		if c.Sandbox {
			behind = s.script.Before(p)
		}
		if name == allCards {
			s.cards = behind
		} else {
			s.brands[name] = behind
		}
	}
	return nil
}

// remote names the remote processor that a method's operations go to, empty if
// none.
func (s *Server) remote(m payment.Method) string {
	name := m.Brand
	if s.remotes[name] == nil {
		name = allCards
	}
	if m.Kind != payment.CardMethod && m.Kind != payment.PayeeCard || s.remotes[name] == nil {
		return ""
	}
	return name
}

// processor says who moves the money for a method. Outside the sandbox there
// is nobody for cards unless a remote processor is configured.
func (s *Server) processor(_ int64, m payment.Method) processor.Processor {
	switch m.Kind {
	case payment.WalletMethod:
		return s.wallet
	case payment.CardMethod, payment.PayeeCard:
		if p := s.brands[m.Brand]; p != nil {
			return p
		}
		if s.cards != nil {
			return s.cards
		}
	}
	return nil
}
