package clients_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/clock"
)

// stripe-node, as npm serves it, does what node/intents.mjs says. Where there
// is no Node.js the test is skipped, and fails where CI=true.
func TestStripeNode(t *testing.T) {
	node, npm := find(t, "node"), find(t, "npm")
	if _, err := os.Stat("node/node_modules/stripe"); err != nil {
		install := exec.CommandContext(t.Context(), npm, "ci", "--no-audit", "--no-fund")
		install.Dir = "node"
		if text, err := install.CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, text)
		}
	}
	s := capstantest.Run(t, capstantest.At(clock.System{}))
	var keys struct {
		Secret string `json:"secret_key"`
	}
	if err := json.Unmarshal(s.Credentials.Intents, &keys); err != nil {
		t.Fatal(err)
	}
	l := newLeaky(t, s.URL, "/capture")
	run := exec.CommandContext(t.Context(), node, "intents.mjs")
	run.Dir = "node"
	run.Env = append(os.Environ(), "SERVER="+s.URL, "LEAKY="+l.URL, "SECRET_KEY="+keys.Secret)
	text, err := run.CombinedOutput()
	if err != nil || strings.Count(string(text), "ok ") < 10 {
		t.Fatalf("%v\n%s", err, text)
	}
	t.Logf("%s", text)
}

func find(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not there: install Node.js with npm", program)
		}
		t.Skipf("%s is not there", program)
	}
	return path
}
