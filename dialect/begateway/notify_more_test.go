package begateway_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/docrun"
)

// digestInfo is what PKCS #1 puts before a SHA-256 digest (RFC 8017, 9.2).
const digestInfo = "3031300d060960864801650304020105000420"

// The signature of a notification is right by the book: worked out with nothing
// but big numbers, and by OpenSSL where it is there (section 9).
func TestSignatureByOthers(t *testing.T) {
	s, sink := capstantest.Run(t), capstantest.NewSink(t)
	c := newShop(t, s)
	if !strings.HasPrefix(c.PublicKey, "MIIB") || strings.ContainsAny(c.PublicKey, "\n-") {
		t.Errorf("the public key is shown as %q", c.PublicKey)
	}
	c.create("payments", goodCard, sink.URL)
	m := sink.Wait(t, 1)[0]
	der, err := base64.StdEncoding.DecodeString(c.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := base64.StdEncoding.DecodeString(m.Header.Get("Content-Signature"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(body []byte) bool {
		parsed, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			t.Fatal(err)
		}
		key := parsed.(*rsa.PublicKey)
		sum := sha256.Sum256(body)
		size := (key.N.BitLen() + 7) / 8
		tail := digestInfo + hex.EncodeToString(sum[:])
		want := "0001" + strings.Repeat("ff", size-3-len(tail)/2) + "00" + tail
		opened := new(big.Int).Exp(new(big.Int).SetBytes(signed), big.NewInt(int64(key.E)), key.N)
		return hex.EncodeToString(opened.FillBytes(make([]byte, size))) == want
	}
	if !check(m.Body) || check(append(bytes.Clone(m.Body), '\n')) {
		t.Error("the signature is not that of the body")
	}

	docrun.Need(t, "openssl")
	folder := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, signature := file("key.der", der), file("signature", signed)
	for name, body := range map[string][]byte{"body": m.Body, "another": []byte(`{}`)} {
		out, err := exec.CommandContext(t.Context(), "openssl", "dgst", "-sha256", "-verify", key, "-keyform", "DER", "-signature", signature, file(name, body)).CombinedOutput()
		if good := err == nil && strings.Contains(string(out), "Verified OK"); good != (name == "body") {
			t.Errorf("%s: openssl says %s %v", name, out, err)
		}
	}
}

// renotify asks for a notification again and returns status and body.
func (c *shop) renotify(uid string) (int, string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.s.URL+"/transactions/"+uid+"/renotify", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	request.SetBasicAuth(c.ShopID, c.SecretKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, body.String()
}

// A notification is sent again when the shop asks for it: that transaction's
// own.
func TestRenotify(t *testing.T) {
	s, sink := capstantest.Run(t), capstantest.NewSink(t)
	c := newShop(t, s)
	hold := c.create("authorizations", goodCard, sink.URL+"/hold")
	_, capture := c.call("POST", "/transactions/captures", fmt.Sprintf(`{"request":{"parent_uid":%q,"amount":100,"notification_url":"%s/capture"}}`, hold["uid"], sink.URL))
	_, silent := c.call("POST", "/transactions/captures", fmt.Sprintf(`{"request":{"parent_uid":%q,"amount":200}}`, hold["uid"]))
	first := sink.Wait(t, 2)
	for i, uid := range []any{hold["uid"], capture["uid"], hold["uid"]} {
		if status, body := c.renotify(uid.(string)); status != http.StatusOK || body != `{"response":{"message":"Transaction was renotified"}}` {
			t.Fatalf("%d %s", status, body)
		}
		again := sink.Wait(t, 3+i)[2+i]
		c.verify(again)
		for _, m := range first {
			if m.Path == again.Path && !bytes.Equal(m.Body, again.Body) {
				t.Errorf("%s was told\n%s\nand then\n%s", m.Path, m.Body, again.Body)
			}
		}
		if want := []string{"/hold", "/capture", "/hold"}[i]; again.Path != want {
			t.Errorf("told %s, not %s", again.Path, want)
		}
	}
	if status, body := c.renotify(silent["uid"].(string)); status != http.StatusBadRequest || !strings.Contains(body, "transaction can't be renotified") {
		t.Errorf("without a URL: %d %s", status, body)
	}
	for _, uid := range []string{"1-310b0da80b", "", "a/b"} {
		if status, body := c.renotify(uid); status != http.StatusNotFound || body != `{"response":{"message":"Record not found"}}` {
			t.Errorf("%q: %d %s", uid, status, body)
		}
	}
}

// Who has to authenticate is told of when he did, or when it is too late; an
// outcome that is not known is told of when it is (section 9).
func TestNotificationOfWhatComesLater(t *testing.T) {
	s, sink := capstantest.Run(t), capstantest.NewSink(t)
	c := newShop(t, s)
	s.Control(t, http.MethodPatch, "/_sandbox/settings", map[string]any{"settings": map[string]any{"begateway.three_d_secure": true}}, nil)
	late := c.create("authorizations", "4012000000001097", sink.URL+"/late")
	s.Control(t, http.MethodPost, "/_sandbox/processor", map[string]any{"operation": "authorize", "outcome": "lost_then_declined"}, nil)
	unknown := c.create("payments", goodCard, sink.URL+"/unknown")
	for _, tr := range []map[string]any{late, unknown} {
		if tr["status"] != "incomplete" {
			t.Fatalf("%v", tr)
		}
	}
	if got := sink.Messages(); len(got) != 0 {
		t.Fatalf("told too early: %s", got[0].Body)
	}
	s.Advance(t, time.Minute)
	if got := sink.Wait(t, 1); got[0].Path != "/unknown" || !bytes.Contains(got[0].Body, []byte(`"status":"failed"`)) {
		t.Errorf("%s %s", got[0].Path, got[0].Body)
	}
	s.Advance(t, 24*time.Hour)
	got := sink.Wait(t, 2)
	if c.verify(got[1]); got[1].Path != "/late" || !bytes.Contains(got[1].Body, []byte(`"status":"expired"`)) || len(got) != 2 {
		t.Errorf("%s %s", got[1].Path, got[1].Body)
	}
}
