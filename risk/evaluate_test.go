package risk

import (
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/money"
)

func compile(t testing.TB, document string) *Checks {
	t.Helper()
	config, err := Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	checks, err := config.Compile(Setup{Names: Levels{"1_123_My Shop", "1_John Doe", "eComCharge"}})
	if err != nil {
		t.Fatal(err)
	}
	return checks
}

// section cuts off what follows the rules: our own members.
func section(document string) string {
	for _, ours := range []string{`,"payer_limit":`, `,"reason":`, `,"review":`, `,"skip_3ds":`, `,"counted":`, `,"input":`} {
		if i := strings.Index(document, ours); i >= 0 {
			return document[:i] + "}"
		}
	}
	return document
}

// judged is a verdict's document without what it rests on.
func judged(v Verdict) string {
	judgement, _, _ := strings.Cut(string(v.Document), `,"input":`)
	return judgement + "}"
}

const moreThan100EUR = `"rules":[{"level":"shop","alias":"more_100_eur","action":"reject",
	"condition":"Transaction amount more than 100 AND Transaction currency is EUR"}]`

// The two examples of the begateway capture page.
func TestPublishedExamples(t *testing.T) {
	capture := Input{Type: Capture, Amount: 50, Currency: "USD", At: noon, Card: stamp, BIN: "420000"}

	failed := compile(t, `{"limits":[{"currency":"USD","max":40,"volume":1000,"count":10}],"lists":{"black":{"card":["`+stamp+`"]}},`+moreThan100EUR+`}`).
		Evaluate(capture, Usage{"USD/2026-10": {Volume: 100, Count: 1}})
	want := `{"status":"failed","message":"Merchant terminal limits exceeded (maximum transaction amount). Transaction didn't pass anti-fraud checks.",` +
		`"limit":{"volume":false,"count":false,"max":true,"current_volume":100,"current_count":1},` +
		`"white_black_list":{"card_number":"black","ip":"absent","email":"absent"},` +
		`"rules":{"1_123_My Shop":{"more_100_eur":{"Transaction amount more than 100 AND Transaction currency is EUR":"passed"}},"1_John Doe":{},"eComCharge":{}}}`
	if got := section(string(failed.Document)); got != want {
		t.Errorf("failed\n got %s\nwant %s", got, want)
	}
	if !failed.Rejected || failed.Reason != OverMaximum || failed.Message != "Merchant terminal limits exceeded (maximum transaction amount). Transaction didn't pass anti-fraud checks." {
		t.Errorf("failed: %+v", failed)
	}

	passes := compile(t, `{"limits":[{"currency":"USD","max":4000,"volume":1000,"count":10}],`+moreThan100EUR+`}`).
		Evaluate(capture, Usage{"USD/2026-10": {Volume: 90, Count: 1}})
	want = `{"status":"successful",` +
		`"limit":{"volume":false,"count":false,"max":false,"current_volume":90,"current_count":1},` +
		`"white_black_list":{"card_number":"absent","ip":"absent","email":"absent"},` +
		`"rules":{"1_123_My Shop":{"more_100_eur":{"Transaction amount more than 100 AND Transaction currency is EUR":"passed"}},"1_John Doe":{},"eComCharge":{}}}`
	if got := section(string(passes.Document)); got != want {
		t.Errorf("successful\n got %s\nwant %s", got, want)
	}
	if passes.Rejected || passes.Message != "" {
		t.Errorf("successful: %+v", passes)
	}
}

