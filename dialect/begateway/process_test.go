package begateway

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const challengedCard = "4012000000001097"

// challenge authorizes with a card whose payer has to authenticate.
func (w *world) challenge(more string) map[string]any {
	w.Helper()
	w.set("three_d_secure", "true")
	request := strings.Replace(intakeOf("1000", challengedCard), `"amount"`, more+`"amount"`, 1)
	tr := w.transaction("authorizations", request)
	if tr["status"] != "incomplete" {
		w.Fatalf("%v", tr)
	}
	return tr
}

// browse sends a request as a browser does: nobody is authenticated.
func (w *world) browse(method, address, form string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, strings.TrimPrefix(address, w.PublicURL), strings.NewReader(form))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	reply := httptest.NewRecorder()
	w.ServeHTTP(reply, r)
	return reply
}

var buttons = regexp.MustCompile(`name="([^"]+)" value="([^"]+)"`)

// answers reads the form of the page: what approves and what declines.
func answersOf(t *testing.T, page string) (approve, decline string) {
	t.Helper()
	found := buttons.FindAllStringSubmatch(page, -1)
	if len(found) != 3 {
		t.Fatalf("no form in %s", page)
	}
	md := url.QueryEscape(found[0][1]) + "=" + url.QueryEscape(html.UnescapeString(found[0][2]))
	return md + "&" + found[1][1] + "=" + found[1][2], md + "&" + found[2][1] + "=" + found[2][2]
}

// The payer is led to the page, answers, and is led back with uid and status;
// answering again changes nothing.
func TestProcessBasicFlow(t *testing.T) {
	for answer, status := range map[string]string{"approve": "successful", "decline": "failed"} {
		w := newWorld(t)
		tr := w.challenge(`"return_url":"https://shop.example/back?order=7",`)
		uid := tr["uid"].(string)
		page := w.browse(http.MethodGet, tr["redirect_url"].(string), "")
		if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "10.00 USD") || page.Header().Get("Cache-Control") != "no-store" ||
			!strings.Contains(page.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Fatalf("%d %s", page.Code, page.Body)
		}
		approve, decline := answersOf(t, page.Body.String())
		form := map[string]string{"approve": approve, "decline": decline}[answer]
		for range 2 {
			reply := w.browse(http.MethodPost, tr["redirect_url"].(string)+"/return", form)
			want := "https://shop.example/back?order=7&status=" + status + "&uid=" + uid
			if reply.Code != http.StatusSeeOther || reply.Header().Get("Location") != want {
				t.Fatalf("%d %s, want %s", reply.Code, reply.Header().Get("Location"), want)
			}
			form = approve // too late
		}
		if tr := w.read(w.call("GET", "/transactions/"+uid, "")); tr["status"] != status {
			t.Errorf("%v", tr)
		}
		if page := w.browse(http.MethodGet, tr["redirect_url"].(string), ""); page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "Nothing is asked of you any more") {
			t.Errorf("%d %s", page.Code, page.Body)
		}
	}
}

// Without a return_url the page itself says what came of it.
func TestProcessWithoutReturn(t *testing.T) {
	w := newWorld(t)
	tr := w.challenge("")
	approve, _ := answersOf(t, w.browse(http.MethodGet, tr["redirect_url"].(string), "").Body.String())
	if reply := w.browse(http.MethodPost, tr["redirect_url"].(string)+"/return", approve); reply.Code != http.StatusOK || !strings.Contains(reply.Body.String(), "the payment is successful") {
		t.Errorf("%d %s", reply.Code, reply.Body)
	}
}

// The advanced flow: the shop sends its payer to acs_url by itself, and brings
// the answer to /return.
func TestProcessAdvancedFlow(t *testing.T) {
	w := newWorld(t)
	tr := w.challenge("")
	section := tr["three_d_secure_verification"].(map[string]any)
	form := url.Values{"PaReq": {section["pa_req"].(string)}, "MD": {"the shop's own"}, "TermUrl": {"https://shop.example/term"}}.Encode()
	page := w.browse(http.MethodPost, section["acs_url"].(string), form)
	if !strings.Contains(page.Body.String(), `action="https://shop.example/term"`) {
		t.Fatalf("%d %s", page.Code, page.Body)
	}
	approve, _ := answersOf(t, page.Body.String())
	values, err := url.ParseQuery(approve)
	if err != nil || values.Get("MD") != "the shop's own" {
		t.Fatalf("%v %v", values, err)
	}
	path := "/process/" + tr["uid"].(string) + "/return"
	body := `{"request":{"pa_res":"` + values.Get("PaRes") + `","md":"` + section["md"].(string) + `"}}`
	if got := w.read(w.call("POST", path, body)); got["status"] != "successful" || got["authorization"] == nil {
		t.Errorf("%v", got)
	}
	if got := w.read(w.call("POST", path, body)); got["status"] != "successful" {
		t.Errorf("again: %v", got)
	}
	if tr := w.transaction("captures", `{"parent_uid":"`+tr["uid"].(string)+`","amount":1000}`); tr["status"] != "successful" {
		t.Errorf("%v", tr)
	}
}

