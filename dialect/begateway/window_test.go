package begateway

import (
	"net/http"
	"testing"
	"time"
)

// The window of the duplicate rule is 30 s, its last instant included, to the
// millisecond (section 4.3).
func TestDuplicateWindow(t *testing.T) {
	const duplicate = "Duplicate transaction"
	for _, test := range []struct {
		after time.Duration
		want  string
	}{
		{0, duplicate}, {29*time.Second + 999*time.Millisecond, duplicate}, {30 * time.Second, duplicate}, {30*time.Second + time.Millisecond, ""},
	} {
		t.Run(test.after.String(), func(t *testing.T) {
			w := newWorld(t)
			w.T = t
			parent := w.hold("1000")
			payment := w.transaction("payments", intakeOf("2000", goodCard))["uid"].(string)
			check := func(path, request string) {
				t.Helper()
				if reply := w.post(path, request); test.want == "" && reply.Code != http.StatusOK || test.want != "" && w.problemOf(reply, http.StatusBadRequest) != test.want {
					t.Errorf("%s: %d %s", path, reply.Code, reply.Body)
				}
			}
			requests := map[string]string{
				"captures":       `{"parent_uid":"` + parent + `","amount":50}`,
				"voids":          `{"parent_uid":"` + parent + `","amount":50}`,
				"refunds":        `{"parent_uid":"` + payment + `","amount":50,"reason":"x"}`,
				"authorizations": `{"amount":70,"currency":"USD","description":"A book","credit_card":{"number":"` + goodCard + `","exp_month":"05","exp_year":"2030"}}`,
			}
			for path, request := range requests {
				w.transaction(path, request)
			}
			w.clock.advance(test.after)
			for path, request := range requests {
				check(path, request)
			}
		})
	}
}
