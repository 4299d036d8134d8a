package begateway_test

import (
	"net/http"
	"testing"

	"github.com/capstan-pay/capstan/internal/drive"
)

// A payment made through another dialect is found, read and captured here by
// the same merchant; one that this API cannot express has no uid.
func TestPaymentsOfOtherDialects(t *testing.T) {
	c := run(t)
	here, err := drive.New("begateway", c.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	for dialect, known := range map[string]bool{"intents": true, "wepay": true, "alipay": false} {
		t.Run(dialect, func(t *testing.T) {
			there, err := drive.New(dialect, c.Credentials)
			if err != nil {
				t.Fatal(err)
			}
			made, err := there.Authorize(t.Context(), 2000, "order-"+dialect)
			if err != nil || made.Verdict != drive.Done {
				t.Fatalf("%+v %v", made, err)
			}
			var found struct{ IDs map[string]*string }
			c.Control(t, http.MethodGet, "/_sandbox/payments/"+made.ID, nil, &found)
			uid := found.IDs["begateway"]
			if (uid != nil) != known {
				t.Fatalf("ids %v", found.IDs)
			}
			if !known {
				return
			}
			shown, err := here.Query(t.Context(), *uid)
			if err != nil || shown.State != "authorization successful" {
				t.Errorf("%s %v", shown.Answer, err)
			}
			taken, err := here.Capture(t.Context(), *uid, 1500, "", false)
			if err != nil || taken.Verdict != drive.Done || taken.Captured != 1500 {
				t.Errorf("%s %v", taken.Answer, err)
			}
			if again, err := here.Capture(t.Context(), *uid, 1500, "", false); err != nil || again.Code != "Duplicate transaction" {
				t.Errorf("%s %v", again.Answer, err)
			}
			if after, err := there.Query(t.Context(), made.ID); err != nil || after.Captured != 1500 && after.Captured != -1 {
				t.Errorf("%s %v", after.Answer, err)
			}
		})
	}
}