// Who cannot show what our page answered changes nothing.
func TestProcessForgeries(t *testing.T) {
	w := newWorld(t)
	tr, other := w.challenge(""), w.challenge("")
	uid, md := tr["uid"].(string), tr["three_d_secure_verification"].(map[string]any)["md"].(string)
	_, stranger := w.addShop(t, "Another shop")
	path := "/process/" + uid + "/return"
	for body, want := range map[string]string{
		`{}`:                               "Pa res can't be blank. Md can't be blank.",
		`{"pa_res":"Y","md":"` + md + `"}`: "Pa res is invalid.",
		`{"pa_res":"` + w.paRes(other["uid"].(string), "Y") + `","md":"` + md + `"}`: "Pa res is invalid.",
		`{"pa_res":"Y` + w.paRes(uid, "N")[1:] + `","md":"` + md + `"}`:              "Pa res is invalid.",
		`{"pa_res":"` + w.paRes(uid, "Y") + `","md":"x"}`:                            "Md is invalid.",
		`{`: "Invalid JSON",
	} {
		if got := w.problemOf(w.call("POST", path, body), http.StatusBadRequest); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	good := `{"pa_res":"` + w.paRes(uid, "Y") + `","md":"` + md + `"}`
	if got := w.callAs(stranger, "POST", path, good); got.Code != http.StatusNotFound {
		t.Errorf("another shop: %d", got.Code)
	}
	if got := w.callAs(Credentials{ShopID: "1", SecretKey: "x"}, "POST", path, good); got.Code != http.StatusUnauthorized {
		t.Errorf("nobody: %d", got.Code)
	}
	hold := w.hold("1000")
	for address, want := range map[string]int{
		"/process/" + hold: http.StatusOK, "/process/1-310b0da80b": http.StatusNotFound, "/process/": http.StatusNotFound, "/process": http.StatusNotFound,
		"/process/" + uid + "/else": http.StatusNotFound, "/process/" + uid + "/acs?TermUrl=javascript:alert(1)": http.StatusBadRequest,
		"/process/" + uid + "/acs?TermUrl=https://shop.example&PaReq=x": http.StatusBadRequest, "/process/" + uid + "/acs": http.StatusOK,
		"/process/" + uid + "/return": http.StatusNotFound,
	} {
		if got := w.browse(http.MethodGet, address, ""); got.Code != want {
			t.Errorf("GET %s: %d, want %d", address, got.Code, want)
		}
	}
	for form, want := range map[string]int{"": http.StatusBadRequest, "pa_res=Y&md=" + md: http.StatusBadRequest, "pa_res=%": http.StatusBadRequest, "pa_res=" + w.paRes(uid, "Y") + "&md=x": http.StatusBadRequest} {
		if got := w.browse(http.MethodPost, path, form); got.Code != want {
			t.Errorf("form %q: %d", form, got.Code)
		}
	}
	if got := w.browse(http.MethodPost, "/process/1-310b0da80b/return", "pa_res=Y"); got.Code != http.StatusNotFound {
		t.Errorf("an unknown uid: %d", got.Code)
	}
	if tr := w.read(w.call("GET", "/transactions/"+uid, "")); tr["status"] != "incomplete" {
		t.Errorf("%v", tr)
	}
	w.Sandbox = false
	if got := w.browse(http.MethodGet, "/process/"+uid, ""); got.Code != http.StatusNotFound {
		t.Errorf("live: %d", got.Code)
	}
}

// Who skips 3-D Secure is not asked, and who comes too late finds the
// transaction expired (section 8.3).
func TestProcessSkippedAndLate(t *testing.T) {
	w := newWorld(t)
	w.set("three_d_secure", "true")
	for _, skip := range []string{"true", `"true"`} {
		request := strings.Replace(intakeOf("1000", challengedCard), `"number"`, `"skip_three_d_secure_verification":`+skip+`,"number"`, 1)
		if tr := w.transaction("authorizations", request); tr["status"] != "successful" || tr["three_d_secure_verification"] != nil {
			t.Errorf("%v", tr)
		}
	}
	tr := w.challenge(`"return_url":"https://shop.example/back",`)
	approve, _ := answersOf(t, w.browse(http.MethodGet, tr["redirect_url"].(string), "").Body.String())
	w.clock.advance(24*time.Hour + time.Millisecond)
	reply := w.browse(http.MethodPost, tr["redirect_url"].(string)+"/return", approve)
	if location := reply.Header().Get("Location"); !strings.HasPrefix(location, "https://shop.example/back?status=expired&") {
		t.Errorf("%d %s", reply.Code, location)
	}
	if got := w.problemOf(w.post("captures", `{"parent_uid":"`+tr["uid"].(string)+`","amount":1000}`), http.StatusBadRequest); got != textNoCapture {
		t.Errorf("%s", got)
	}
}
