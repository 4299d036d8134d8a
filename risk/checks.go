package risk

import "errors"

// Checks is a compiled configuration. It does not change and may be shared.
type Checks struct {
	levels       [3]checkedLevel
	limits       []Limit
	white, black sets
	windows      []window // one for each kind of counter
}

type sets struct{ cards, ips, emails map[string]bool }

type checkedLevel struct {
	name  string
	key   []byte // the name as it begins its member
	rules []checkedRule
}

type checkedRule struct {
	Rule
	condition condition
	key       []byte // alias and condition as they begin their member
}

// Compile prepares a configuration. Names are for the levels that it does not
// name itself. It returns nil when there is nothing to check.
func (c Config) Compile(names Levels) (*Checks, error) {
	if len(c.Limits) == 0 && len(c.Rules) == 0 && c.White.empty() && c.Black.empty() {
		return nil, nil
	}
	checks := &Checks{limits: c.Limits, white: c.White.sets(), black: c.Black.sets()}
	for i, name := range [][2]string{{c.Levels.Shop, names.Shop}, {c.Levels.Merchant, names.Merchant}, {c.Levels.PSP, names.PSP}} {
		l := &checks.levels[i]
		if l.name = name[0]; l.name == "" {
			l.name = name[1]
		}
		l.key = appendString(nil, l.name)
		for _, r := range c.Rules {
			if r.Level != levels[i] {
				continue
			}
			condition, err := parseCondition(r.Condition, c.Sets)
			if err != nil {
				return nil, err
			}
			key := append(appendString(nil, r.Alias), `:{`...)
			key = append(appendString(key, r.Condition), `:"`...)
			l.rules = append(l.rules, checkedRule{r, condition, key})
			checks.watch(r, condition)
		}
	}
	a, b, d := checks.levels[0].name, checks.levels[1].name, checks.levels[2].name
	if a == "" || b == "" || d == "" || a == b || b == d || a == d {
		return nil, errors.New("risk: the three levels need three different names")
	}
	return checks, nil
}

// watch notes what an active rule counts. Rules that count the same share a
// counter that looks back far enough for all of them.
func (c *Checks) watch(r Rule, parsed condition) {
	for _, clause := range parsed {
		w := clause.window()
		if w == (window{}) || r.Inactive {
			continue
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

func (l List) empty() bool { return len(l.Cards)+len(l.IPs)+len(l.Emails) == 0 }

func (l List) sets() sets { return sets{setOf(l.Cards), setOf(l.IPs), setOf(l.Emails)} }
