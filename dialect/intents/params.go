package intents

import (
	"errors"
	"strconv"
	"strings"
)

// kind is how a parameter was written. Forms know text only.
type kind uint8

const (
	kindText kind = iota
	kindNumber
	kindBool
	kindEmpty // an object or array with nothing in it
)

// param is one parameter under the name a form gives it, array elements with
// their number: "shipping[address][city]", "expand[0]".
type param struct {
	name, value string
	kind        kind
	used        bool
}

// params are the parameters of one request. Reading one takes it off the list
// of unknown ones; the first that cannot be read is kept as the problem.
type params struct {
	list []param
	bad  *problem
}

func (p *params) reset() {
	clear(p.list)
	p.list, p.bad = p.list[:0], nil
}

func (p *params) add(name, value string, k kind) {
	p.list = append(p.list, param{name: name, value: value, kind: k})
}

// fail keeps the first problem.
func (p *params) fail(why *problem) {
	if p.bad == nil {
		p.bad = why
	}
}

// problem is what is wrong with the parameters: one that nobody has read, or
// the first that could not be read.
func (p *params) problem() *problem {
	for i := range p.list {
		if !p.list[i].used {
			return unknownParam(p.list[i].name)
		}
	}
	return p.bad
}

// find returns a parameter by its name, nil if it was not sent. Of several the
// last one counts. Nested ones in the place of a single one are found, too: as
// kindEmpty. An object around the parameter with nothing in it is read, but
// nothing is found.
func (p *params) find(name string) *param {
	var found *param
	for i := range p.list {
		it := &p.list[i]
		switch {
		case it.name == name:
			it.used, found = true, it
		case len(it.name) > len(name) && it.name[len(name)] == '[' && it.name[:len(name)] == name:
			it.used, found = true, &param{name: name, kind: kindEmpty}
		case it.kind == kindEmpty && len(name) > len(it.name) && name[len(it.name)] == '[' && name[:len(it.name)] == it.name:
			it.used = true
		}
	}
	return found
}

// ignore reads a parameter, and all below it, that has no effect here.
func (p *params) ignore(names ...string) {
	for _, name := range names {
		p.find(name)
	}
}

// has tells whether a parameter was sent. It does not read it.
func (p *params) has(name string) bool {
	for i := range p.list {
		if n := p.list[i].name; n == name || strings.HasPrefix(n, name) && n[len(name)] == '[' {
			return true
		}
	}
	return false
}

// text reads a string of at most limit characters.
func (p *params) text(name string, limit int) (string, bool) {
	it := p.find(name)
	if it == nil {
		return "", false
	}
	if it.kind == kindEmpty {
		p.fail(invalid(name, "Invalid string: "+name))
		return "", false
	}
	if len(it.value) > limit && len([]rune(it.value)) > limit {
		p.fail(invalid(name, "Invalid "+name+": it must be at most "+strconv.Itoa(limit)+" characters"))
		return "", false
	}
	return it.value, true
}

// integer reads a whole number: decimal digits with an optional minus.
func (p *params) integer(name string) (int64, bool) {
	it := p.find(name)
	if it == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(it.value, 10, 64) // beyond 64 bits it is the nearest that fits, and too large for everything
	if err != nil && !errors.Is(err, strconv.ErrRange) || it.kind == kindEmpty || it.kind == kindBool || it.value[0] == '+' {
		p.fail(&problem{status: 400, code: "parameter_invalid_integer", param: name, message: "Invalid integer: " + quotable(it.value)})
		return 0, false
	}
	if it.value[0] == '0' || it.value[0] == '-' {
		it.value = strconv.FormatInt(n, 10) // so that "08" is the same as "8" to a fingerprint
	}
	return n, true
}

// unset tells whether a parameter was sent as the empty text, which unsets it.
func (p *params) unset(name string) bool {
	it := p.find(name)
	return it != nil && it.kind == kindText && it.value == ""
}

// quotable is what an error text may say of a value: not one that is long
// enough to be a card number in the wrong place.
func quotable(value string) string {
	if len(value) >= 12 {
		return value[:min(4, len(value))] + "..."
	}
	return value
}

// boolean reads true or false in any letter case, or 1 or 0.
func (p *params) boolean(name string) (value, sent bool) {
	it := p.find(name)
	if it == nil {
		return false, false
	}
	switch {
	case strings.EqualFold(it.value, "true"), it.value == "1":
		it.value, value = "true", true
	case strings.EqualFold(it.value, "false"), it.value == "0":
		it.value = "false"
	default:
		p.fail(invalid(name, "Invalid boolean: "+quotable(it.value)))
		return false, false
	}
	return value, true
}

// enum reads one of several words. Where it may be unset the empty string is
// one of them.
func (p *params) enum(name string, words ...string) (string, bool) {
	it := p.find(name)
	if it == nil {
		return "", false
	}
	for _, word := range words {
		if it.value == word && it.kind != kindEmpty {
			return word, true
		}
	}
	p.fail(invalid(name, "Invalid "+name+": must be one of "+either(words)))
	return "", false
}

// either lists words as an error text does: "a, b, or c".
func either(words []string) string {
	var shown []string
	for _, w := range words {
		if w != "" {
			shown = append(shown, w)
		}
	}
	switch n := len(shown); n {
	case 1:
		return shown[0]
	case 2:
		return shown[0] + " or " + shown[1]
	default:
		return strings.Join(shown[:n-1], ", ") + ", or " + shown[n-1]
	}
}

// below reads everything that is nested in name: the parameters with what
// follows the name, such as "[address][city]". An object with nothing in it is
// read, too.
func (p *params) below(name string) []param {
	var found []param
	for i := range p.list {
		it := &p.list[i]
		if it.kind == kindEmpty && it.name == name {
			it.used = true
		}
		if rest, ok := strings.CutPrefix(it.name, name); ok && rest != "" && rest[0] == '[' {
			it.used = true
			found = append(found, param{name: rest, value: it.value, kind: it.kind})
		}
	}
	return found
}

// object reads what an object must not be: text in its place.
func (p *params) object(name string) {
	for i := range p.list {
		if it := &p.list[i]; it.name == name && it.kind != kindEmpty {
			it.used = true
			p.fail(invalid(name, "Invalid object: "+name))
		}
	}
}

// cleared tells whether name itself was sent as the empty string, which unsets
// it and all below it.
func (p *params) cleared(name string) bool {
	for i := range p.list {
		if it := &p.list[i]; it.name == name {
			it.used = true
			if it.kind != kindEmpty && it.value != "" {
				p.fail(invalid(name, "Invalid object: "+name))
			}
			return it.kind != kindEmpty
		}
	}
	return false
}

// words reads an array of strings.
func (p *params) words(name string, limit int) (words []string, sent bool) {
	for i := range p.list {
		it := &p.list[i]
		rest, ok := strings.CutPrefix(it.name, name)
		if !ok || rest != "" && rest[0] != '[' {
			continue
		}
		it.used, sent = true, true
		switch {
		case rest == "" && (it.value == "" || it.kind == kindEmpty): // an empty array
		case rest == "" || strings.Count(rest, "[") > 1 || it.kind == kindEmpty || len(words) == limit || len(it.value) > 500:
			p.fail(invalid(name, "Invalid array: "+name))
		default:
			words = append(words, it.value)
		}
	}
	return words, sent
}
