package wepay

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestDescriptionIsComplete: what is described is what is served, and the other
// way round.
func TestDescriptionIsComplete(t *testing.T) {
	var doc struct {
		OpenAPI string `yaml:"openapi"`
		Paths   map[string]map[string]any
	}
	if err := yaml.Unmarshal(OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("openapi %s", doc.OpenAPI)
	}
	var described, served []string
	for path, item := range doc.Paths {
		for method := range item {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for name, r := range resources {
		for _, e := range r.all {
			served = append(served, e.method+" /"+name)
		}
		for _, e := range r.one {
			served = append(served, e.method+" /"+name+"/{id}")
		}
		for action, all := range r.actions {
			for _, e := range all {
				served = append(served, e.method+" /"+name+"/{id}/"+action)
			}
		}
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described\n%s\nserved\n%s", strings.Join(described, "\n"), strings.Join(served, "\n"))
	}
}