func TestLimits(t *testing.T) {
	const merchantLimits = `{"limits":[
		{"currency":"USD","max":500,"volume":1000,"count":10},
		{"currency":"USD","period":"day","volume":300,"count":5},
		{"currency":"USD","scope":"payer","volume":400,"count":4},
		{"currency":"USD","scope":"payer","period":"day","max":450},
		{"currency":"EUR","max":500}]}`
	checks := compile(t, merchantLimits)
	payer := "USD/2026-10/" + digest("card 1")
	for _, c := range []struct {
		name    string
		kind    Type
		amount  int64
		in      money.Currency
		usage   Usage
		reason  Reason
		message string
	}{
		{"at all limits", Capture, 300, "USD", Usage{"USD/2026-10": {Volume: 700, Count: 9}, "USD/2026-10-05": {Count: 4}, payer: {Volume: 100, Count: 3}}, "", ""},
		{"above the maximum", Capture, 501, "USD", nil, OverMaximum,
			"Merchant terminal limits exceeded (maximum transaction amount, daily volume). Payer limits exceeded (maximum transaction amount, monthly volume)."},
		{"above the volume of the month", Capture, 201, "USD", Usage{"USD/2026-10": {Volume: 800}}, OverVolume, "Merchant terminal limits exceeded (monthly volume)."},
		{"up to the volume of the month", Capture, 200, "USD", Usage{"USD/2026-10": {Volume: 800}}, "", ""},
		{"another month's volume", Capture, 201, "USD", Usage{"USD/2026-09": {Volume: 800}}, "", ""},
		{"with what is waiting", Capture, 201, "USD", Usage{"USD/2026-10": {HeldVolume: 800}}, OverVolume, "Merchant terminal limits exceeded (monthly volume)."},
		{"above the volume of the day", Payment, 1, "USD", Usage{"USD/2026-10-05": {Volume: 300}}, OverVolume, "Merchant terminal limits exceeded (daily volume)."},
		{"above the count of the month", Payment, 1, "USD", Usage{"USD/2026-10": {Count: 9, HeldCount: 1}}, OverCount, "Merchant terminal limits exceeded (monthly transaction count)."},
		{"above the count of the day", Payment, 1, "USD", Usage{"USD/2026-10-05": {Count: 5}}, OverCount, "Merchant terminal limits exceeded (daily transaction count)."},
		{"above everything of the merchant", Payment, 501, "USD", Usage{"USD/2026-10": {Volume: 500, Count: 10}, "USD/2026-10-05": {Count: 5}}, OverMaximum,
			"Merchant terminal limits exceeded (maximum transaction amount, monthly volume, daily volume, monthly transaction count, daily transaction count). " +
				"Payer limits exceeded (maximum transaction amount, monthly volume)."},
		{"above the payer's volume", Payment, 101, "USD", Usage{payer: {Volume: 300}}, OverPayer, "Payer limits exceeded (monthly volume)."},
		{"above the payer's count", Payment, 1, "USD", Usage{payer: {Count: 4}}, OverPayer, "Payer limits exceeded (monthly transaction count)."},
		{"another payer", Payment, 1, "USD", Usage{"USD/2026-10/" + digest("card 2"): {Count: 4}}, "", ""},
		{"at the maximum", Capture, 500, "EUR", nil, "", ""},
		{"just above the maximum", Capture, 501, "EUR", nil, OverMaximum, "Merchant terminal limits exceeded (maximum transaction amount)."},
		{"another currency", Capture, 501, "GBP", Usage{"GBP/2026-10": {Volume: 9999, Count: 99}}, "", ""},
		{"an authorization", Authorization, 501, "USD", Usage{"USD/2026-10": {Volume: 9999, Count: 99}}, "", ""},
		{"a void", Void, 501, "USD", nil, "", ""},
		{"a refund", Refund, 501, "USD", nil, "", ""},
		{"a sum beyond 64 bits", Capture, 400, "USD", Usage{"USD/2026-10": {Volume: 1<<63 - 1}}, OverVolume, "Merchant terminal limits exceeded (monthly volume, daily volume)."},
	} {
		v := checks.Evaluate(Input{Type: c.kind, Amount: c.amount, Currency: c.in, At: noon, Payer: "card 1"}, c.usage)
		if v.Reason != c.reason || v.Message != c.message || v.Rejected != (c.reason != "") {
			t.Errorf("%s: %q, %q\n want %q, %q", c.name, v.Reason, v.Message, c.reason, c.message)
		}
	}
}

