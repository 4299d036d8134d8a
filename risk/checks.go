package risk

import (
	"errors"
	"fmt"
	"slices"
)

// Checks is a compiled configuration. It does not change and may be shared.
type Checks struct {
	levels       [3]checkedLevel
	limits       []Limit
	white, black lookups
	windows      []window // one for each kind of counter
	asked        []window // what active rules count, each once; windows of one kind may be of different length
}

type lookups struct{ cards, ips, emails map[string]bool }

// checkedLevel is one level of rules: those of the merchant's configuration,
// and before them those that the server's has for everybody.
type checkedLevel struct {
	name  string
	key   []byte // the name as it begins its member
	rules []checkedRule
}

type checkedRule struct {
	Rule
	when *expression
	sets setsOfBINs
	key  []byte // alias and condition as they begin their member
}

// Setup is what a merchant's configuration is compiled with.
type Setup struct {
	Names  Levels  // of the levels that no configuration names
	Server *Server // rules for all merchants; nil is none
	Always bool    // also where there is nothing to check: then every operation has a verdict
}

// Compile prepares a configuration. It returns nil when there is nothing to
// check. Conditions that cannot be evaluated are an error, which names the
// rule.
func (c Config) Compile(s Setup) (*Checks, error) {
	server, names := s.Server, s.Names
	if server == nil {
		server = &Server{}
	}
	if !s.Always && len(c.Limits)+len(c.Rules)+len(server.rules) == 0 && c.White.empty() && c.Black.empty() {
		return nil, nil
	}
	checks := &Checks{limits: c.Limits, white: c.White.lookups(), black: c.Black.lookups()}
	if err := checks.name(c.Levels, server.name, names); err != nil {
		return nil, err
	}
	checks.levels[2].rules = server.rules
	taken := map[string]bool{}
	for _, r := range server.rules {
		taken[r.Alias] = true
	}
	compiled, err := c.compileRules()
	if err != nil {
		return nil, err
	}
	for _, r := range compiled {
		for i := range levels {
			if r.Level == levels[i] && !(r.Level == PSPLevel && taken[r.Alias]) {
				l := &checks.levels[i]
				l.rules = append(l.rules[:len(l.rules):len(l.rules)], r)
			}
		}
	}
	for _, l := range checks.levels {
		for _, r := range l.rules {
			checks.watch(r)
		}
	}
	return checks, nil
}

// name names the levels. What a configuration says itself must differ; another
// name that is taken gets a prime.
func (c *Checks) name(own Levels, psp string, names Levels) error {
	if psp == "" {
		psp = names.PSP
	}
	said, otherwise := [3]string{own.Shop, own.Merchant, own.PSP}, [3]string{names.Shop, names.Merchant, psp}
	taken := map[string]bool{}
	for _, name := range said {
		if name != "" && taken[name] {
			return errors.New("risk: config.levels: the three levels need three different names")
		}
		taken[name] = true
	}
	for i, name := range said {
		if name == "" {
			if name = otherwise[i]; name == "" {
				return fmt.Errorf("risk: the level %s has no name", levels[i])
			}
			for taken[name] {
				name += "'"
			}
			taken[name] = true
		}
		c.levels[i].name, c.levels[i].key = name, appendString(nil, name)
	}
	return nil
}

// compileRules compiles the conditions of the configuration's rules.
func (c Config) compileRules() ([]checkedRule, error) {
	var rules []checkedRule
	var work uint64
	sets := make(setsOfBINs, len(c.Sets))
	for name, bins := range c.Sets {
		sets[name] = setOf(bins)
	}
	for i, r := range c.Rules {
		member, source := "condition", r.Condition
		var err error
		if r.CEL {
			member = "cel"
		} else {
			source, err = inWords(source, c.Sets)
		}
		var when *expression
		if err == nil {
			when, err = compileExpression(source, c.Sets)
		}
		if err != nil {
			return nil, fmt.Errorf("risk: config.rules[%d].%s: %w", i, member, err)
		}
		if !r.Inactive {
			work += when.work
		}
		if work > maxWork {
			return nil, fmt.Errorf("risk: config.rules[%d].%s: is too much work together with the active rules before it: up to %d steps, where %d are the most", i, member, work, maxWork)
		}
		key := append(appendString(nil, r.Alias), `:{`...)
		key = append(appendString(key, r.Condition), `:"`...)
		rules = append(rules, checkedRule{r, when, sets, key})
	}
	return rules, nil
}

// watch notes what an active rule counts. Rules that count the same share a
// counter that looks back far enough for all of them.
func (c *Checks) watch(r checkedRule) {
	for _, w := range r.when.windows {
		if r.Inactive {
			continue
		}
		if !slices.ContainsFunc(c.asked, func(a window) bool { return a.key() == w.key() && a.hours == w.hours }) {
			c.asked = append(c.asked, w)
		}
		shared := false
		for i := range c.windows {
			if have := &c.windows[i]; have.key() == w.key() {
				have.keep, have.hours, shared = max(have.keep, w.keep), max(have.hours, w.hours), true
			}
		}
		if !shared {
			c.windows = append(c.windows, w)
		}
	}
}

// Server is the compiled configuration of the server's operator: rules of the
// PSP level that every merchant's operations are held against. It may be
// shared.
type Server struct {
	name  string // of the level; empty leaves it to the merchant's
	rules []checkedRule
}

// CompileServer prepares a configuration for all merchants. It may name the
// PSP level, and have sets and rules of that level; anything else belongs to
// one merchant and is an error. It returns nil when there is nothing to check.
func (c Config) CompileServer() (*Server, error) {
	switch {
	case c.Merchant != "":
		return nil, errors.New("risk: config.merchant: the server's configuration is for all merchants")
	case len(c.Limits) > 0:
		return nil, errors.New("risk: config.limits: limits are a merchant's, the server has rules only")
	case !c.White.empty() || !c.Black.empty():
		return nil, errors.New("risk: config.lists: lists are a merchant's, the server has rules only")
	case c.Levels.Shop != "" || c.Levels.Merchant != "":
		return nil, errors.New("risk: config.levels: the server names the level psp only")
	}
	for i, r := range c.Rules {
		if r.Level != PSPLevel {
			return nil, fmt.Errorf("risk: config.rules[%d].level: must be psp in the server's configuration", i)
		}
	}
	rules, err := c.compileRules()
	if err != nil || len(rules) == 0 {
		return nil, err
	}
	return &Server{c.Levels.PSP, rules}, nil
}

func (l List) empty() bool { return len(l.Cards)+len(l.IPs)+len(l.Emails) == 0 }

func (l List) lookups() lookups { return lookups{setOf(l.Cards), setOf(l.IPs), setOf(l.Emails)} }
