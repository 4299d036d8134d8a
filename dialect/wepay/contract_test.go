package wepay_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/wepay"
)

// description is the dialect's OpenAPI document. Schemas of OpenAPI 3.1 are
// JSON Schema 2020-12, so an answer is held against the very schema that the
// document gives for its path, method and status.
type description struct {
	Paths    map[string]map[string]any
	compiler *jsonschema.Compiler
	mu       sync.Mutex
	schemas  map[string]*jsonschema.Schema
}

const descriptionURL = "https://capstan.test/openapi/wepay.yaml"

var described = sync.OnceValues(func() (*description, error) { return readDescription(wepay.OpenAPI) })

func readDescription(text []byte) (*description, error) {
	d := &description{compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	if err := yaml.Unmarshal(text, d); err != nil {
		return nil, err
	}
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	return d, d.compiler.AddResource(descriptionURL, plain(doc))
}

// plain makes of what YAML decodes to what JSON would.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = plain(v[name])
		}
		return v
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
		return v
	case int:
		return float64(v)
	}
	return v
}

// template returns the path of the document that a request path is an instance
// of; empty if there is none.
func (d *description) template(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if _, ok := d.Paths[path]; ok {
		return path
	}
	parts := strings.Split(path, "/")
	if len(parts) < 3 || parts[2] == "" {
		return ""
	}
	parts[2] = "{id}"
	path = strings.Join(parts, "/")
	if _, ok := d.Paths[path]; ok {
		return path
	}
	return ""
}

// pointer is where the schema of an answer is in the document.
func (d *description) pointer(method, path string, status int) string {
	template := d.template(path)
	operation, ok := d.Paths[template][strings.ToLower(method)].(map[string]any)
	switch {
	case template == "" && status == http.StatusNotFound, !ok && status == http.StatusMethodNotAllowed:
		return "/components/schemas/Error" // of what is not there nothing is said but this
	case !ok:
		return ""
	}
	responses, _ := operation["responses"].(map[string]any)
	response, ok := responses[fmt.Sprint(status)].(map[string]any)
	if !ok {
		return ""
	}
	at := "/paths/" + strings.ReplaceAll(template, "/", "~1") + "/" + strings.ToLower(method) + "/responses/" + fmt.Sprint(status)
	if to, ok := response["$ref"].(string); ok {
		at = strings.TrimPrefix(to, "#")
	}
	return at + "/content/application~1json/schema"
}

func (d *description) schema(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.schemas[pointer]; s != nil {
		return s, nil
	}
	s, err := d.compiler.Compile(descriptionURL + "#" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(pointer))
	if err != nil {
		return nil, err
	}
	d.schemas[pointer] = s
	return s, nil
}

// check holds an answer against the description.
func (d *description) check(method, path string, status int, header http.Header, body []byte) error {
	pointer := d.pointer(method, path, status)
	if pointer == "" {
		return fmt.Errorf("%s %s answers %d, which is not described: %s", method, path, status, body)
	}
	s, err := d.schema(pointer)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", method, path, err, body)
	}
	if err := s.Validate(v); err != nil {
		return fmt.Errorf("%s %s answers %d: %w: %s", method, path, status, err, body)
	}
	if got := header["X-Correlation-Id"]; len(got) != 1 || len(got[0]) != 36 {
		return fmt.Errorf("%s %s has the correlation %q", method, path, got)
	}
	if got := header.Get("Content-Type"); got != "application/json" {
		return fmt.Errorf("%s %s is %s", method, path, got)
	}
	return nil
}

// describedAnswer fails the test if an answer is not as the description says.
// Every answer of the tests of this package comes by here.
func describedAnswer(t testing.TB, method, path string, status int, header http.Header, body []byte) {
	t.Helper()
	d, err := described()
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodOptions && status == http.StatusOK {
		return // of a page before it asks
	}
	if err := d.check(method, path, status, header, body); err != nil {
		t.Error(err)
	}
}

// TestDescriptionIsServed: at the address that the contract names, also where
// nobody has credentials.
func TestDescriptionIsServed(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	response, err := http.Get(s.URL + "/openapi/wepay.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/yaml" || !bytes.Equal(text, wepay.OpenAPI) {
		t.Errorf("%d %s: %v, %d bytes", response.StatusCode, response.Header.Get("Content-Type"), err, len(text))
	}
	if r, err := http.Post(s.URL+"/openapi/wepay.yaml", "", nil); err != nil || r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %v %v", r, err)
	}
}

// TestDescriptionRefuses: a description that takes anything would prove
// nothing. What is taken from, added to or changed in a true answer is seen.
func TestDescriptionRefuses(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	p := c.authorize("1", "")
	d, err := described()
	if err != nil {
		t.Fatal(err)
	}
	problem := c.do(http.MethodGet, "/payments/nobody", "", "")
	for _, change := range []struct {
		status    int
		body      []byte
		old, with string
	}{
		{200, p.body, `"amount":2000,`, ``},
		{200, p.body, `"amount":2000,`, `"amount":"2000",`},
		{200, p.body, `"amount":2000,`, `"amount":2000.5,`},
		{200, p.body, `"amount":2000,`, `"amount":2000,"amount_refundable":2000,`},
		{200, p.body, `"status":"pending"`, `"status":"cancelled"`},
		{200, p.body, `"status":"pending"`, `"status":"completed"`},
		{200, p.body, `"order":null`, `"order":{}`},
		{200, p.body, `"failure_reason":null`, `"failure_reason":{"reason_code":"X","reason_message":"x","details":[]}`},
		{200, p.body, `"txnr_merchant":null`, `"txnr_merchant":"none"`},
		{403, problem.body, `"error_code":"NOT_AUTHORIZED"`, `"error_code":"INVALID_PARAMS"`},
		{403, problem.body, `"reason_code":"RESOURCE_NOT_ACCESSIBLE",`, ``},
		{403, problem.body, `"target":["id"]`, `"target":null`},
		{401, problem.body, `NOT`, `NOT`},
	} {
		body := strings.Replace(string(change.body), change.old, change.with, 1)
		if change.old != change.with && body == string(change.body) {
			t.Fatalf("%s is not in %s", change.old, change.body)
		}
		if err := d.check(http.MethodGet, "/payments/"+p.ID, change.status, p.header, []byte(body)); err == nil {
			t.Errorf("takes %d %s", change.status, body)
		}
	}
}
