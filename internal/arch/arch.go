// Package arch holds the shape of this tree: which package may import which,
// and what no file may do. Its tests check the tree; depguard's rules in
// .golangci.yml are made from the same table.
package arch

import "strings"

// Module is the path of the module.
const Module = "github.com/capstan-pay/capstan"

// Rule says what the packages of a pattern may import of this module. A
// pattern is a path below the module, "*" in its last place standing for any
// one name; "" is the module's root.
type Rule struct {
	Packages string
	Imports  string // patterns, separated by spaces; "**" is everything
	Because  string // shown with a violation
}

// Rules are tried in order: the first that matches a package counts. Arrows
// point down; packages side by side never import each other.
var Rules = []Rule{
	{"money", "", "money stands on nothing"},
	{"ledger", "money", "books know amounts, and nobody whose they are"},
	{"document", "", "what a dialect keeps for itself is nobody else's business"},
	{"payment", "document money ledger", "the state machine is pure: it knows no store, no dialect, no processor"},
	{"wallet", "money", "a wallet user is known by his balance alone"},
	{"merchant", "money", "merchants are known below everything that serves them"},
	{"risk", "money", "a verdict depends on amounts and counters, not on who asks"},
	{"page", "", "a page has its style from here, and what it says from whoever shows it"},
	{"throttle", "", "counting requests needs nothing but the time"},
	{"admission", "clock", "who comes in depends on how many there are, not on who it is"},
	{"clock", "", "time comes from here and depends on nothing"},
	{"keyring", "", "keys depend on nothing"},
	{"card", "payment", "what may be kept of a card is said in payment's words"},
	{"vault", "card clock document keyring payment", "a kept card is a document with a sealed part"},
	{"wireid", "payment", "ids are renderings of payment's"},

	{"outbox", "payment", "what is told of an event is said in payment's words"},
	{"signature", "", "who is told checks a signature without knowing who tells"},

	{"store", "document money ledger outbox payment risk wallet merchant", "the store knows no wire format and decides nothing"},
	{"store/storetest", "document money ledger outbox payment risk wallet merchant store store/memory", "the kit compares a store with the plainest one"},
	{"store/*", "document money ledger outbox payment risk wallet merchant store internal/failpoint", "stores do not know each other"},
	{"processor", "money payment", "who moves money knows no dialect and no store"},
	{"processor/*", "clock money payment processor", "processors do not know each other"},
	{"simulator", "clock money payment processor processor/*", "the peer of a remote processor knows the protocol, and not who speaks it"},
	{"reconcile", "money payment processor processor/remote store", "what was performed is compared with what is stored"},
	{"engine", "clock document money ledger outbox payment risk merchant processor store internal/failpoint", "the engine knows no dialect"},

	{"dialect", "card clock document keyring merchant money outbox payment receipt throttle vault wallet wireid", "dialects see outcomes, not rows, and cannot tell who moves the money"},
	{"dialect/dialecttest", "capstantest", "transcripts are played to a whole server"},
	{"dialect/*", "card clock dialect document keyring merchant money outbox page payment receipt signature throttle vault wallet wireid", "dialects do not know each other, nor store, engine and processors"},
	{"receipt", "keyring money merchant page payment", "the payer's page shows what a payment says, and stands below the dialects that send people to it"},

	{"webhook", "clock dialect document keyring merchant money outbox payment signature store internal/failpoint", "deliveries are made from what is stored"},
	{"telemetry", "card clock dialect document engine money outbox payment store", "those who watch decide nothing, and know no dialect by name"},
	{"console", "clock keyring money ledger merchant payment risk store wallet wireid", "the operator's pages show what is stored"},
	{"explain", "ledger money outbox payment store wireid", "the story of a payment is told from what is stored"},
	{"admin", "clock dialect explain keyring merchant outbox payment reconcile store wireid", "administration looks at payments and never changes one"},
	{"verify", "money ledger outbox payment risk store wallet", "the auditor reads what was written without calling the rules that wrote it"},
	{"move", "document ledger merchant outbox payment store wallet", "moving carries what is written from store to store, and reads nothing into it"},
	{"sandbox", "clock document keyring money ledger merchant outbox page payment risk store wallet webhook wireid dialect processor processor/scripted", "sandbox controls work through the engine like any caller"},

	{
		"", "admin admission card clock console dialect dialect/* document engine keyring ledger merchant money move outbox page payment processor processor/* receipt reconcile risk sandbox signature store store/* telemetry throttle vault verify wallet webhook wireid",
		"the assembly knows every part, and neither the program nor its tools",
	},
	{"bench", "", "the load generator sees the server from outside"},
	{"capstantest", "**", "a whole server for tests"},
	{"conform", "**", "transcripts as a product"},
	{"cmd/*", "**", "the program"},
	{"internal/failpoint", "", "a place where a process may die knows nothing of it"},
	{"internal/*", "**", "tools of this tree"},
}

// RuleFor returns the rule of a package, given by its path below the module;
// false if there is none.
func RuleFor(pkg string) (Rule, bool) {
	for _, r := range Rules {
		if matches(r.Packages, pkg) {
			return r, true
		}
	}
	return Rule{}, false
}

// Allows tells whether the rule lets its packages import another, given by its
// path below the module.
func (r Rule) Allows(imported string) bool {
	for _, pattern := range strings.Fields(r.Imports) {
		if pattern == "**" || matches(pattern, imported) {
			return true
		}
	}
	return false
}

func matches(pattern, pkg string) bool {
	if folder, ok := strings.CutSuffix(pattern, "/*"); ok {
		rest, ok := strings.CutPrefix(pkg, folder+"/")
		return ok && rest != "" && !strings.Contains(rest, "/")
	}
	return pattern == pkg
}
