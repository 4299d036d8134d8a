package begateway

import (
	"testing"
)

// What the test cards do (section 8.2), on a shop with 3-D Secure and on one
// without.
var testCards = []struct {
	number  string
	name    string
	brand   string
	secured string // the transaction's status on a shop with 3-D Secure
	result  string // pa_status there; empty is no authentication
	plain   string // the status on a shop without
}{
	{"4200000000000000", "successful", "visa", "successful", "", "successful"},
	{"9112300000000000", "successful, belkart", "belkart", "successful", "", "successful"},
	{"4005550000000019", "failed", "visa", "failed", "", "failed"},
	{"4012000000003010", "3-DS: incomplete", "visa", "incomplete", "", "successful"},
	{"4012000000001006", "3-DS Y frictionless, visa", "visa", "successful", "Y", "successful"},
	{"5204240000015003", "3-DS Y frictionless, master", "master", "successful", "Y", "successful"},
	{"4012000000001055", "3-DS A frictionless, visa", "visa", "successful", "A", "successful"},
	{"5204240000015011", "3-DS A frictionless, master", "master", "successful", "A", "successful"},
	{"4012000000001097", "3-DS Y challenge, visa", "visa", "incomplete", "", "successful"},
	{"5204240000015029", "3-DS Y challenge, master", "master", "incomplete", "", "successful"},
	{"4012000000001022", "3-DS U, visa", "visa", "failed", "", "successful"},
	{"5204240000015045", "3-DS U, master", "master", "failed", "", "successful"},
	{"4012000000001030", "3-DS R, visa", "visa", "failed", "R", "successful"},
	{"5204240000015052", "3-DS R, master", "master", "failed", "R", "successful"},
	{"4012000000001014", "3-DS N, visa", "visa", "failed", "N", "successful"},
	{"5204240000015060", "3-DS N, master", "master", "failed", "N", "successful"},
	{"4242424242424242", "any other", "visa", "successful", "", "successful"},
	{"2200000000000004", "any other, mir", "mir", "successful", "", "successful"},
}

func TestTestCards(t *testing.T) {
	w := newWorld(t)
	secured := newWorld(t)
	secured.set("three_d_secure", "true")
	for _, test := range testCards {
		t.Run(test.name, func(t *testing.T) {
			for _, path := range []string{"authorizations", "payments"} {
				w.T, secured.T = t, t
				tr := w.transaction(path, intakeOf("1000", test.number))
				if tr["status"] != test.plain || tr["three_d_secure_verification"] != nil || tr["redirect_url"] != nil ||
					tr["credit_card"].(map[string]any)["brand"] != test.brand {
					t.Errorf("without 3-D Secure: %v", tr)
				}
				tr = secured.transaction(path, intakeOf("1000", test.number))
				section, _ := tr["three_d_secure_verification"].(map[string]any)
				switch {
				case tr["status"] != test.secured:
					t.Errorf("with 3-D Secure: %v", tr)
				case test.secured == "incomplete" && (section["status"] != "incomplete" || section["ve_status"] != "Y" || tr["redirect_url"] == nil || tr["message"] != nil):
					t.Errorf("what the payer has to do: %v", tr)
				case test.result != "" && section["pa_status"] != test.result:
					t.Errorf("the authentication: %v", section)
				case test.secured == "failed" && section != nil && (section["status"] != "failed" || section["fail_reason"] == nil):
					t.Errorf("the failed authentication: %v", section)
				}
				if tr["status"] == "incomplete" {
					uid := tr["uid"].(string)
					body := `{"pa_res":"` + secured.paRes(uid, "Y") + `","md":"` + section["md"].(string) + `"}`
					tr = secured.read(secured.call("POST", "/process/"+uid+"/return", body))
					section = tr["three_d_secure_verification"].(map[string]any)
					if tr["status"] != "successful" || section["status"] != "successful" || section["pa_status"] != "Y" || tr["redirect_url"] != nil {
						t.Errorf("after the payer approved: %v", tr)
					}
				}
			}
		})
	}
}

// Electronic commerce indicators and values follow from brand and result.
func TestAuthenticationValues(t *testing.T) {
	w := newWorld(t)
	w.set("three_d_secure", "true")
	for number, eci := range map[string]string{
		"4012000000001006": "05", "5204240000015003": "02", "4012000000001055": "06", "5204240000015011": "01",
	} {
		section := w.transaction("authorizations", intakeOf("1000", number))["three_d_secure_verification"].(map[string]any)
		if section["eci"] != eci || section["cavv"] == nil || section["cavv_algorithm"] != "2" || section["ve_status"] != "Y" || section["fail_reason"] != nil {
			t.Errorf("%s: %v", number, section)
		}
	}
	section := w.transaction("authorizations", intakeOf("1000", "4012000000001022"))["three_d_secure_verification"].(map[string]any)
	if section["ve_status"] != "U" || section["pa_status"] != nil || section["eci"] != nil || section["cavv"] != nil {
		t.Errorf("unavailable: %v", section)
	}
}
