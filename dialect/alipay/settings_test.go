package alipay

import (
	"slices"
	"strings"
	"testing"
)

// TestCallNames: the setting "apis" knows every call there is.
func TestCallNames(t *testing.T) {
	var names []string
	for api := range apis {
		_, name, _ := strings.Cut(api, "/")
		names = append(names, name)
	}
	slices.Sort(names)
	known := slices.Sorted(slices.Values(callNames))
	if !slices.Equal(names, known) {
		t.Errorf("the calls are %q, the setting takes %q", names, known)
	}
}
