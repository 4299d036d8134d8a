package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/store"
)

// SealedDocuments implements store.Registry.
func (s *Store) SealedDocuments(_ context.Context, after int64, limit int) ([]document.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []document.Document
	for _, d := range s.documents {
		if d.Serial > after && d.Sealed != nil {
			found = append(found, copied(d))
		}
	}
	slices.SortFunc(found, func(a, b document.Document) int { return cmp.Compare(a.Serial, b.Serial) })
	return found[:min(limit, len(found))], nil
}

// SwapSealed implements store.Registry.
func (s *Store) SwapSealed(_ context.Context, at store.Sealed, old, fresh []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh = bytes.Clone(fresh)
	switch {
	case at.Meta != "":
		if was, ok := s.meta[at.Meta]; !ok || !bytes.Equal(was, old) {
			return false, nil
		}
		s.meta[at.Meta] = fresh
	case at.Credential.Lookup != "":
		i := s.credential(at.Credential)
		if i < 0 || !bytes.Equal(s.credentials[i].Sealed, old) {
			return false, nil
		}
		s.credentials[i].Sealed = fresh
	default:
		d, ok := s.documents[at.Document]
		if !ok || !bytes.Equal(d.Sealed, old) {
			return false, nil
		}
		d.Sealed = fresh
		s.documents[at.Document] = d
	}
	return true, nil
}
