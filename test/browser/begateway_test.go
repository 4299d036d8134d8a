package browser

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The 3-D Secure hop of begateway: redirect_url leads to a page that works, and
// that leads back to the shop.
func TestBegatewayProcess(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<!doctype html><title>Shop</title><body>Thank you for your order"))
	}))
	defer back.Close()
	s := newShop(t)
	s.Control(t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": map[string]any{"begateway.three_d_secure": true}}, nil)
	for button, want := range map[string]struct{ status, receipt string }{"yes": {"successful", "Paid"}, "no": {"failed", "Declined"}} {
		t.Run(button, func(t *testing.T) {
			s := s
			s.T = t
			tr := s.post("payments", `{"amount":123456,"duplicate_check":false,"currency":"JPY","description":"Tea","return_url":"`+back.URL+`/order?id=7",
				"credit_card":{"number":"4012000000003010","verification_value":"123","exp_month":"05","exp_year":"2030"}}`)
			if tr.Status != "incomplete" {
				t.Fatalf("%+v", tr)
			}
			for look, option := range map[string]Option{"dark": Dark, "phone": Phone} {
				tab := New(t, option)
				tab.Go(tr.RedirectURL)
				tab.Shows("3-D Secure test page", "Sandbox merchant", "123456 JPY", "•••• 3010", "Approve", "Decline")
				tab.sound(s.URL, "begateway-challenge-"+look)
			}
			tab := New(t)
			tab.Go(tr.RedirectURL)
			tab.Click("button." + button)
			tab.Shows("Thank you for your order")
			if at := tab.Address(); at != back.URL+"/order?id=7&status="+want.status+"&uid="+tr.UID {
				t.Errorf("sent back to %s", at)
			}
			tab.Go(tr.ReceiptURL)
			tab.Shows(want.receipt, "123456 JPY")
			tab.Go(tr.RedirectURL)
			tab.Shows("Nothing is asked of you any more")
			if strings.Contains(tab.Text(), "Approve") {
				t.Error("the page still asks")
			}
		})
	}
}
