package risk

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func expressed(text string) (ruled, error) {
	sets := map[string][]string{"risky": {"411111"}, "a b": {"5"}}
	r := ruled{sets: setsOfBINs{}}
	for name, bins := range sets {
		r.sets[name] = setOf(bins)
	}
	var err error
	r.expression, err = compileExpression(text, sets)
	return r, err
}

func TestExpression(t *testing.T) {
	paid := Input{Type: Payment, Amount: 100_01, Currency: "USD", At: noon, Card: stamp, BIN: "411111", Holder: "Jane Doe", IP: "203.0.113.7", Email: "Jane@Example.com"}
	wallet := Input{Type: Capture, Amount: 5, Currency: "JPY", At: noon}
	huge := Input{Type: Capture, Amount: 1 << 60, Currency: "JPY", At: noon}
	for _, c := range []struct {
		text string
		in   Input
		want truth
	}{
		{`operation.amount > 10000 && operation.currency == "USD"`, paid, yes},
		{`operation.amount > 10001`, paid, no},
		{`operation.currency in ["EUR", "USD"]`, paid, yes},
		{`operation.type == "payment" ? operation.amount > 5 : false`, paid, yes},
		{`payer.email.endsWith("@example.com")`, paid, yes},
		{`payer.ip.startsWith("203.0.113.")`, paid, yes},
		{`card.holder.matches("^J.* Doe$")`, paid, yes},
		{`card.bin.startsWith("41") && !binIn("a b")`, paid, yes},
		{`card.fingerprint == "` + stamp + `"`, paid, yes},
		{`binIn("risky")`, paid, yes},
		{`amountVersus("100") > 0 && amountVersus("100.01") == 0 && amountVersus("100.011") < 0`, paid, yes},
		{`attempts("payment", "card", 1) == 1 && holders("ip", 24) == 1`, paid, yes},
		{`attempts("payment", "email", 1) + attempts("capture", "email", 1) == 1`, paid, yes},
		{`["a", "b"].exists(x, card.holder.contains(x))`, paid, yes},
		{`true`, paid, yes},

		// What the operation does not say is not known, unless it does not matter.
		{`binIn("risky")`, wallet, unknown},
		{`payer.email == "a@b"`, wallet, unknown},
		{`payer.email == "a@b" || operation.currency == "JPY"`, wallet, yes},
		{`payer.email == "a@b" && operation.currency == "USD"`, wallet, no},
		{`operation.currency == "JPY" && payer.email == "a@b"`, wallet, unknown},
		{`attempts("capture", "card", 1) > 0`, wallet, unknown},
		{`!(card.bin == "411111")`, wallet, unknown},

		// What cannot be computed holds: nothing passes by breaking a check.
		{`operation.amount * 1000 > 5`, huge, yes},
		{`operation.amount / (operation.amount - 5) > 5`, wallet, yes},
		{`operation.amount / (operation.amount - 5) > 5 && operation.currency == "USD"`, wallet, no},
	} {
		x, err := expressed(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		} else if got := x.holds(c.in); got != c.want {
			t.Errorf("%s is %d, want %d", c.text, got, c.want)
		}
	}
}

func TestExpressionRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`operation.amount`:                     "must be true or false, and is of the type int",
		`operation.amout > 5`:                  "line 1, column 10: undeclared reference to 'operation.amout'",
		`operation.amount > "5"`:               "found no matching overload for '_>_' applied to '(int, string)'",
		`operation.amount > 5.5`:               "found no matching overload",
		"operation.amount > 5 &&\n  foo == 1":  "line 2, column 3: undeclared reference to 'foo'",
		`operation.amount >`:                   "line 1, column 19: Syntax error",
		`now() > 5`:                            "undeclared reference to 'now'",
		`@facts == @facts`:                     "Syntax error",
		`amountVersus("1e3") > 0`:              "column 14: amountVersus: argument 1 must be major units in quotes",
		`amountVersus(100) > 0`:                "must be major units in quotes",
		`amountVersus(operation.currency) > 0`: "must be written down, not computed",
		`binIn("none")`:                        `there is no set "none"`,
		`binIn(card.bin)`:                      "must be written down",
		`attempts("sale", "card", 1) > 0`:      `attempts: argument 1 must be one of ["authorization" "payment" "capture" "void" "refund"]`,
		`attempts("capture", "shop", 1) > 0`:   `attempts: argument 2 must be one of ["card" "ip" "email"]`,
		`attempts("capture", "card", 0) > 0`:   "attempts: argument 3 must be a whole number of hours from 1 to 8784",
		`attempts("capture", "card") > 0`:      "undeclared reference to 'attempts'",
		`holders("card", 24) > 1001`:           "counts go up to 1000",
		`1001 <= holders("card", 24)`:          "counts go up to 1000",
		`[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, a+b+c+d > operation.amount))))`: "is too much work",
		// A few characters of a pattern stand for thousands of states.
		`payer.email.matches("(.?.?.?.?){1,1000}z")`:                             "is too much work",
		`matches(payer.email, "((.?){1,30}(.?){1,30}(.?){1,30}){1,30}z")`:        "is too much work",
		`[1, 2].exists(i, payer.email.matches("^[a-z]{1,30}[0-9]+@mail.test$"))`: "is too much work",
		// Nor does the payer write it.
		`"abc".matches(card.holder)`:                               "matches: the pattern must be written down",
		`payer.email.matches("a" + "b")`:                           "matches: the pattern must be written down",
		`payer.email.matches("(")`:                                 "matches: error parsing regexp",
		strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60): "recursion",
	} {
		if x, err := expressed(text); err == nil {
			t.Errorf("%s compiles to %+v", text, x)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %q, want %q", text, err, want)
		}
	}
}