// The parts of the section differ by what is judged.
func TestParts(t *testing.T) {
	checks := compile(t, `{"limits":[{"currency":"USD","scope":"payer","count":1}],"lists":{"white":{"card":["`+stamp+`"]}},
		"rules":[{"level":"psp","alias":"a","condition":"Transaction type is void","action":"review"}]}`)
	const (
		lists   = `"white_black_list":{"card_number":"absent","ip":"absent","email":"absent"}`
		limit   = `"limit":{"volume":false,"count":false,"max":false,"current_volume":0,"current_count":0}`
		rules   = `"rules":{"1_123_My Shop":{},"1_John Doe":{},"eComCharge":{"a":{"Transaction type is void":"passed"}}}`
		payer   = `"payer_limit":{"volume":false,"count":false,"max":false,"current_volume":0,"current_count":0}`
		nothing = `"counted":["USD/2026-10"]`
	)
	for _, c := range []struct {
		in   Input
		want string
	}{
		{Input{Type: Authorization}, lists + `,` + rules},
		{Input{Type: Payment}, limit + `,` + lists + `,` + rules + `,` + nothing},
		{Input{Type: Capture}, limit + `,` + lists + `,` + rules + `,` + nothing},
		{Input{Type: Capture, Payer: "p"}, limit + `,` + lists + `,` + rules + `,` + payer + `,"counted":["USD/2026-10","USD/2026-10/` + digest("p") + `"]`},
		{Input{Type: Refund}, rules},
		{Input{Type: Void}, strings.Replace(rules, "passed", "review", 1) + `,"review":true`},
		// A card on the white list: nothing else is looked at.
		{Input{Type: Authorization, Card: stamp}, strings.Replace(lists, "absent", "white", 1)},
		{Input{Type: Payment, Card: stamp}, strings.Replace(lists, "absent", "white", 1) + `,` + nothing},
	} {
		c.in.Amount, c.in.Currency, c.in.At = 100, "USD", noon
		if got, want := judged(checks.Evaluate(c.in, nil)), `{"status":"successful",`+c.want+`}`; got != want {
			t.Errorf("%s\n got %s\nwant %s", c.in.Type, got, want)
		}
	}
}

func TestLists(t *testing.T) {
	checks := compile(t, `{"lists":{
		"white":{"card":["`+stamp+`"],"ip":["203.0.113.1"],"email":["white@example.com"]},
		"black":{"card":["`+strings.Repeat("b", 64)+`"],"ip":["203.0.113.2"],"email":["black@example.com"]}},
		"limits":[{"currency":"USD","max":10}]}`)
	white, black := stamp, strings.Repeat("b", 64)
	for _, c := range []struct {
		name            string
		card, ip, email string
		amount          int64
		want            Reason
	}{
		{"nothing known", "", "", "", 5, ""},
		{"black card", black, "", "", 5, Stopped},
		{"black ip", "", "203.0.113.2", "", 5, Stopped},
		{"black ip in another form", "", "::ffff:203.0.113.2", "", 5, Stopped},
		{"black email in capitals", "", "", "Black@Example.com", 5, Stopped},
		{"white ip beats black card", black, "203.0.113.1", "", 5, ""},
		{"white email beats black ip", "", "203.0.113.2", "white@example.com", 5, ""},
		{"white email does not lift the limit", "", "", "white@example.com", 11, OverMaximum},
		{"white card lifts the limit", white, "203.0.113.2", "", 11, ""},
		{"limit and list", black, "", "", 11, OverMaximum},
	} {
		v := checks.Evaluate(Input{Type: Payment, Amount: c.amount, Currency: "USD", At: noon, Card: c.card, IP: c.ip, Email: c.email}, nil)
		if v.Reason != c.want {
			t.Errorf("%s: %q, want %q", c.name, v.Reason, c.want)
		}
		if sentence := "Transaction didn't pass anti-fraud checks."; strings.Contains(v.Message, sentence) != (v.Rejected && c.card+c.ip+c.email != "" && c.email != "white@example.com") {
			t.Errorf("%s says %q", c.name, v.Message)
		}
	}
}

