package payment_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

var update = flag.Bool("update", false, "write docs/states.md instead of comparing it")

// docs/states.md shows the state machine as it is.
func TestStatesDocument(t *testing.T) {
	const path = "../docs/states.md"
	want := document(t)
	if *update {
		if err := os.MkdirAll("../docs", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the state machine does: run go test ./payment -run TestStatesDocument -update", path)
	}
}

func document(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# The states of a payment\n\n")
	b.WriteString("Written from the state machine by `go test ./payment -run TestStatesDocument -update`; not to be edited.\n")
	b.WriteString("`verify` holds histories against these moves, and no other can be recorded.\n\n")
	b.WriteString("| State | Final | Meaning |\n|---|---|---|\n")
	meanings := comments(t, "status.go")
	for _, s := range payment.Statuses() {
		final := ""
		if s.Final() {
			final = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s, final, meanings[constant(s.String())])
	}
	b.WriteString("\nA payment that is over says what ended it:\n\n| Ended by | Meaning |\n|---|---|\n")
	for e := payment.EndedByCapture; e <= payment.EndedByReview; e++ {
		fmt.Fprintf(&b, "| `%s` | %s |\n", e, meanings["EndedBy"+constant(e.String())])
	}
	b.WriteString("\n## Moves\n")
	for _, from := range payment.Statuses() {
		fmt.Fprintf(&b, "\n### From `%s`\n\n| Event | To |\n|---|---|\n", from)
		for _, kind := range payment.EventKinds() {
			if to := targets(from, kind); to != nil {
				fmt.Fprintf(&b, "| `%s` | %s |\n", kind, strings.Join(to, " or "))
			}
		}
	}
	return b.String()
}

// targets are the states that an event may lead to.
func targets(from payment.Status, kind payment.EventKind) (to []string) {
	for _, e := range payment.Edges() {
		switch {
		case e.From != from || e.Event != kind:
		case e.To == from:
			to = append(to, "stays")
		default:
			to = append(to, "`"+e.To.String()+"`")
		}
	}
	return to
}

// constant is the name in the code of what is called name in reports.
func constant(name string) string {
	var b strings.Builder
	for _, word := range strings.Split(name, "_") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// comments are the line comments of a file's constants, by name.
func comments(t *testing.T, file string) map[string]string {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && v.Comment != nil {
			texts[v.Names[0].Name] = strings.TrimSpace(v.Comment.Text())
		}
		return true
	})
	return texts
}

// Every status, ending, event, guard, kind and reason has a name of its own.
func TestNames(t *testing.T) {
	check := func(what string, names ...string) {
		t.Helper()
		for i, name := range names {
			if name == "" || strings.ContainsAny(name, " (") || slices.Contains(names[:i], name) {
				t.Errorf("%s %d is called %q", what, i, name)
			}
		}
	}
	check("status", names(payment.Statuses())...)
	check("event", names(payment.EventKinds())...)
	check("guard", names(payment.Guards())...)
	check("ending", names([]payment.Ending{payment.Open, payment.EndedByCapture, payment.EndedByVoid, payment.EndedByCancel, payment.EndedByDeadline, payment.EndedByDecline, payment.EndedByPayout, payment.EndedByReview})...)
	check("operation", names([]payment.OperationKind{payment.OpAuthorize, payment.OpCapture, payment.OpVoid, payment.OpCancel, payment.OpRefund, payment.OpPayout, payment.OpCorrection})...)
	check("operation status", names([]payment.OperationStatus{payment.OpPending, payment.OpAwaiting, payment.OpApproved, payment.OpFailed})...)
	check("review", names([]payment.ReviewStatus{payment.NotReviewed, payment.InReview, payment.ReviewPassed, payment.ReviewFailed})...)
	check("method", names([]payment.MethodKind{payment.NoMethod, payment.CardMethod, payment.WalletMethod, payment.PayeeCard})...)
	var reasons []string
	for _, r := range payment.Reasons() {
		reasons = append(reasons, string(r))
	}
	check("reason", reasons...)

	for _, odd := range []fmt.Stringer{
		payment.Status(len(payment.Statuses())), payment.EndedByReview + 1, payment.EventKind(0), payment.EventKind(len(payment.EventKinds()) + 1),
		payment.OperationKind(0), payment.OpIncrement + 1, payment.OperationStatus(0), payment.OpFailed + 1, payment.ReviewFailed + 1,
	} {
		if got := odd.String(); !strings.HasPrefix(got, "payment.") {
			t.Errorf("%T out of range is called %q", odd, got)
		}
	}
	if got := payment.Guard(len(payment.Guards())).String(); got != "unknown_guard" {
		t.Errorf("a guard out of range is called %q", got)
	}
}

func names[T fmt.Stringer](all []T) (list []string) {
	for _, v := range all {
		list = append(list, v.String())
	}
	return list
}

// The states that are final are final: nothing leads out of them.
func TestFinalStatesAreFinal(t *testing.T) {
	for _, e := range payment.Edges() {
		if e.From.Final() && e.To != e.From {
			t.Errorf("%s by %s to %s", e.From, e.Event, e.To)
		}
	}
	var final []payment.Status
	for _, s := range payment.Statuses() {
		if s.Final() {
			final = append(final, s)
		}
	}
	if want := []payment.Status{payment.Captured, payment.Voided, payment.Expired, payment.Declined, payment.PaidOut}; !slices.Equal(final, want) {
		t.Errorf("final are %v", final)
	}
}

// Every move of the state machine is made by some test.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" {
		for _, e := range payment.Edges() {
			if !seen[e] {
				fmt.Printf("no test takes a payment from %s by %s to %s\n", e.From, e.Event, e.To)
				code = 1
			}
		}
	}
	os.Exit(code)
}
