package intents

import (
	"slices"
	"strings"

	"github.com/capstan-pay/capstan/dialect"
)

// optionMembers are the payment methods of payment_method_options with the
// members each has, in the seed's order. Every member is an optional string.
var optionMembers = []struct {
	method  string
	members []string
}{
	{"card", []string{"request_three_d_secure", "setup_future_usage", "capture_method", "tax_id", "installments", "mandate_options", "network"}},
	{"alipayplus", []string{"terminal_type", "os_type"}},
	{"alipay_hk", []string{"terminal_type", "os_type"}},
	{"alipay", []string{"terminal_type", "os_type"}},
	{"wechat_pay", []string{"terminal_type", "client_ip", "os_type", "openid"}},
	{"sepa_debit", nil},
	{"akulaku", []string{"terminal_type", "os_type"}},
	{"truemoney", []string{"terminal_type", "os_type"}},
	{"kakaopay", []string{"terminal_type", "os_type"}},
	{"shopeepay", []string{"terminal_type", "os_type"}},
	{"dana", []string{"terminal_type", "os_type"}},
	{"pix", []string{"tax_id"}},
}

// cardExtras are members of card that are shown only when they were sent
// (section 12).
var cardExtras = []string{
	"request_multicapture", "request_overcapture", "request_incremental_authorization", "request_extended_authorization",
}

// cardWords are the values that members of card may have; "" unsets.
var cardWords = map[string][]string{
	"request_three_d_secure":            {"any", "automatic", "auto", "challenge", ""},
	"setup_future_usage":                {"off_session", "on_session", "none", ""},
	"capture_method":                    {"automatic", "manual", ""},
	"request_multicapture":              {"if_available", "never", ""},
	"request_overcapture":               {"if_available", "never", ""},
	"request_incremental_authorization": {"if_available", "never", ""},
	"request_extended_authorization":    {"if_available", "never", ""},
}

// options reads payment_method_options as a list of what was sent, under names
// such as "card[tax_id]"; nil is nothing.
func (p *params) options() []param {
	var sent []param
	if !p.has("payment_method_options") {
		return nil
	}
	p.object("payment_method_options")
	for _, it := range p.below("payment_method_options") {
		method, member, nested := strings.Cut(strings.TrimPrefix(it.name, "["), "]")
		member = strings.TrimSuffix(strings.TrimPrefix(member, "["), "]")
		full := "payment_method_options" + it.name
		if !nested || !knownOption(method, member) {
			p.fail(unknownParam(full))
			continue
		}
		if member == "" {
			switch {
			case it.kind == kindEmpty: // it is shown from now on, with nothing in it
				sent = append(sent, param{name: method, kind: kindEmpty})
			case it.value != "":
				p.fail(invalid(full, "Invalid object: "+full))
			}
			continue
		}
		if strings.Contains(member, "[") || member == "installments" || member == "mandate_options" {
			continue // no effect here
		}
		if words := cardWords[member]; method == "card" && words != nil && !slices.Contains(words, it.value) {
			p.fail(invalid(full, "Invalid "+full+": must be one of "+either(words)))
		}
		if len(it.value) > 500 {
			p.fail(invalid(full, "Invalid string: "+full))
		}
		sent = append(sent, param{name: method + "[" + member + "]", value: it.value})
	}
	return sent
}

func knownOption(method, member string) bool {
	name, _, _ := strings.Cut(member, "]")
	for _, it := range optionMembers {
		if it.method == method {
			return member == "" || slices.Contains(it.members, name) || method == "card" && slices.Contains(cardExtras, name)
		}
	}
	return false
}

// option returns the value that options have for a name such as
// "card[capture_method]".
func option(options []param, name string) string {
	for i := len(options) - 1; i >= 0; i-- {
		if options[i].name == name {
			return options[i].value
		}
	}
	return ""
}

// readOptions reads options that were rendered by mergeOptions.
func readOptions(document []byte) []param {
	var all params
	all.decodeJSON(string(document))
	return all.list
}

// renderOptions renders options with the members of every method that was
// sent or is among types. Nil is what nobody changed.
func renderOptions(options []param, types []string) []byte {
	if len(options) == 0 && len(types) <= 1 {
		if len(types) == 0 || types[0] == "card" {
			return nil
		}
	}
	b := []byte{'{'}
	for _, it := range optionMembers {
		sent := slices.ContainsFunc(options, func(o param) bool { return o.name == it.method || strings.HasPrefix(o.name, it.method+"[") })
		if !sent && !slices.Contains(types, it.method) && !(it.method == "card" && len(types) == 0) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(dialect.AppendString(b, it.method), ":{"...)
		members := it.members
		if it.method == "card" {
			members = append(slices.Clone(members), cardExtras...)
		}
		first := true
		for _, member := range members {
			value := option(options, it.method+"["+member+"]")
			if value == "" && slices.Contains(cardExtras, member) {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(dialect.AppendString(b, member), ':')
			if value == "" && member == "request_three_d_secure" {
				value = "automatic"
			}
			b = dialect.AppendStringOrNull(b, value)
		}
		b = append(b, '}')
	}
	return append(b, '}')
}
