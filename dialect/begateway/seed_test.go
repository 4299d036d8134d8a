package begateway

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/risk"
)

// The three examples of the capture page, compacted: what a capture of 50 out
// of a hold looks like, byte for byte but for ids and hashes.
const (
	seedSuccess = `{"transaction":{"capture":{"message":"The operation was successfully processed.","ref_id":"8889999","gateway_id":152,"status":"successful"},` +
		`"uid":"2-310b0da80b","status":"successful","message":"Successfully processed","amount":50,"parent_uid":"1-310b0da80b",` +
		`"receipt_url":"https://gateway.ecomcharge.com/customer/transactions/2-310b0da80b/11443f39ae75aa1f955a9c9283cd5045bfb0413b65d666f834a9da4e7d3926b5",` +
		`"currency":"USD","type":"capture","test":false}}`
	seedFailedSection = `{"status":"failed","message":"Merchant terminal limits exceeded (maximum transaction amount). Transaction didn't pass anti-fraud checks.",` +
		`"limit":{"volume":false,"count":false,"max":true,"current_volume":100,"current_count":1},` +
		`"white_black_list":{"card_number":"black","ip":"absent","email":"absent"},` +
		`"rules":{"1_123_My Shop":{"more_100_eur":{"Transaction amount more than 100 AND Transaction currency is EUR":"passed"}},"1_John Doe":{},"eComCharge":{}}}`
	seedFailed = `{"transaction":{"be_protected_verification":` + seedFailedSection +
		`,"uid":"2-310b0da80b","status":"failed","message":"Merchant terminal limits exceeded (maximum transaction amount). Transaction didn't pass anti-fraud checks.",` +
		`"amount":50,"parent_uid":"1-310b0da80b",` +
		`"receipt_url":"https://gateway.ecomcharge.com/customer/transactions/2-310b0da80b/11443f39ae75aa1f955a9c9283cd5045bfb0413b65d666f834a9da4e7d3926b5",` +
		`"currency":"USD","type":"capture","test":false}}`
	seedPassedSection = `{"status":"successful","limit":{"volume":false,"count":false,"max":false,"current_volume":90,"current_count":1},` +
		`"white_black_list":{"card_number":"absent","ip":"absent","email":"absent"},` +
		`"rules":{"1_123_My Shop":{"more_100_eur":{"Transaction amount more than 100 AND Transaction currency is EUR":"passed"}},"1_John Doe":{},"eComCharge":{}}}`
)

var seedPassed = strings.Replace(seedSuccess, `"uid"`, `"be_protected_verification":`+seedPassedSection+`,"uid"`, 1)

var (
	maskHash = regexp.MustCompile(`/[0-9a-f]{64}"`)
	maskUID  = regexp.MustCompile(`[0-9]+-[0-9a-f]{10}\b`)
	maskRef  = regexp.MustCompile(`"ref_id":"[0-9]{7}"`)
)

// masked puts fixed names in the place of ids and hashes, after checking that
// they have the seed's shape.
func masked(body string) string {
	body = maskHash.ReplaceAllString(body, `/HASH"`)
	body = maskUID.ReplaceAllString(body, "UID")
	return maskRef.ReplaceAllString(body, `"ref_id":"REF"`)
}

// riskOf is the situation of the two examples: one payment this month, a rule
// about euros, and for the failed one a maximum below 50 and a black card.
func riskOf(t *testing.T, maximum, volume int64, black string) func(payment.Instruction) payment.Answer {
	config, err := risk.Parse([]byte(`{
		"levels":{"shop":"1_123_My Shop","merchant":"1_John Doe","psp":"eComCharge"},
		"limits":[{"currency":"USD","max":` + strconv.FormatInt(maximum, 10) + `}],
		"lists":{"black":{"card":[` + black + `]}},
		"rules":[{"level":"shop","alias":"more_100_eur","action":"reject","condition":"Transaction amount more than 100 AND Transaction currency is EUR"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	checks, err := config.Compile(risk.Setup{})
	if err != nil {
		t.Fatal(err)
	}
	return func(i payment.Instruction) payment.Answer {
		p := i.Payment
		input := risk.Input{Type: risk.Capture, Amount: i.Amount, Currency: p.Currency, At: noon, Card: p.Method.Fingerprint, IP: p.IP, Email: p.Email}
		used := risk.Usage{}
		for _, counter := range checks.Counters(input) {
			used[counter.Name] = risk.Tally{Volume: volume, Count: 1}
		}
		verdict := checks.Evaluate(input, used)
		answer := payment.Answer{Result: payment.Approved, Screening: verdict.Document}
		if verdict.Rejected {
			answer.Result, answer.Reason = payment.Refused, payment.Reason(verdict.Reason)
		}
		return answer
	}
}

func TestSeedExamples(t *testing.T) {
	w := newWorld(t)
	stamp := w.transaction("authorizations", intakeOf("100", goodCard))["credit_card"].(map[string]any)["stamp"].(string)
	for _, test := range []struct {
		name, want string
		screen     func(payment.Instruction) payment.Answer
	}{
		{"without beProtected", seedSuccess, nil},
		{"failed by beProtected", seedFailed, riskOf(t, 40, 100, `"`+stamp+`"`)},
		{"passed by beProtected", seedPassed, riskOf(t, 1000, 90, "")},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.T = t
			w.set("gateway_id", "152")
			parent := w.hold("100")
			w.engine.screen = test.screen
			reply := w.post("captures", `{"parent_uid":"`+parent+`","amount":50}`)
			if reply.Code != http.StatusOK || masked(reply.Body.String()) != masked(test.want) {
				t.Errorf("status %d\ngot  %s\nwant %s", reply.Code, masked(reply.Body.String()), masked(test.want))
			}
			var body struct {
				Transaction struct {
					UID        string
					Parent     string `json:"parent_uid"`
					ReceiptURL string `json:"receipt_url"`
				}
			}
			if err := json.Unmarshal(reply.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			tr := body.Transaction
			if tr.Parent != parent || tr.UID == parent || !strings.Contains(tr.ReceiptURL, "/"+tr.UID+"/") {
				t.Errorf("uid %s, parent %s, receipt %s; the authorization is %s", tr.UID, tr.Parent, tr.ReceiptURL, parent)
			}
		})
	}
}
