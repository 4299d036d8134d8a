package begateway_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/pgtest"
)

// A text may have any character, and no request is our fault: not even the one
// that PostgreSQL has no place for.
func TestAnyCharacter(t *testing.T) {
	for name, options := range map[string][]capstantest.Option{"sqlite": nil, "postgres": {capstantest.On(pgtest.Open(t))}} {
		t.Run(name, func(t *testing.T) {
			s := capstantest.Run(t, options...)
			c := client{s, authorization(t, s.Credentials.Begateway)}
			for i, member := range []string{
				`"description":"a\u0000b"`, `"tracking_id":"a\u0000b"`, `"notification_url":"http://127.0.0.1:1/\u0000"`, `"customer":{"ip":"\u0000","email":"\u0000@b","device_id":"\u0000"}`,
				`"billing_address":{"city":"\u0000"}`, `"additional_data":{"\u0000":"\u0000"}`, `"return_url":"\u0000"`, `"credit_card":{"token":"\u0000"}`,
				`"credit_card":{"number":"4200000000000000","exp_month":"05","exp_year":"2030","holder":"J\u0000"}`,
			} {
				request := fmt.Sprintf(`{"amount":%d,"currency":"USD","description":"A book",%s,%s}`, 100+i, cardOfTests, member)
				r, err := c.post("authorizations", request)
				if err != nil || r.Status >= http.StatusInternalServerError {
					t.Errorf("%s: %+v %v", member, r, err)
				}
			}
			parent := c.hold(t, 10_000)
			for i, member := range []string{`"tracking_id":"c\u0000"`, `"notification_url":"\u0000"`, `"reason":"\u0000"`, `"parent_uid":"\u0000"`} {
				r, err := c.post("captures", fmt.Sprintf(`{"parent_uid":"%s","amount":%d,%s}`, parent, 1+i, member))
				if err != nil || r.Status >= http.StatusInternalServerError {
					t.Errorf("capture with %s: %+v %v", member, r, err)
				}
			}
			for _, id := range []string{"a\x00b", "c\x00", "\x00", strings.Repeat("é", 255)} {
				for _, path := range []string{"/v2/transactions/tracking_id/", "/transactions/tracking_id/", "/transactions/", "/ctp/api/checkouts/", "/async/result/", "/async/status/"} {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path+url.PathEscape(id), nil)
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Authorization", c.authorization)
					reply, err := http.DefaultClient.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					reply.Body.Close()
					if reply.StatusCode >= http.StatusInternalServerError {
						t.Errorf("GET %s%q: %d", path, id, reply.StatusCode)
					}
				}
			}
		})
	}
}
