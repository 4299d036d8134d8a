// Package keyring holds the secrets of a store: the sealing keys, which come
// from outside it, and a root secret, which is kept inside it sealed and from
// which everything else is derived.
package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// Sealing is a list of sealing keys as the key file holds them. The first one
// seals; all of them open, so a new key is put in front to rotate.
type Sealing struct {
	Keys []SealingKey `json:"keys"`
}

// SealingKey is one AES-256 key with the name that sealed values carry.
type SealingKey struct {
	ID  string `json:"id"`
	Key []byte `json:"key"` // 32 bytes, base64 in the file
}

// Published is the sealing key of sandboxes that have no place for one of
// their own. It is public and guards nothing.
func Published() Sealing {
	key := sha256.Sum256([]byte("capstan: the published sandbox key guards nothing"))
	return Sealing{Keys: []SealingKey{{ID: "published", Key: key[:]}}}
}

// Generate returns one fresh sealing key.
func Generate() Sealing {
	key := make([]byte, 32)
	rand.Read(key)
	return Sealing{Keys: []SealingKey{{ID: "1", Key: key}}}
}

// ReadFile reads a key file.
func ReadFile(path string) (Sealing, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Sealing{}, err
	}
	var s Sealing
	if err := json.Unmarshal(text, &s); err != nil {
		return Sealing{}, fmt.Errorf("key file %s: %w", path, err)
	}
	if err := s.check(); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// ReadOrCreateFile reads a key file, or makes one with mode 0600 if there is
// none. Several processes may do so at once: one of them makes it.
func ReadOrCreateFile(path string) (Sealing, error) {
	s, err := ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	temp, err := Generate().writeBeside(path)
	if err != nil {
		return Sealing{}, err
	}
	defer os.Remove(temp)
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return Sealing{}, err
	}
	return ReadFile(path)
}

func dirOf(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if os.IsPathSeparator(path[i]) {
			return path[:i+1]
		}
	}
	return "."
}

func (s Sealing) check() error {
	if len(s.Keys) == 0 {
		return errors.New("keyring: no sealing key")
	}
	for i, k := range s.Keys {
		if len(k.Key) != 32 || k.ID == "" || len(k.ID) > 255 {
			return fmt.Errorf("keyring: sealing key %q must have a name and 32 bytes", k.ID)
		}
		if slices.ContainsFunc(s.Keys[:i], func(other SealingKey) bool { return other.ID == k.ID }) {
			return fmt.Errorf("keyring: two sealing keys are called %q", k.ID)
		}
	}
	return nil
}

// ErrSealed is returned for a value that none of the keys opens.
var ErrSealed = errors.New("keyring: sealed under a key that is not here")

// seal encrypts plain with AES-256-GCM under the first key: the key's name,
// its length before it, then nonce and ciphertext. The purpose is
// authenticated with it, so that a value cannot be moved elsewhere.
func (s Sealing) seal(purpose string, plain []byte) ([]byte, error) {
	k := s.Keys[0]
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	sealed := append([]byte{byte(len(k.ID))}, k.ID...)
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	sealed = append(sealed, nonce...)
	return aead.Seal(sealed, nonce, plain, []byte(purpose)), nil
}

func (s Sealing) open(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || len(sealed) < 1+int(sealed[0]) {
		return nil, ErrSealed
	}
	id, rest := string(sealed[1:1+sealed[0]]), sealed[1+sealed[0]:]
	for _, k := range s.Keys {
		if k.ID != id {
			continue
		}
		aead, err := k.aead()
		if err != nil {
			return nil, err
		}
		if len(rest) < aead.NonceSize() {
			return nil, ErrSealed
		}
		plain, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], []byte(purpose))
		if err != nil {
			return nil, ErrSealed
		}
		return plain, nil
	}
	return nil, ErrSealed
}

func (k SealingKey) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.Key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Keyring seals and opens secrets and makes keyed digests. It is safe for
// concurrent use.
type Keyring struct {
	sealing Sealing
	root    []byte
	macs    sync.Map // purpose -> *sync.Pool of hash.Hash
}

// rootPurpose is what the root secret is sealed for.
const rootPurpose = "root"

// NewRoot returns a fresh root secret, sealed, to be kept in the store.
func NewRoot(s Sealing) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	root := make([]byte, 32)
	rand.Read(root)
	return s.seal(rootPurpose, root)
}

// Open returns the keyring of a store whose sealed root secret is given.
func Open(s Sealing, sealedRoot []byte) (*Keyring, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	root, err := s.open(rootPurpose, sealedRoot)
	if err != nil {
		return nil, fmt.Errorf("open the store's root secret: %w", err)
	}
	return &Keyring{sealing: s, root: root}, nil
}

// Fixed returns a keyring with a given root, for tests that need the same
// digests every time.
func Fixed(root string) *Keyring {
	sum := sha256.Sum256([]byte(root))
	return &Keyring{sealing: Published(), root: sum[:]}
}

// Seal encrypts a secret for a purpose; only Open with the same purpose gives
// it back.
func (k *Keyring) Seal(purpose string, plain []byte) ([]byte, error) {
	return k.sealing.seal(purpose, plain)
}

// Open decrypts what Seal made. It returns ErrSealed when the key is not here.
func (k *Keyring) Open(purpose string, sealed []byte) ([]byte, error) {
	return k.sealing.open(purpose, sealed)
}

// Derive returns n bytes that follow from the root secret and a purpose.
func (k *Keyring) Derive(purpose string, n int) []byte {
	key, err := hkdf.Key(sha256.New, k.root, nil, purpose, n)
	if err != nil {
		panic(err) // n is a small constant of ours
	}
	return key
}

// MAC returns HMAC-SHA256 of the parts under a key of its own for each purpose.
// The parts are framed by their lengths, so they cannot run into each other.
func (k *Keyring) MAC(purpose string, parts ...[]byte) [32]byte {
	pool, ok := k.macs.Load(purpose)
	if !ok {
		key := k.Derive("mac:"+purpose, 32)
		pool, _ = k.macs.LoadOrStore(purpose, &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }})
	}
	h := pool.(*sync.Pool).Get().(hash.Hash)
	defer pool.(*sync.Pool).Put(h)
	h.Reset()
	var sum [32]byte
	for _, p := range parts {
		n := len(p)
		sum[0], sum[1], sum[2], sum[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
		h.Write(sum[:4])
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}

// Token returns a fresh 256-bit secret in base64url, to be handed out once.
func Token() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
