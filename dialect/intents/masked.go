package intents

import (
	"regexp"
	"strings"

	"github.com/capstan-pay/capstan/card"
)

// A client may send a card number where none belongs: as an id, in a path, in a
// description. Error texts, and what is kept of them, do not repeat it, and what
// would keep the number of the very card that it brings is refused.

// digitRuns finds what may be a card number, also in groups as it is printed on
// the card.
var digitRuns = regexp.MustCompile(`[0-9](?:[ -]?[0-9]){12,18}`)

// masked is a text of a client's as an error may repeat it.
func masked(text string) string {
	if len(text) < 13 {
		return text
	}
	return digitRuns.ReplaceAllStringFunc(text, func(run string) string {
		if card.Valid(card.Ungrouped(run)) {
			return run[:4] + "..."
		}
		return run
	})
}

// leaks finds a parameter, other than the one under own, that has the number of
// the card which the request brings; nil if there is none.
func (p *params) leaks(own, number string) *problem {
	for i := range p.list {
		it := &p.list[i]
		if it.name == own {
			continue
		}
		if strings.Contains(card.Ungrouped(it.name), number) || strings.Contains(card.Ungrouped(it.value), number) {
			return invalid(masked(it.name), "A card number may stand in "+own+" only, not in "+masked(it.name)+".")
		}
	}
	return nil
}
