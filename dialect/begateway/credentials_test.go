package begateway

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// What is kept of a shop opens to the secrets it was shown, and to nobody
// without the key file.
func TestIssue(t *testing.T) {
	w := newWorld(t)
	for _, sandbox := range []bool{true, false} {
		w.Sandbox = sandbox
		keep, show, err := w.Issue(t.Context(), *w.merchant)
		if err != nil {
			t.Fatal(err)
		}
		shown := show.(Credentials)
		if len(keep) != 2 || keep[0].Lookup != shown.ShopID || strings.Contains(keep[1].Lookup, shown.SecretKey) {
			t.Fatalf("kept %+v", keep)
		}
		plain, err := w.Keys.Open(SealPurpose, keep[0].Sealed)
		if err != nil {
			t.Fatal(err)
		}
		var sealed sealedShop
		if err := json.Unmarshal(plain, &sealed); err != nil || sealed.SecretKey != shown.SecretKey {
			t.Errorf("sealed %v, not what was shown", err)
		}
		private, err := x509.ParsePKCS8PrivateKey(sealed.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		spki, err := base64.StdEncoding.DecodeString(shown.PublicKey)
		if err != nil || strings.ContainsAny(shown.PublicKey, "\r\n -") || !strings.HasPrefix(shown.PublicKey, "MIIB") {
			t.Errorf("public key %q: %v", shown.PublicKey, err)
		}
		public, err := x509.ParsePKIXPublicKey(spki)
		if err != nil || !private.(*rsa.PrivateKey).PublicKey.Equal(public) || private.(*rsa.PrivateKey).N.BitLen() != keyBits {
			t.Errorf("the two keys are no pair: %v", err)
		}
		if published, err := publishedKey(); err != nil || published.Equal(private) != sandbox {
			t.Errorf("sandbox %t: it is the published key: %t %v", sandbox, published.Equal(private), err)
		}
		if _, err := w.Keys.Open("another purpose", keep[0].Sealed); err == nil || bytes.Contains(keep[0].Sealed, []byte(shown.SecretKey)) {
			t.Error("the seal holds nothing")
		}
	}
}

// A live server has nobody who would not move money.
func TestTestModeNeedsASandbox(t *testing.T) {
	w := newWorld(t)
	w.Sandbox = false
	request := strings.Replace(intakeOf("1000", goodCard), `"duplicate_check"`, `"test":true,"duplicate_check"`, 1)
	if got := w.problemOf(w.post("authorizations", request), 400); got != textNotProcessable {
		t.Errorf("%q", got)
	}
	if tr := w.transaction("authorizations", intakeOf("1000", goodCard)); tr["test"] != false {
		t.Errorf("%v", tr)
	}
}