func TestRules(t *testing.T) {
	rule := func(level Level, alias string, action Action, active string) string {
		return `{"level":"` + string(level) + `","alias":"` + alias + `","action":"` + string(action) + `","condition":"Transaction amount more than 1","active":` + active + `}`
	}
	for _, c := range []struct {
		name           string
		rules          []string
		kind           Type
		rejected       bool
		review, skip3d bool
		want           string
	}{
		{"review lets through", []string{rule(ShopLevel, "a", Review, "true")}, Payment, false, true, false, `"a":{"Transaction amount more than 1":"review"}`},
		{"reject stops", []string{rule(PSPLevel, "a", Reject, "true")}, Payment, true, false, false, `"eComCharge":{"a":{"Transaction amount more than 1":"reject"}}`},
		{"reject stops a refund", []string{rule(MerchantLevel, "a", Reject, "true")}, Refund, true, false, false, `"1_John Doe":{"a":{"Transaction amount more than 1":"reject"}}`},
		{"inactive is skipped", []string{rule(PSPLevel, "a", Reject, "false")}, Payment, false, false, false, `"a":{"Transaction amount more than 1":"skipped"}`},
		{"one of several", []string{rule(ShopLevel, "a", Skip3DS, "true"), rule(ShopLevel, "b", Review, "true"), rule(PSPLevel, "c", Reject, "true")}, Authorization, true, true, true,
			`{"a":{"Transaction amount more than 1":"skip_3ds"},"b":{"Transaction amount more than 1":"review"}},"1_John Doe":{},"eComCharge":{"c":`},
		{"no 3-D Secure to skip", []string{rule(ShopLevel, "a", Skip3DS, "true")}, Capture, false, false, false, `"skip_3ds"`},
	} {
		v := compile(t, `{"rules":[`+strings.Join(c.rules, ",")+`]}`).Evaluate(Input{Type: c.kind, Amount: 101, Currency: "USD", At: noon}, nil)
		if v.Rejected != c.rejected || v.Review != c.review || v.Skip3DS != c.skip3d || !strings.Contains(string(v.Document), c.want) {
			t.Errorf("%s: %s", c.name, v.Document)
		}
		if c.rejected && (v.Reason != Stopped || v.Message != "Transaction didn't pass anti-fraud checks.") {
			t.Errorf("%s: %q %q", c.name, v.Reason, v.Message)
		}
	}
}

// Names of levels and conditions are reported as they were given.
func TestVerbatim(t *testing.T) {
	v := compile(t, `{"levels":{"shop":"1_2_<\"Öl & Co\">"},"rules":[{"level":"shop","alias":"a\\b","condition":"Transaction  type is  VOID","action":"review"}]}`).
		Evaluate(Input{Type: Void, Amount: 1, Currency: "USD", At: noon}, nil)
	want := `{"status":"successful","rules":{"1_2_<\"Öl & Co\">":{"a\\b":{"Transaction  type is  VOID":"review"}},"1_John Doe":{},"eComCharge":{}},"review":true}`
	if got := judged(v); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestCounters(t *testing.T) {
	checks := compile(t, `{"limits":[{"currency":"USD","period":"day","count":1},{"currency":"USD","scope":"payer","count":1}],"rules":[
		{"level":"psp","alias":"a","condition":"Payment transaction count more than 2 per card in 1 hour","action":"reject"},
		{"level":"psp","alias":"b","condition":"Payment transaction count more than 9 per card in 48 hours","action":"reject"},
		{"level":"psp","alias":"c","condition":"Unique CardHolder count more than 1 per email in 1 hour","action":"reject"},
		{"level":"psp","alias":"d","condition":"Refund transaction count more than 1 per IP address in 1 hour","action":"reject","active":false}]}`)
	in := Input{Type: Payment, Currency: "USD", At: time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC), Payer: "p", Card: stamp, Email: "A@b.c", IP: "::1"}
	want := []Counter{
		{"USD/2026-12", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Add(grace)},
		{"USD/2026-12-31", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Add(grace)},
		{"USD/2026-12/" + digest("p"), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Add(grace)},
		{"payment/card/" + digest(stamp), in.At.Add(48 * time.Hour)},
		{"holders/email/" + digest("a@b.c"), in.At.Add(time.Hour)},
	}
	got := checks.Counters(in)
	if len(got) != len(want) {
		t.Fatalf("got %v\nwant %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("counter %d is %v, want %v", i, got[i], want[i])
		}
	}
	counted, err := Counted(checks.Evaluate(in, nil).Document)
	if err != nil || strings.Join(counted, " ") != want[0].Name+" "+want[1].Name+" "+want[2].Name {
		t.Errorf("counted towards %q, %v", counted, err)
	}
	in.Type = Refund
	if got := checks.Counters(in); len(got) != 2 {
		t.Errorf("a refund wants %v", got)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	checks := compile(b, `{"limits":[{"currency":"USD","max":4000,"volume":1000,"count":10}],`+moreThan100EUR+`}`)
	in := Input{Type: Capture, Amount: 50, Currency: "USD", At: noon, Card: stamp, BIN: "420000", IP: "203.0.113.7", Email: "jane@example.com"}
	u := Usage{"USD/2026-10": {Volume: 90, Count: 1}}
	b.ReportAllocs()
	for b.Loop() {
		checks.Evaluate(in, u)
	}
}
