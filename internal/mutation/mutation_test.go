// Package mutation breaks the money path on purpose, one line at a time, and
// wants the tests to notice. It has only tests.
package mutation

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutation is one line changed, and the tests that have to fail for it.
type mutation struct {
	name     string
	file     string // below the module's root
	old, new string // exactly one occurrence of old becomes new
	packages []string
}

var mutations = []mutation{
	{"the state guard is dropped", "payment/capture.go",
		"	r.when(p.Status != Authorized, NotCapturable)\n", "",
		[]string{"./payment"}},
	{"off by one at expiry", "payment/expire.go",
		"!at.Before(p.ExpiresAt)", "at.After(p.ExpiresAt)",
		[]string{"./payment"}},
	{"the whole remainder is too much", "payment/capture.go",
		"r.when(amount > r.Limit, AmountTooLarge)", "r.when(amount >= r.Limit, AmountTooLarge)",
		[]string{"./payment"}},
	{"the version is not checked", "store/sqlite/commit.go",
		"if at.version != first || (at.version > 0 && at.tenant != p.Tenant) {", "if at.version > 0 && at.tenant != p.Tenant {",
		[]string{"./store/sqlite"}},
	{"answered whatever the commit says", "engine/commit.go",
		"	return b.Commit(ctx, changes)\n", "	_ = b.Commit(ctx, changes)\n	return nil\n",
		[]string{"./engine"}},
	{"the key is not kept", "engine/batch.go",
		"			Key: it.Key, Tenant: it.Tenant, Fingerprint: it.Fingerprint, Operation: d.Operation, Refusal: d.Refusal,\n",
		"			Tenant: it.Tenant, Fingerprint: it.Fingerprint, Operation: d.Operation, Refusal: d.Refusal,\n",
		[]string{"./engine"}},
	{"a command is tried again without being looked up", "engine/commit.go",
		"			if written {\n", "			if false && written {\n",
		[]string{"./engine"}},
	{"an entry without its counter-entry", "payment/capture.go",
		"		entry = append(entry, ledger.Posting{Account: p.account(ledger.Merchant), Minor: amount - fee})\n", "",
		[]string{"./payment"}},
	{"the rest is not released", "payment/capture.go",
		"e.Released, e.Ending = rest, EndedByCapture", "e.Ending = EndedByCapture",
		[]string{"./payment"}},
	{"an operation's id is used twice", "payment/command.go",
		"func (d *decision) next() int { return len(d.p.Operations) + 1 }", "func (d *decision) next() int { return max(len(d.p.Operations), 1) }",
		[]string{"./payment"}},

	{"the fingerprint is not looked at", "engine/batch.go",
		"if prior.Fingerprint != it.Fingerprint {", "if false {",
		[]string{"./engine"}},
	{"a refusal is kept although the dialect says no", "engine/batch.go",
		"it.Keeps != nil && it.Keeps(d.Refusal)", "it.Keeps != nil",
		[]string{"./engine"}},
	{"a processor is asked again without looking", "engine/task.go",
		"if attempt > 1 {", "if attempt > 1000 {",
		[]string{"./engine"}},
}

// TestMutations: each mutation makes a test fail that passes without it.
func TestMutations(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the packages once for each mutation")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	sound := map[string]bool{}
	for _, m := range mutations {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			for _, p := range m.packages {
				if out, failed := run(t, root, "", p); failed && !sound[p] {
					t.Fatalf("%s fails without a mutation:\n%s", p, out)
				}
				sound[p] = true
			}
			overlay := overlayOf(t, root, m)
			for _, p := range m.packages {
				out, failed := run(t, root, overlay, p)
				switch {
				case !failed:
					t.Errorf("%s does not notice", p)
				case strings.Contains(out, "[build failed]") || !strings.Contains(out, "--- FAIL") && !strings.Contains(out, "panic:"):
					t.Errorf("%s fails for another reason:\n%s", p, out)
				}
			}
		})
	}
}

// overlayOf writes the changed file and the overlay that puts it in the place
// of the original, and returns the overlay's path.
func overlayOf(t *testing.T, root string, m mutation) string {
	t.Helper()
	original := filepath.Join(root, filepath.FromSlash(m.file))
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte(m.old)); n != 1 {
		t.Fatalf("%s has the line to change %d times: bring the mutation up to date", m.file, n)
	}
	changed := filepath.Join(t.TempDir(), "changed.go")
	if err := os.WriteFile(changed, bytes.Replace(text, []byte(m.old), []byte(m.new), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(overlay, document, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// run runs the tests of a package and tells whether they fail.
func run(t *testing.T, root, overlay, pkg string) (out string, failed bool) {
	t.Helper()
	args := []string{"test", "-short", "-failfast", "-timeout", "120s"}
	if overlay != "" {
		args = append(args, "-vet=off", "-overlay", overlay)
	}
	command := exec.Command("go", append(args, pkg)...)
	command.Dir = root
	text, err := command.CombinedOutput()
	return string(text), err != nil
}