// TestWorkOfPatterns: patterns that people write are little enough work.
func TestWorkOfPatterns(t *testing.T) {
	for _, text := range []string{
		`payer.email.matches("^[a-z]+[0-9]{4,}@(mail|post)[.]test$")`, `card.bin.matches("^4[0-9]{5}$")`, `matches(payer.ip, "^(10|192[.]168)[.]")`,
	} {
		x, err := expressed(text)
		if err != nil || x.work > maxCost || x.holds(Input{Email: "jane2026@mail.test", BIN: "420000", IP: "10.0.0.1"}) != yes {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestWorkOfAllRules: many conditions of which each is little enough work are
// too much together, unless they are switched off.
func TestWorkOfAllRules(t *testing.T) {
	const costly = `[1,2,3,4,5,6,7,8,9,10,11,12].all(a, [1,2,3,4,5,6,7,8,9,10,11,12].all(b, a * b < operation.amount))`
	config := func(n, inactive int) Config {
		var c Config
		for i := range n {
			c.Rules = append(c.Rules, Rule{Level: PSPLevel, Alias: strconv.Itoa(i), Condition: costly, CEL: true, Action: Reject, Inactive: i < inactive})
		}
		return c
	}
	for _, c := range []struct {
		rules, inactive int
		refused         bool
	}{{10, 0, false}, {maxRules, 0, true}, {maxRules, maxRules - 10, false}} {
		_, err := config(c.rules, c.inactive).Compile(Setup{Names: Levels{"a", "b", "c"}})
		_, server := config(c.rules, c.inactive).CompileServer()
		for _, err := range []error{err, server} {
			if refused := err != nil && strings.Contains(err.Error(), "too much work together"); refused != c.refused {
				t.Errorf("%d rules, %d inactive: %v", c.rules, c.inactive, err)
			}
		}
	}
}

// TestExpressionRemembersLittle: no more is remembered of what is counted than
// the comparison needs.
func TestExpressionRemembersLittle(t *testing.T) {
	for text, keep := range map[string]int{
		`attempts("capture", "card", 1) > 4`:     5,
		`attempts("capture", "card", 1) >= 4`:    4,
		`attempts("capture", "card", 1) < 4`:     4,
		`attempts("capture", "card", 1) == 4`:    5,
		`4 > attempts("capture", "card", 1)`:     4,
		`4 <= attempts("capture", "card", 1)`:    4,
		`4 < attempts("capture", "card", 1)`:     5,
		`4 - attempts("capture", "card", 1) < 4`: maxCount,
	} {
		x, err := expressed(text)
		if err != nil || len(x.windows) != 1 || x.windows[0].keep != keep {
			t.Errorf("%s: %+v, %v; want %d", text, x, err, keep)
		}
	}
}

// TestCELRules: rules in CEL and in begateway's words stand beside each other,
// are reported verbatim and share what they count.
func TestCELRules(t *testing.T) {
	checks := compile(t, `{"levels":{"shop":"a","merchant":"b","psp":"c"},"sets":{"S":["41"]},"rules":[
		{"level":"shop","alias":"one","action":"review","condition":"Capture transaction count more than 1 per card in 1 hours"},
		{"level":"merchant","alias":"two","action":"reject","cel":"attempts('capture', 'card', 2) > 2 && binIn('S')"},
		{"level":"psp","alias":"three","action":"reject","cel":"payer.email == 'a@b'","active":false}]}`)
	if len(checks.windows) != 1 {
		t.Fatalf("%d kinds of counters for one count", len(checks.windows))
	}
	usage := Usage{}
	for i, want := range []string{
		`"a":{"one":{"Capture transaction count more than 1 per card in 1 hours":"passed"}},"b":{"two":{"attempts('capture', 'card', 2) > 2 && binIn('S')":"passed"}},"c":{"three":{"payer.email == 'a@b'":"skipped"}}`,
		`{"one":{"Capture transaction count more than 1 per card in 1 hours":"review"}},"b":{"two":{"attempts('capture', 'card', 2) > 2 && binIn('S')":"passed"}}`,
		`{"one":{"Capture transaction count more than 1 per card in 1 hours":"review"}},"b":{"two":{"attempts('capture', 'card', 2) > 2 && binIn('S')":"reject"}}`,
	} {
		in := Input{Type: Capture, Amount: 1, Currency: "USD", At: noon.Add(time.Duration(i) * time.Minute), Card: stamp, BIN: "411111"}
		v := checks.Evaluate(in, usage)
		checks.Note(in, usage)
		if !strings.Contains(string(v.Document), want) || v.Rejected != (i == 2) {
			t.Errorf("capture %d: %s", i+1, v.Document)
		}
	}
}

// TestServer: the server's rules stand before the merchant's own of the level,
// and an alias that the server uses is the server's.
func TestServer(t *testing.T) {
	parse := func(document string) Config {
		t.Helper()
		config, err := Parse([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	server, err := parse(`{"levels":{"psp":"House"},"sets":{"S":["41"]},"rules":[{"level":"psp","alias":"x","action":"reject","cel":"binIn('S') && operation.amount > 5"}]}`).CompileServer()
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Type: Capture, Amount: 6, Currency: "USD", At: noon, BIN: "411111"}
	for document, want := range map[string]string{
		`{}`: `"rules":{"s":{},"m":{},"House":{"x":{"binIn('S') && operation.amount > 5":"reject"}}}`,
		`{"rules":[{"level":"psp","alias":"x","action":"review","cel":"true"},{"level":"psp","alias":"y","action":"review","cel":"true"}]}`: `"House":{"x":{"binIn('S') && operation.amount > 5":"reject"},"y":{"true":"review"}}`,
	} {
		checks, err := parse(document).Compile(Setup{Names: Levels{"s", "m", "p"}, Server: server})
		if err != nil {
			t.Fatal(err)
		}
		if v := checks.Evaluate(in, nil); !v.Rejected || !strings.Contains(string(v.Document), want) {
			t.Errorf("%s gives %s, want %s", document, v.Document, want)
		}
	}
	for document, want := range map[string]string{
		`{"merchant":"m"}`:                        "config.merchant",
		`{"limits":[{"currency":"USD","max":1}]}`: "config.limits",
		`{"lists":{"black":{"ip":["::1"]}}}`:      "config.lists",
		`{"levels":{"shop":"s"}}`:                 "config.levels",
		`{"rules":[{"level":"shop","alias":"a","action":"review","cel":"true"}]}`: "config.rules[0].level: must be psp",
		`{"rules":[{"level":"psp","alias":"a","action":"review","cel":"1"}]}`:     "config.rules[0].cel: must be true or false",
	} {
		if _, err := parse(document).CompileServer(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", document, err, want)
		}
	}
	if none, err := parse(`{}`).CompileServer(); none != nil || err != nil {
		t.Errorf("nothing compiles to %v, %v", none, err)
	}
}

// TestSharedExpression: one program answers many at once, each about its own
// operation.
func TestSharedExpression(t *testing.T) {
	x, err := expressed(`operation.amount % 2 == 0 && binIn("risky")`)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range int64(500) {
				in := Input{Type: Capture, Amount: n*8 + int64(i), Currency: "USD", At: noon, BIN: "411111"}
				if got := x.holds(in); (got == yes) != (i%2 == 0) {
					t.Errorf("%d is %d", in.Amount, got)
					return
				}
			}
		})
	}
	all.Wait()
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		`operation.amount > 100 && operation.currency == "EUR"`, `binIn("risky") || payer.email.endsWith("x")`, `attempts("capture", "card", 24) > 3`,
		`amountVersus("1.5") >= 0`, `[1,2].exists(x, x > operation.amount)`, `card.holder.matches("a*")`, `timestamp("2026-01-01T00:00:00Z").getHours() == 1`,
	} {
		f.Add(s, int64(100_00))
	}
	f.Fuzz(func(t *testing.T, text string, amount int64) {
		x, err := expressed(text)
		if err != nil {
			return
		}
		in := Input{Type: Payment, Amount: amount, Currency: "USD", At: noon, Card: stamp, BIN: "411111", Holder: "J", IP: "::1", Email: "a@b"}
		if first, second := x.holds(in), x.holds(in); first != second {
			t.Errorf("%q is now %d, now %d", text, first, second)
		}
	})
}

func BenchmarkExpression(b *testing.B) {
	x, err := expressed(`operation.amount > 10000 && operation.currency == "USD" && !binIn("risky")`)
	if err != nil {
		b.Fatal(err)
	}
	in := Input{Type: Payment, Amount: 100_01, Currency: "USD", At: noon, BIN: "511111"}
	b.ReportAllocs()
	for b.Loop() {
		if x.holds(in) != yes {
			b.Fatal("does not hold")
		}
	}
}

// TestPeriods: the bounds of periods are those of the calendar in UTC, whatever
// zone an instant is written in.
func TestPeriods(t *testing.T) {
	auckland := time.FixedZone("", 13*3600)
	for _, c := range []struct {
		period          Period
		at, start, name string
	}{
		{Month, "2026-01-31T23:59:59.999Z", "2026-01-01T00:00:00Z", "USD/2026-01"},
		{Month, "2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z", "USD/2026-02"},
		{Month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "USD/2028-02"},
		{Month, "2026-12-31T23:59:59.999Z", "2026-12-01T00:00:00Z", "USD/2026-12"},
		{Week, "2026-03-29T23:59:59.999Z", "2026-03-23T00:00:00Z", "USD/2026-03-23/w"}, // Sunday, the clocks change in Europe
		{Week, "2026-03-30T00:00:00Z", "2026-03-30T00:00:00Z", "USD/2026-03-30/w"},
		{Week, "2027-01-01T00:00:00Z", "2026-12-28T00:00:00Z", "USD/2026-12-28/w"},
		{Day, "2026-03-29T01:30:00Z", "2026-03-29T00:00:00Z", "USD/2026-03-29"},
		{Day, "2026-03-29T23:59:59.999Z", "2026-03-29T00:00:00Z", "USD/2026-03-29"},
		{Hour, "2026-10-25T01:59:59.999Z", "2026-10-25T01:00:00Z", "USD/2026-10-25T01"},
		{Hour, "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z", "USD/2026-10-25T02"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		for _, zone := range []*time.Location{time.UTC, auckland} {
			start, end := c.period.bounds(at.In(zone))
			if got := start.Format(time.RFC3339); got != c.start || !start.Before(end) || at.Before(start) || !at.Before(end) {
				t.Errorf("the %s of %s is %s to %s, want %s", c.period, at.In(zone), start, end, c.start)
			}
			if name := counterName(&Input{Currency: "USD", At: at.In(zone)}, PerMerchant, c.period); name != c.name {
				t.Errorf("the %s of %s is counted as %s, want %s", c.period, at.In(zone), name, c.name)
			}
			if _, again := c.period.bounds(end.Add(-1)); !again.Equal(end) {
				t.Errorf("the %s of %s ends at %s and at %s", c.period, at, end, again)
			}
		}
	}
}

// TestSeveralPeriods: limits of several periods hold beside each other, each
// counts in its own.
func TestSeveralPeriods(t *testing.T) {
	checks := compile(t, `{"levels":{"shop":"a","merchant":"b","psp":"c"},"limits":[
		{"currency":"USD","period":"hour","count":1},{"currency":"USD","period":"day","count":2},
		{"currency":"USD","period":"week","count":3},{"currency":"USD","period":"month","count":4}]}`)
	usage := Usage{}
	var got []string
	for _, at := range []string{ // a Monday and after
		"2026-10-05T10:00:00Z", "2026-10-05T10:59:59Z", "2026-10-05T11:00:00Z", "2026-10-05T12:00:00Z", "2026-10-06T00:00:00Z",
		"2026-10-11T23:59:59Z", "2026-10-12T00:00:00Z", "2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z",
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		v := checks.Evaluate(Input{Type: Capture, Amount: 1, Currency: "USD", At: when}, usage)
		got = append(got, strings.TrimPrefix(v.Message, "Merchant terminal limits exceeded "))
		if v.Rejected {
			continue
		}
		for _, name := range v.Counted {
			tally := usage[name]
			tally.Take(1, 1)
			usage[name] = tally
		}
	}
	want := `["" "(hourly transaction count)." "" "(daily transaction count)." "" "(weekly transaction count)." "" "(monthly transaction count)." ""]`
	if fmt.Sprintf("%q", got) != want {
		t.Errorf("got  %q\nwant %s", got, want)
	}
}
