package keyring

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
)

// ErrLastKey is returned instead of removing the key that seals.
var ErrLastKey = errors.New("keyring: the first key seals and cannot be removed")

// SealedUnder returns the name of the key that a value is sealed under, empty
// if it is no sealed value.
func SealedUnder(sealed []byte) string {
	if len(sealed) == 0 || len(sealed) < 1+int(sealed[0]) {
		return ""
	}
	return string(sealed[1 : 1+sealed[0]])
}

// Reseal returns a value sealed under the first key, and whether it was not
// before. It was sealed for one of the purposes, and is so again.
func (s Sealing) Reseal(sealed []byte, purposes ...string) (fresh []byte, changed bool, err error) {
	if err := s.check(); err != nil {
		return nil, false, err
	}
	for _, purpose := range purposes {
		plain, err := s.open(purpose, sealed)
		if err != nil {
			continue
		}
		if SealedUnder(sealed) == s.Keys[0].ID {
			return sealed, false, nil
		}
		fresh, err = s.seal(purpose, plain)
		clear(plain)
		return fresh, true, err
	}
	return nil, false, fmt.Errorf("%w: it names key %q", ErrSealed, SealedUnder(sealed))
}

// ResealRoot is Reseal for a store's root secret.
func (s Sealing) ResealRoot(sealed []byte) (fresh []byte, changed bool, err error) {
	return s.Reseal(sealed, rootPurpose)
}

// AddToFile puts a fresh key in front of a key file and returns its name. From
// the next start on it seals, and the others still open. The file is replaced
// whole or not at all.
func AddToFile(path string) (id string, err error) {
	s, err := ReadFile(path)
	if err != nil {
		return "", err
	}
	highest := 0
	for _, k := range s.Keys {
		if n, err := strconv.Atoi(k.ID); err == nil {
			highest = max(highest, n)
		}
	}
	fresh := Generate().Keys[0]
	fresh.ID = strconv.Itoa(highest + 1)
	s.Keys = slices.Insert(s.Keys, 0, fresh)
	return fresh.ID, s.replaceFile(path)
}

// RemoveFromFile takes a key out of a key file. What is still sealed under it
// opens never again, so seal everything anew first. The first key stays:
// ErrLastKey.
func RemoveFromFile(path, id string) error {
	s, err := ReadFile(path)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(s.Keys, func(k SealingKey) bool { return k.ID == id })
	switch {
	case at < 0:
		return fmt.Errorf("keyring: key file %s has no key %q", path, id)
	case at == 0:
		return ErrLastKey
	}
	s.Keys = slices.Delete(s.Keys, at, at+1)
	return s.replaceFile(path)
}

// replaceFile writes a key file in place of another.
func (s Sealing) replaceFile(path string) error {
	temp, err := s.writeBeside(path)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(path)
}

// CreateFile writes a key file of mode 0600 that is not there yet: os.ErrExist.
func (s Sealing) CreateFile(path string) error {
	temp, err := s.writeBeside(path)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := os.Link(temp, path); err != nil {
		return err
	}
	return syncDir(path)
}

// writeBeside writes a key file of mode 0600 beside path, flushed.
func (s Sealing) writeBeside(path string) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return "", err
	}
	temp, err := os.CreateTemp(dirOf(path), ".keys-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = temp.Write(append(text, '\n'))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		os.Remove(temp.Name())
		return "", err
	}
	return temp.Name(), nil
}

// syncDir makes a file's new name durable, where folders can be flushed.
func syncDir(path string) error {
	dir, err := os.Open(dirOf(path))
	if err != nil {
		return err
	}
	_ = dir.Sync()
	return dir.Close()
}
