package alipay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"sync"
)

// signer signs, on no more processors than there are: more at once would only
// make each other late.
//
// A signature costs about ten times what all else of a request does. Under load
// nearly all requests that are under way wait for theirs, and the others come in
// one by one, as answers go out: each would have a commit of its own. So whoever
// is about to commit waits at a door while there is enough to sign, and goes
// through it with the others (see gather).
type signer struct {
	slots  chan struct{}
	enough uint64 // signatures to be made with which nobody waits at the door

	mu      sync.Mutex
	asked   uint64        // signatures that were asked for
	made    uint64        // those of them that are over
	waiting uint64        // who is at the door
	door    chan struct{} // closed to let them through; nil while there is nobody
	opens   uint64        // the door opens at the latest when so many are made
}

// ahead is how many signatures for each processor are always enough.
const ahead = 4

func newSigner(processors int) *signer {
	return &signer{slots: make(chan struct{}, processors), enough: uint64(ahead * processors)}
}

// gather waits while there is enough to sign, so that those who come meanwhile
// commit together. They go when as many of them wait as there are signatures to
// be made: so there is something to sign while they commit. The first of them
// waits no longer than it takes to sign what was asked for before him, and the
// others no longer than he: whatever is asked for later delays nobody.
func (s *signer) gather() {
	s.mu.Lock()
	before := s.asked - s.made
	if before <= s.enough {
		s.mu.Unlock()
		return
	}
	if s.door == nil {
		s.door, s.opens = make(chan struct{}), s.made+before-s.enough
	}
	s.waiting++
	door := s.door
	s.look()
	s.mu.Unlock()
	<-door
}

// look opens the door if it is time. s.mu is held.
func (s *signer) look() {
	if s.door != nil && (s.made >= s.opens || s.waiting >= s.asked-s.made) {
		close(s.door)
		s.door, s.waiting = nil, 0
	}
}

// sign returns the signature of a digest, in base64 and percent-encoded.
func (s *signer) sign(key *rsa.PrivateKey, sum [sha256.Size]byte) (string, error) {
	s.begin()
	defer s.end()
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return encodeSignature(raw), nil
}

func (s *signer) begin() {
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	s.slots <- struct{}{}
}

func (s *signer) end() {
	<-s.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	s.look()
}
