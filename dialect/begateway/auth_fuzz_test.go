package begateway

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzBasicHeader: whatever is in the Authorization header, a request is let in
// with the shop's own credentials only, and answered in this API's words.
func FuzzBasicHeader(f *testing.F) {
	w := newWorld(f)
	encode := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	good := w.shop.ShopID + ":" + w.shop.SecretKey
	for _, seed := range []string{
		"", "Basic", "Basic ", "Basic x", encode(""), encode(":"), encode("1:"), encode(":x"), encode(good), encode(good + "\x00"), encode("1" + good),
		"basic " + encode(good)[6:], "Bearer x", encode(strings.Repeat("1", 1000) + ":x"), encode(good) + "=", encode("1:x:" + w.shop.SecretKey),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/transactions/1-310b0da80b", nil)
		r.Header["Authorization"] = []string{header}
		reply := httptest.NewRecorder()
		w.ServeHTTP(reply, r)
		user, password, ok := r.BasicAuth()
		want := http.StatusUnauthorized
		if ok && user == w.shop.ShopID && password == w.shop.SecretKey {
			want = http.StatusNotFound // it is let in, and there is no such transaction
		}
		if reply.Code != want || !strings.HasPrefix(reply.Body.String(), `{"response":{"message":`) || (want == http.StatusUnauthorized) != (reply.Header()["WWW-Authenticate"] != nil) {
			t.Errorf("%q: %d %s", header, reply.Code, reply.Body)
		}
	})
}
