package alipay

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
)

// Bounds of an RSA modulus in bits.
const (
	minKeyBits = 2048
	maxKeyBits = 8192
)

// serverKey is the key that answers and notifications are signed with: one of
// a store, the same on all its instances.
type serverKey struct {
	version string
	private *rsa.PrivateKey
}

// serverKeys holds the server key once it was read.
type serverKeys struct {
	mu    sync.Mutex
	known atomic.Pointer[serverKey]
}

// The server key is kept in the store under this name, sealed for this
// purpose.
const (
	ServerKeyName    = "alipay.server_key"
	serverKeyPurpose = "alipay server key"
)

// sealedServerKey is the form in which the store keeps it.
type sealedServerKey struct {
	Version string `json:"version"`
	Sealed  []byte `json:"sealed"` // PKCS#8 DER
}

// get returns the server key: the published one in the sandbox, else the
// store's own, which is made when it is wanted for the first time.
func (k *serverKeys) get(ctx context.Context, s dialect.Services) (*serverKey, error) {
	if key := k.known.Load(); key != nil {
		return key, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.known.Load(); key != nil {
		return key, nil
	}
	key, err := readServerKey(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("alipay: server key: %w", err)
	}
	k.known.Store(key)
	return key, nil
}

func readServerKey(ctx context.Context, s dialect.Services) (*serverKey, error) {
	if s.Sandbox {
		private, err := publishedServer()
		return &serverKey{version: publishedVersion, private: private}, err
	}
	kept, err := s.Meta.Meta(ctx, ServerKeyName)
	if err == nil && kept == nil {
		kept, err = makeServerKey(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	return openServerKey(s.Keys, kept)
}

// makeServerKey puts a fresh key in the store, unless another instance has
// done so meanwhile, and returns the one that is there then.
func makeServerKey(ctx context.Context, s dialect.Services) ([]byte, error) {
	private, err := rsa.GenerateKey(rand.Reader, minKeyBits)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	sealed, err := s.Keys.Seal(serverKeyPurpose, der)
	if err != nil {
		return nil, err
	}
	kept, err := json.Marshal(sealedServerKey{Version: "1", Sealed: sealed})
	if err != nil {
		return nil, err
	}
	return s.Meta.PutMeta(ctx, ServerKeyName, kept, true)
}

// ResealServerKey seals the server's key anew, as it is kept in the store, and
// tells whether it was sealed under another key before.
func ResealServerKey(sealing keyring.Sealing, kept []byte) (fresh []byte, changed bool, err error) {
	var k sealedServerKey
	if err := json.Unmarshal(kept, &k); err != nil {
		return nil, false, err
	}
	if k.Sealed, changed, err = sealing.Reseal(k.Sealed, serverKeyPurpose); err != nil || !changed {
		return kept, false, err
	}
	fresh, err = json.Marshal(k)
	return fresh, true, err
}

func openServerKey(keys *keyring.Keyring, kept []byte) (*serverKey, error) {
	var k sealedServerKey
	if err := json.Unmarshal(kept, &k); err != nil {
		return nil, err
	}
	der, err := keys.Open(serverKeyPurpose, k.Sealed)
	if err != nil {
		return nil, err
	}
	private, err := parsePrivateDER(der)
	return &serverKey{version: k.Version, private: private}, err
}

// errNotRSA is returned for keys of other kinds and sizes.
var errNotRSA = errors.New("not an RSA key of 2048 to 8192 bits")

// parsePrivateDER reads PKCS#8. All that signing needs is computed here, once.
func parsePrivateDER(der []byte) (*rsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() < minKeyBits {
		return nil, errNotRSA
	}
	key.Precompute()
	return key, nil
}

// parsePublicDER reads an SPKI structure.
func parsePublicDER(der []byte) (*rsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < minKeyBits || key.N.BitLen() > maxKeyBits {
		return nil, errNotRSA
	}
	return key, nil
}

// publicDER reads a public key as merchants give it, PEM or the bare base64 of
// its DER, and returns the DER.
func publicDER(text string) ([]byte, error) {
	var der []byte
	if block, _ := pem.Decode([]byte(text)); block != nil {
		der = block.Bytes
	} else {
		var err error
		if der, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err != nil {
			return nil, errors.New("neither PEM nor base64")
		}
	}
	_, err := parsePublicDER(der)
	return der, err
}

// privatePEM writes a key as PKCS#8 PEM.
func privatePEM(key *rsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), err
}

// publicPEM writes the public half of a key as SPKI PEM.
func publicPEM(key *rsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}
