package risk

import (
	"reflect"
	"strings"
	"testing"
)

const stamp = "3709786942408b77017a3aac8390d46d77d181e34554df527a71919a856d0f28"

func TestParse(t *testing.T) {
	got, err := Parse([]byte(`{
		"levels": {"shop": "1_123_My Shop", "psp": "eComCharge"},
		"limits": [
			{"currency": "USD", "max": 40, "volume": 1000, "count": 10},
			{"currency": "USD", "scope": "payer", "period": "day", "volume": 500}
		],
		"lists": {
			"white": {"email": [" Jane@Example.com "]},
			"black": {"card": ["` + strings.ToUpper(stamp) + `"], "ip": ["::ffff:203.0.113.7", "2001:DB8::1"]}
		},
		"sets": {"Risky": ["411111", "52"]},
		"rules": [
			{"level": "shop", "alias": "a", "condition": "BIN is in Risky", "action": "review"},
			{"level": "psp", "alias": "a", "condition": "Transaction type is refund", "action": "reject", "active": false}
		]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Levels: Levels{Shop: "1_123_My Shop", PSP: "eComCharge"},
		Limits: []Limit{
			{Currency: "USD", Scope: PerMerchant, Period: Month, Max: 40, Volume: 1000, Count: 10},
			{Currency: "USD", Scope: PerPayer, Period: Day, Volume: 500},
		},
		White: List{Emails: []string{"jane@example.com"}},
		Black: List{Cards: []string{stamp}, IPs: []string{"203.0.113.7", "2001:db8::1"}},
		Sets:  map[string][]string{"Risky": {"411111", "52"}},
		Rules: []Rule{
			{Level: ShopLevel, Alias: "a", Condition: "BIN is in Risky", Action: Review},
			{Level: PSPLevel, Alias: "a", Condition: "Transaction type is refund", Action: Reject, Inactive: true},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	rule := func(condition string) string {
		return `{"rules":[{"level":"shop","alias":"a","action":"reject","condition":"` + condition + `"}]}`
	}
	for document, want := range map[string]string{
		``:                                 "config: EOF",
		`[]`:                               "config: must be an object",
		`{} {}`:                            "something follows the document",
		`{"limits":[}`:                     "config.limits",
		`{"limit":[]}`:                     "config.limit: is not known",
		`{"Limits":[]}`:                    "config.Limits: is not known",
		`{"limits":{}}`:                    "config.limits: must be an array",
		`{"limits":[],"limits":[]}`:        "config.limits: is there twice",
		"{\"levels\":{\"shop\":\"\xff\"}}": "not UTF-8",
		`{"levels":{"shop":" "}}`:          "config.levels.shop: must not be empty",
		`{"levels":{"shop":7}}`:            "config.levels.shop: must be a string",
		`{"limits":[{"max":5}]}`:           "config.limits[0]: lacks currency",
		`{"limits":[{"currency":"USD"}]}`:  "config.limits[0]: bounds nothing",
		`{"limits":[{"currency":"usd","max":1}]}`:                              "config.limits[0].currency: is no ISO 4217 currency",
		`{"limits":[{"currency":"USD","max":0}]}`:                              "config.limits[0].max: must be a whole number from 1",
		`{"limits":[{"currency":"USD","max":1.5}]}`:                            "config.limits[0].max: must be a whole number",
		`{"limits":[{"currency":"USD","max":1e3}]}`:                            "config.limits[0].max: must be a whole number",
		`{"limits":[{"currency":"USD","max":"9"}]}`:                            "config.limits[0].max: must be a whole number",
		`{"limits":[{"currency":"USD","max":9223372036854775807}]}`:            "config.limits[0].max: must be a whole number from 1 to",
		`{"limits":[{"currency":"USD","max":1,"per":"day"}]}`:                  "config.limits[0].per: is not known",
		`{"limits":[{"currency":"USD","max":1,"period":"year"}]}`:              `config.limits[0].period: must be one of "month", "week", "day", "hour"`,
		`{"limits":[{"currency":"USD","max":1},{"currency":"USD","count":1}]}`: "config.limits[1]: is a second limit for USD per merchant and month",
		`{"lists":{"grey":{}}}`:                                                "config.lists.grey: is not known",
		`{"lists":{"black":{"card":["4111111111111111"]}}}`:                    "config.lists.black.card[0]: must be a card's fingerprint",
		`{"lists":{"black":{"ip":["203.0.113"]}}}`:                             "config.lists.black.ip[0]: must be an IP address",
		`{"lists":{"black":{"email":["jane"]}}}`:                               "config.lists.black.email[0]: must be an email address",
		`{"lists":{"black":{"email":["A@b.c"]},"white":{"email":["a@B.c"]}}}`:  "config.lists.black.email[0]: is on the white list as well",
		`{"sets":{"A B":[]}}`:                                                  "config.sets.A B: has a name that no condition could use",
		`{"sets":{"A":["4111111"]}}`:                                           "config.sets.A[0]: must be one to six digits",
		`{"rules":[{"level":"shop"}]}`:                                         "config.rules[0]: needs level, alias, condition or cel, and action",
		`{"rules":[{"level":"bank"}]}`:                                         `config.rules[0].level: must be one of "shop", "merchant", "psp"`,
		`{"rules":[{"action":"passed"}]}`:                                      "config.rules[0].action: must be one of",
		`{"rules":[{"active":"no"}]}`:                                          "config.rules[0].active: must be true or false",
		rule("BIN is in Risky"):                                                `config.rules[0].condition: clause 1: there is no set "Risky"`,
		rule("Transaction type is refund AND "):                                "config.rules[0].condition: clause 2: is empty",
		`{"sets":{"A":[[[[[[[[[]]]]]]]]]}}`:                                    "nested too deeply",
	} {
		c, err := Parse([]byte(document))
		if err == nil {
			_, err = c.Compile(Setup{Names: Levels{"a", "b", "c"}})
		}
		if err == nil {
			t.Errorf("%s\nis read as %+v, want %q", document, c, want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngives %q, want %q", document, err, want)
		} else if strings.Contains(err.Error(), "4111111111111111") {
			t.Errorf("the error shows a card number: %v", err)
		}
	}
	second := `{"level":"shop","alias":"a","condition":"Transaction type is void","action":"review"}`
	if _, err := Parse([]byte(`{"rules":[` + second + `,` + second + `]}`)); err == nil || !strings.Contains(err.Error(), `config.rules[1]: is a second rule "a" of level shop`) {
		t.Errorf("an alias used twice gives %v", err)
	}
}

func TestCompile(t *testing.T) {
	names := Levels{"shop", "merchant", "psp"}
	for document, nothing := range map[string]bool{
		`{}`: true,
		`{"limits":[],"lists":{"white":{"ip":[]}},"rules":[]}`:                                             true,
		`{"levels":{"shop":"x"},"sets":{"A":["4"]}}`:                                                       true,
		`{"limits":[{"currency":"USD","count":1}]}`:                                                        false,
		`{"lists":{"white":{"ip":["203.0.113.7"]}}}`:                                                       false,
		`{"rules":[{"level":"psp","alias":"a","condition":"Transaction type is void","action":"review"}]}`: false,
	} {
		config, err := Parse([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		checks, err := config.Compile(Setup{Names: names})
		if err != nil || (checks == nil) != nothing {
			t.Errorf("%s compiles to %v, %v", document, checks, err)
		}
	}
	config := Config{Limits: []Limit{{Currency: "USD", Max: 1}}}
	for _, names := range []Levels{{}, {"a", "b", ""}} {
		if _, err := config.Compile(Setup{Names: names}); err == nil {
			t.Errorf("levels named %q compile", names)
		}
	}
	for _, names := range []Levels{{"a", "a", "b"}, {"a", "b", "a"}, {"b", "a", "a"}} {
		config.Levels = names
		if _, err := config.Compile(Setup{Names: Levels{"x", "y", "z"}}); err == nil {
			t.Errorf("levels that call themselves %q compile", names)
		}
	}
	config.Levels = Levels{Shop: "a"}
	checks, err := config.Compile(Setup{Names: Levels{"x", "a", "a"}})
	if err != nil || checks.levels[0].name != "a" || checks.levels[1].name != "a'" || checks.levels[2].name != "a''" {
		t.Errorf("names that are taken: %+v, %v", checks, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"limits":[{"currency":"USD","max":1}],"lists":{"black":{"ip":["::1"]}}}`))
	f.Add([]byte(`{"sets":{"A":["4"]},"rules":[{"level":"psp","alias":"a","condition":"BIN is in A","action":"review"}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		config, err := Parse(document)
		if err != nil {
			return
		}
		if _, err := config.Compile(Setup{Names: Levels{"the shop", "the merchant", "the psp"}}); err != nil && !strings.Contains(err.Error(), "different names") {
			t.Errorf("what was parsed does not compile: %v", err)
		}
	})
}
