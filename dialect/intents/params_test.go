package intents

import (
	"math"
	"testing"
)

// One integer, however it is written.
func TestIntegers(t *testing.T) {
	for _, test := range []struct {
		name, body string
		json       bool
		want       int64
		problem    string
	}{
		{"digits in a form", "n=8000", false, 8000, ""},
		{"a number", `{"n":8000}`, true, 8000, ""},
		{"a number as a string", `{"n":"8000"}`, true, 8000, ""},
		{"below nothing", "n=-1", false, -1, ""},
		{"leading zeros", "n=007", false, 7, ""},
		{"the last of two", "n=1&n=2", false, 2, ""},
		{"a fraction", `{"n":80.5}`, true, 0, "Invalid integer: 80.5"},
		{"a whole fraction", `{"n":80.0}`, true, 0, "Invalid integer: 80.0"},
		{"an exponent", `{"n":8e3}`, true, 0, "Invalid integer: 8e3"},
		{"a boolean", `{"n":true}`, true, 0, "Invalid integer: true"},
		{"an array", `{"n":[1]}`, true, 0, "Invalid integer: "},
		{"an empty array", `{"n":[]}`, true, 0, "Invalid integer: "},
		{"an object", "n[a]=1", false, 0, "Invalid integer: "},
		{"a word", "n=many", false, 0, "Invalid integer: many"},
		{"a sign", "n=%2B1", false, 0, "Invalid integer: +1"},
		{"nothing", "n=", false, 0, "Invalid integer: "},
		{"a space", "n=+1", false, 0, "Invalid integer:  1"},
		{"more than 64 bits", "n=99999999999999999999", false, math.MaxInt64, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p params
			read := p.decodeForm
			if test.json {
				read = p.decodeJSON
			}
			if !read(test.body) {
				t.Fatal("not decoded")
			}
			n, _ := p.integer("n")
			message, code := "", ""
			if bad := p.problem(); bad != nil {
				message, code = bad.message, bad.code
			}
			if n != test.want || message != test.problem || (message != "") != (code == "parameter_invalid_integer") {
				t.Errorf("got %d, %q (%s)", n, message, code)
			}
		})
	}
}

func TestBooleans(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "True": true, "TRUE": true, "1": true, "false": false, "False": false, "0": false} {
		var p params
		p.decodeForm("b=" + value)
		got, sent := p.boolean("b")
		if got != want || !sent || p.problem() != nil {
			t.Errorf("%s is %v, %v, %v", value, got, sent, p.problem())
		}
	}
	for _, value := range []string{"", "yes", "2"} {
		var p params
		p.decodeForm("b=" + value)
		if _, sent := p.boolean("b"); sent || p.problem() == nil {
			t.Errorf("%q is a boolean", value)
		}
	}
}

func TestUnknownParameters(t *testing.T) {
	for body, want := range map[string]string{
		"a=1":             "",
		"a=1&b=2":         "b",
		"a=1&c[d]=2":      "c[d]",
		`{"amount":5}`:    `{"amount":5}`,
		"a=1&skip[x][y]=": "",
	} {
		var p params
		p.decodeForm(body)
		p.ignore("skip")
		p.integer("a")
		got := ""
		if bad := p.problem(); bad != nil {
			got = bad.param
		}
		if got != want {
			t.Errorf("%s: %q is unknown, want %q", body, got, want)
		}
	}
}

func TestMetadata(t *testing.T) {
	for _, test := range []struct {
		name, old, body, want string
	}{
		{"new", "", "metadata[a]=1&metadata[b]=2", `{"a":"1","b":"2"}`},
		{"merged", `{"a":"1","b":"2"}`, "metadata[b]=3&metadata[c]=4", `{"a":"1","b":"3","c":"4"}`},
		{"a key taken away", `{"a":"1","b":"2"}`, "metadata[a]=", `{"b":"2"}`},
		{"the last one taken away", `{"a":"1"}`, "metadata[a]=", ""},
		{"all taken away", `{"a":"1"}`, "metadata=", ""},
		{"nothing sent", `{"a":"1"}`, "x=1", `{"a":"1"}`},
		{"text that needs escapes", "", "metadata[k]=%22%0A", `{"k":"\"\n"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p params
			p.decodeForm(test.body)
			var old []byte
			if test.old != "" {
				old = []byte(test.old)
			}
			if got := string(mergeMetadata(old, p.metadata())); got != test.want || p.bad != nil {
				t.Errorf("got %s, %v", got, p.bad)
			}
		})
	}
}

// A name that only begins like one of metadata is refused, whatever follows.
func TestMetadataNames(t *testing.T) {
	for _, name := range []string{"metadata[", "metadata[[", "metadata[a", "metadata[]]", "metadata[a]b", "metadata[a][b]", "metadata[a][", "metadata[a]]"} {
		var p params
		if !p.decodeForm(name + "=x") {
			t.Fatalf("%s is not decoded", name)
		}
		p.metadata()
		if bad := p.problem(); bad == nil || bad.param != "metadata" {
			t.Errorf("%s: %v", name, bad)
		}
	}
}

// Options come back as they went, with the members that were not sent.
func TestOptions(t *testing.T) {
	var p params
	p.decodeForm("payment_method_options[card][request_three_d_secure]=any&payment_method_options[alipay][os_type]=IOS&payment_method_options[card][request_multicapture]=if_available")
	sent := p.options()
	if bad := p.problem(); bad != nil {
		t.Fatal(bad)
	}
	want := `{"card":{"request_three_d_secure":"any","setup_future_usage":null,"capture_method":null,"tax_id":null,"installments":null,"mandate_options":null,"network":null,"request_multicapture":"if_available"},` +
		`"alipay":{"terminal_type":null,"os_type":"IOS"}}`
	got := string(renderOptions(sent, nil))
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if again := string(renderOptions(readOptions([]byte(got)), nil)); again != want {
		t.Errorf("read and rendered again: %s", again)
	}
	for _, body := range []string{
		"payment_method_options[card][nope]=1", "payment_method_options[nope][x]=1", "payment_method_options[card][request_three_d_secure]=perhaps",
	} {
		var p params
		p.decodeForm(body)
		p.options()
		if p.problem() == nil {
			t.Errorf("%s was taken", body)
		}
	}
}
