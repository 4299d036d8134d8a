package signature_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/signature"
)

// The vectors that the specification's reference libraries are tested with.
const (
	vectorID     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorBody   = `{"test": 2432232314}`
	vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorV1     = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	vectorKey    = "VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
	vectorV1a    = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
)

var vectorAt = time.Unix(1614265330, 0)

func TestStandardVectors(t *testing.T) {
	secret, err := signature.ParseSecret(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	key, err := signature.ParseKey(vectorKey)
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]signature.Standard{
		vectorV1:                   {Secrets: [][]byte{secret}},
		vectorV1a:                  {Keys: []ed25519.PrivateKey{key}},
		vectorV1 + " " + vectorV1a: {Secrets: [][]byte{secret}, Keys: []ed25519.PrivateKey{key}},
	} {
		h := http.Header{}
		s.Sign(h, vectorID, vectorAt, []byte(vectorBody))
		if got := h["webhook-signature"][0]; got != want {
			t.Errorf("signature %q, want %q", got, want)
		}
		if h["webhook-id"][0] != vectorID || h["webhook-timestamp"][0] != "1614265330" {
			t.Errorf("headers %v", h)
		}
	}
}

// Whoever has one of two secrets, or keys, during a rotation finds his
// signature.
func TestRotation(t *testing.T) {
	old, fresh := signature.NewSecret(), signature.NewSecret()
	private, public := signature.NewKey()
	var s signature.Standard
	for _, text := range []string{fresh, old} {
		secret, err := signature.ParseSecret(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Secrets = append(s.Secrets, secret)
	}
	key, err := signature.ParseKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if signature.PublicKey(key) != public {
		t.Error("the public key is another one's")
	}
	s.Keys = append(s.Keys, key)
	both, one := http.Header{}, http.Header{}
	s.Sign(both, "msg_1", vectorAt, []byte("{}"))
	signature.Standard{Secrets: s.Secrets[1:]}.Sign(one, "msg_1", vectorAt, []byte("{}"))
	parts := strings.Split(both["webhook-signature"][0], " ")
	if len(parts) != 3 || parts[1] != one["webhook-signature"][0] {
		t.Errorf("signatures %v, one of them should be %v", parts, one)
	}
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	signed, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(parts[2], "v1a,"))
	if !ed25519.Verify(raw, []byte("msg_1.1614265330.{}"), signed) {
		t.Error("the Ed25519 signature does not verify")
	}
}

func TestBadSecrets(t *testing.T) {
	for _, text := range []string{"", "whsec_", "whsec_!", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)), base64.StdEncoding.EncodeToString(make([]byte, 65))} {
		if _, err := signature.ParseSecret(text); err == nil {
			t.Errorf("%q is a secret", text)
		}
	}
	for _, text := range []string{"", "whsk_", "whsk_" + base64.StdEncoding.EncodeToString(make([]byte, 31))} {
		if _, err := signature.ParseKey(text); err == nil {
			t.Errorf("%q is a key", text)
		}
	}
}

// The example of the intents dialect: the key is the whole secret, its prefix
// included. The digests are OpenSSL's:
// printf '1492774577.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
func TestTimestamped(t *testing.T) {
	at := time.Unix(1492774577, 999)
	one := signature.Timestamped(at, []byte(`{"id":"evt_1"}`), "whsec_test")
	if want := "t=1492774577,v1=7656fc2882a7ca0a651666b36bf2f2f22ee204f54f608f227498a2419f2890b2"; one != want {
		t.Errorf("%q, want %q", one, want)
	}
	two := signature.Timestamped(at, []byte(`{"id":"evt_1"}`), "whsec_fresh", "whsec_test")
	if want := "t=1492774577,v1=2d3386dd701bafab59bcb3f92dc9b17b4c50817a87b53187bd6d07d12530e845,v1=7656fc2882a7ca0a651666b36bf2f2f22ee204f54f608f227498a2419f2890b2"; two != want {
		t.Errorf("%q, want %q", two, want)
	}
}

func TestRSA(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte(`{"transaction":{}}`)
	text, err := signature.RSA(key, message)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := signature.RSA(key, message)
	signed, err := base64.StdEncoding.DecodeString(text)
	sum := sha256.Sum256(message)
	if err != nil || again != text || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signed) != nil {
		t.Errorf("%q and %q, %v", text, again, err)
	}
}
