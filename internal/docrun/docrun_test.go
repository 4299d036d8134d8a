package docrun

import (
	"reflect"
	"strings"
	"testing"
)

const page = "# A page\n\n```console\n$ A=1\n$ echo $A \\\n> two\n1 two\n$ printf x\nx\n```\n\nText.\n\n```\n$ not this\n```\n\n" +
	"```console fails\n$ echo at here:80; false\nat ...\n```\n"

func TestParse(t *testing.T) {
	want := []Example{
		{4, "A=1", "", false}, {5, "echo $A \\\ntwo", "1 two\n", false}, {8, "printf x", "x\n", false}, {19, "echo at here:80; false", "at ...\n", true},
	}
	if got := Parse(page); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestRun(t *testing.T) {
	p := Page{Folder: t.TempDir(), Env: []string{"B=2"}, Real: map[string]string{"here:80": "there:81"}}
	if wrong, err := p.Run(Parse(page)); err != nil || len(wrong) > 0 {
		t.Fatalf("%v, %v", wrong, err)
	}
	for command, want := range map[string]string{
		"echo one\nx\none":            "where the page has",
		"false":                       "ends with status 1",
		"exit 3":                      "the shell ended",
		"echo $B\n3":                  "writes\n2",
		"echo here:80\nthere:81":      "writes\nhere:80",
		"echo oops >&2":               "writes\noops",
		"echo a; echo b\na\n...\nc":   "where the page has",
		"no-such-program --at-all\nx": "ends with status 127",
	} {
		wrong, err := p.Run(Parse("```console\n$ " + command + "\n```\n"))
		if err != nil || len(wrong) != 1 || !strings.Contains(wrong[0].Error(), want) {
			t.Errorf("%q: %v, %v, want %q", command, wrong, err, want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		want, got string
		matches   bool
	}{
		{"a\n", "a\n", true}, {"a.b\n", "axb\n", false}, {"{...}\n", "{\"x\":1}\n", true}, {"{...}\n", "{\n}\n", false},
		{"...\n", "", true}, {"a\n...\nz\n", "a\nb\nc\nz\n", true}, {"a\n...\nz\n", "a\nz\n", true}, {"a\n...\nz\n", "a\n", false}, {"", "x\n", false},
	} {
		if Matches(c.want, c.got) != c.matches {
			t.Errorf("%q and %q", c.want, c.got)
		}
	}
}
