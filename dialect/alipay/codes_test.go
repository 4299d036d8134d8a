package alipay

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/capstan-pay/capstan/payment"
)

// TestEveryCodeHasATranscript: each row of each table of results is a
// transcript of its own, in testdata/codes, which TestWire plays over real HTTP
// with real signatures under the row's name: its last answer is the row. There
// is no transcript of a code that is in no table.
func TestEveryCodeHasATranscript(t *testing.T) {
	want := map[string]bool{"common/REQUEST_TRAFFIC_EXCEED_LIMIT-v1": true}
	for _, code := range commonCodes {
		want["common/"+code] = true
	}
	for api, codes := range endpointCodes {
		for _, code := range codes {
			want[name(api)+"/"+code] = true
		}
	}
	files, err := filepath.Glob("testdata/codes/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, file := range files {
		row := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), "testdata/codes/"), ".txtar")
		got[row] = true
		endpoint, code, _ := strings.Cut(row, "/")
		code, _, _ = strings.Cut(code, "-")
		said := exchanges(t, file)
		last := said[len(said)-1]
		if last.code != code || endpoint != "common" && last.api != endpoint {
			t.Errorf("%s ends with %s of %s", file, last.code, last.api)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("transcripts and rows differ:\n%v\n%v", got, want)
	}
}

// TestTranscriptsSayDocumentedCodes: no transcript has a code that the endpoint
// does not have, and a code means the same wherever it is said.
func TestTranscriptsSayDocumentedCodes(t *testing.T) {
	texts := map[string]string{}
	err := filepath.WalkDir("testdata", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".txtar") {
			return err
		}
		for _, e := range exchanges(t, path) {
			api := "payments/" + e.api
			if _, known := endpointCodes[api]; !known {
				api = "authorizations/" + e.api
			}
			if !documented(api, []byte(e.code)) {
				t.Errorf("%s: %s says %s", path, e.api, e.code)
			}
			key := e.code
			switch {
			case e.code == "REPEAT_REQ_INCONSISTENT" && e.api == "pay", e.code == "INVALID_CODE" && e.api != "pay": // another text there
				key += " " + e.api
			case e.code == "REQUEST_TRAFFIC_EXCEED_LIMIT":
				key += " " + e.status
			}
			if text := e.status + " " + e.message; texts[key] == "" {
				texts[key] = text
			} else if texts[key] != text {
				t.Errorf("%s: %s is %q, elsewhere %q", path, key, text, texts[key])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// exchange is a request and the result it was answered with.
type exchanged struct{ api, code, status, message string }

// exchanges reads the answers of a transcript that are this API's.
func exchanges(t *testing.T, file string) (all []exchanged) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var target string
	for _, section := range archive.Files {
		switch section.Name {
		case "request":
			target = strings.Fields(string(section.Data))[1]
			if _, rest, absolute := strings.Cut(target, "://"); absolute {
				target = rest[strings.IndexByte(rest, '/'):]
			}
		case "reply":
			_, body, _ := strings.Cut(string(section.Data), "\n\n")
			var a struct {
				Result struct {
					Code    string `json:"resultCode"`
					Status  string `json:"resultStatus"`
					Message string `json:"resultMessage"`
				}
			}
			if json.Unmarshal([]byte(body), &a) == nil && a.Result.Code != "" {
				all = append(all, exchanged{name(routeOf(target).api), a.Result.Code, a.Result.Status, a.Result.Message})
			}
		}
	}
	if len(all) == 0 && !strings.Contains(file, "-signed") {
		t.Fatalf("%s: no answers", file)
	}
	return all
}

func name(api string) string {
	_, name, _ := strings.Cut(api, "/")
	return name
}

// TestResultsAreDocumented: what the tables of refusals and declines can make a
// call answer is in the table of its endpoint.
func TestResultsAreDocumented(t *testing.T) {
	said := map[string][]result{
		"payments/capture": {success, captureInProcess}, "payments/pay": {success, accept, paymentInProcess, expiredAccessToken, invalidCode, codeAlreadyUsed, orderStatusInvalid},
		"payments/void": {success, unknownException}, "payments/cancel": {success, orderNotExist, processFail, unknownException},
		"payments/refund": {success, refundInProcess}, "payments/inquiryPayment": {success, orderNotExist}, "payments/inquiryRefund": {success, refundNotExist},
	}
	for api, table := range map[string][]refusalRow{
		"payments/capture": captureRefusals, "payments/pay": payRefusals, "payments/void": voidRefusals, "payments/cancel": cancelRefusals, "payments/refund": refundRefusals,
	} {
		for _, row := range table {
			said[api] = append(said[api], row.result)
		}
	}
	for _, reason := range append(payment.Reasons(), "unheard of") {
		for kind, api := range map[payment.OperationKind]string{payment.OpCapture: "payments/capture", payment.OpVoid: "payments/void", payment.OpRefund: "payments/refund"} {
			said[api] = append(said[api], resultOf(&payment.Operation{Kind: kind, Status: payment.OpFailed, Answer: payment.Answer{Reason: reason}}))
		}
		said["payments/pay"] = append(said["payments/pay"], declinedPay(reason))
	}
	for api, results := range said {
		for _, r := range results {
			if !documented(api, []byte(r.code)) {
				t.Errorf("%s may not say %s", api, r.code)
			}
		}
		for _, code := range endpointCodes[api] {
			if !slices.ContainsFunc(results, func(r result) bool { return r.code == code }) {
				t.Errorf("%s never says %s", api, code)
			}
		}
	}
	if len(endpointCodes) != len(apis) {
		t.Errorf("%d tables for %d calls", len(endpointCodes), len(apis))
	}
}

// TestNoOtherCode: an answer with a code that is not the endpoint's does not
// leave it.
func TestNoOtherCode(t *testing.T) {
	r := newRig(t, true, nil)
	id := r.pay(t, "pay", 1000, "USD")
	kept := endpointCodes["payments/inquiryPayment"]
	endpointCodes["payments/inquiryPayment"] = []string{"ORDER_NOT_EXIST"}
	defer func() { endpointCodes["payments/inquiryPayment"] = kept }()
	if got := r.call(t, "inquiryPayment", fmt.Sprintf(`{"paymentId":%q}`, id)); got.Result.Code != "UNKNOWN_EXCEPTION" || got.PaymentID != "" || len(got.header["signature"]) != 1 {
		t.Errorf("%s", got.body)
	}
	if !strings.Contains(r.log.String(), "inquiryPayment") {
		t.Errorf("log: %s", r.log.String())
	}
}
