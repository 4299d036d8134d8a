// Package docrun executes the examples of documentation pages.
//
// An example stands in a fenced block "console": a line that begins with "$ "
// is given to a shell, lines that begin with "> " go on with it, and what
// follows up to the next "$ " is what the command writes:
//
//	```console
//	$ curl -s localhost:8080/_sandbox/clock \
//	> -d '{"advance_seconds":60}'
//	{"now":"2026-01-15T12:01:00Z"}
//	```
//
// In what is written "..." stands for anything, within one line, and for any
// lines where it is alone on a line. All blocks of a page run in one shell, in
// order: variables and files stay. A command has to succeed, unless its block
// is called "console fails".
package docrun

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// Example is one command of a page.
type Example struct {
	Line    int // of the page, counted from 1
	Command string
	Want    string // what it writes
	Fails   bool
}

// Parse finds the examples of a page.
func Parse(page string) []Example {
	var examples []Example
	inside, fails := false, false
	for i, line := range strings.Split(page, "\n") {
		switch {
		case !inside && (line == "```console" || line == "```console fails"):
			inside, fails = true, line != "```console"
			continue
		case line == "```":
			inside = false
			continue
		case !inside:
			continue
		}
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			examples = append(examples, Example{Line: i + 1, Command: command, Fails: fails})
		} else if len(examples) > 0 {
			last := &examples[len(examples)-1]
			if more, ok := strings.CutPrefix(line, "> "); ok && last.Want == "" {
				last.Command += "\n" + more
			} else {
				last.Want += line + "\n"
			}
		}
	}
	return examples
}

// Page is how a page is run.
type Page struct {
	Folder string            // where its shell starts, and leaves its files
	Env    []string          // of its shell, besides PATH
	Real   map[string]string // what stands for what in the page, such as "localhost:8080" for the real address
}

// mark is written after each command, with its exit status.
const mark = "--docrun--"

// Run executes the examples in one shell and returns what is wrong with them:
// nothing, if each wrote what the page says.
func (p Page) Run(examples []Example) ([]error, error) {
	var script strings.Builder
	script.WriteString("exec 2>&1\n")
	for _, e := range examples {
		fmt.Fprintf(&script, "%s\nprintf '\\n%s%%d\\n' $?\n", p.replace(e.Command, false), mark)
	}
	shell := exec.Command("sh")
	shell.Dir, shell.Stdin = p.Folder, strings.NewReader(script.String())
	shell.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.Folder, "LC_ALL=C.UTF-8"}, p.Env...)
	text, err := shell.Output()
	if _, status := err.(*exec.ExitError); err != nil && !status {
		return nil, err
	}
	var wrong []error
	rest := p.replace(string(text), true)
	for _, e := range examples {
		got, after, found := strings.Cut(rest, "\n"+mark)
		if !found {
			return append(wrong, fmt.Errorf("line %d: %s: the shell ended: %s", e.Line, e.Command, rest)), nil
		}
		status, next, _ := strings.Cut(after, "\n")
		rest = next
		if got != "" && !strings.HasSuffix(got, "\n") {
			got += "\n"
		}
		switch {
		case (status != "0") != e.Fails:
			wrong = append(wrong, fmt.Errorf("line %d: %s\nends with status %s and\n%s", e.Line, e.Command, status, got))
		case !Matches(e.Want, got):
			wrong = append(wrong, fmt.Errorf("line %d: %s\nwrites\n%swhere the page has\n%s", e.Line, e.Command, got, e.Want))
		}
	}
	return wrong, nil
}

// replace puts what is real for what the page says, or the other way round.
func (p Page) replace(text string, back bool) string {
	for shown, real := range p.Real {
		if back {
			shown, real = real, shown
		}
		text = strings.ReplaceAll(text, shown, real)
	}
	return text
}

// Matches tells whether a command wrote what the page says.
func Matches(want, got string) bool {
	pattern := regexp.QuoteMeta(want)
	lines := regexp.MustCompile(`(?m)^\\\.\\\.\\\.\n`)
	pattern = lines.ReplaceAllString(pattern, "(?s:.*)")
	pattern = strings.ReplaceAll(pattern, `\.\.\.`, `.*`)
	return regexp.MustCompile(`\A` + pattern + `\z`).MatchString(got)
}
