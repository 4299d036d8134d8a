package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/capstan-pay/capstan/dialect"
)

// read decodes the JSON object in a request's body; an empty body is an empty
// object. Members that the control does not know, that are there twice or are
// not of their type are refused by name. Names count to the letter.
func read(r *http.Request, into any) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := look(d, reflect.TypeOf(into).Elem(), "", 0); err != nil {
		var p problem
		if errors.As(err, &p) {
			return p
		}
		return bad("the body is not JSON: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("the body is not JSON: something follows the object")
	}
	if err := json.Unmarshal(body, into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return bad(wrong.Field + " must be " + kindOf(wrong.Type))
		}
		return bad("the body is not what this control takes")
	}
	return nil
}

func readBody(r *http.Request) ([]byte, error) {
	body, err := dialect.ReadBody(r)
	switch {
	case errors.Is(err, dialect.ErrTooLarge):
		return nil, problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", dialect.BodyLimit)}
	case err != nil:
		return nil, bad("the body cannot be read")
	}
	return body, nil
}

// maxNesting is deeper than any control's body.
const maxNesting = 20

// look reads one value and refuses members that its type does not have, or has
// twice. Types are left to the decoder, but for what ought to be an object.
func look(d *json.Decoder, t reflect.Type, path string, depth int) error {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	open, below := token.(json.Delim)
	if path == "" && open != '{' {
		return bad("the body must be a JSON object")
	}
	if !below {
		return nil
	}
	if depth == maxNesting {
		return bad("the body is nested too deeply")
	}
	seen := map[string]bool{}
	for d.More() {
		var inside reflect.Type
		at := path + "[]"
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			at = strings.TrimPrefix(path+"."+name.(string), ".")
			if seen[at] {
				return bad(at + " is there twice")
			}
			seen[at] = true
			var known bool
			if inside, known = member(t, name.(string)); !known {
				return bad(fmt.Sprintf("there is no member %q here", at))
			}
		} else if t != nil && t.Kind() == reflect.Slice {
			inside = t.Elem()
		}
		if err := look(d, inside, at, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// member finds the type of an object's member. Of what is not a struct
// everything is known.
func member(t reflect.Type, name string) (reflect.Type, bool) {
	if t == nil || t.Kind() != reflect.Struct {
		if t != nil && t.Kind() == reflect.Map {
			return t.Elem(), true
		}
		return nil, true
	}
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag == name {
			return t.Field(i).Type, true
		}
	}
	return nil, false
}

// kindOf is what a type is called in JSON.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "a whole number"
}
