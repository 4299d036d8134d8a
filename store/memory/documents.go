package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/store"
)

// Document implements document.Store.
func (s *Store) Document(_ context.Context, n document.Name) (*document.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.documents[n]
	if !ok {
		return nil, nil
	}
	d = copied(d)
	return &d, nil
}

// Documents implements document.Store.
func (s *Store) Documents(_ context.Context, l document.Listing) ([]document.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page []document.Document
	for n, d := range s.documents {
		n.ID = ""
		switch {
		case n != document.Name{Tenant: l.Tenant, Merchant: l.Merchant, Dialect: l.Dialect, Kind: l.Kind}:
		case l.Owner != "" && d.Owner != l.Owner:
		case !l.From.IsZero() && d.CreatedAt.Before(l.From), !l.Until.IsZero() && !d.CreatedAt.Before(l.Until):
		case l.OldestFirst && d.Serial <= l.After, !l.OldestFirst && l.After != 0 && d.Serial >= l.After:
		default:
			page = append(page, copied(d))
		}
	}
	slices.SortFunc(page, func(a, b document.Document) int { return cmp.Compare(a.Serial, b.Serial) })
	if !l.OldestFirst {
		slices.Reverse(page)
	}
	return append([]document.Document(nil), page[:min(max(l.Limit, 0), len(page))]...), nil
}

// PutDocument implements document.Store.
func (s *Store) PutDocument(_ context.Context, d *document.Document) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.put(*d); err != nil {
		return err
	}
	*d = copied(s.documents[d.Name])
	return nil
}

func (s *Store) put(d document.Document) error {
	old, there := s.documents[d.Name]
	switch {
	case d.Version == 0 && there:
		return document.ErrExists
	case d.Version != old.Version:
		return document.ErrMoved
	case there:
		d.Owner, d.CreatedAt, d.Serial = old.Owner, old.CreatedAt, old.Serial
	default:
		s.serial++
		d.Serial = s.serial
	}
	d.Version++
	for _, t := range []*time.Time{&d.CreatedAt, &d.UpdatedAt, &d.Expires} {
		if !t.IsZero() {
			*t = time.UnixMilli(t.UnixMilli()).UTC()
		}
	}
	s.documents[d.Name] = copied(d)
	return nil
}

// documents puts the documents of a change.
func (w *writing) documents(c *store.Change) error {
	for _, d := range c.Documents {
		old, there := w.s.documents[d.Name]
		serial := w.s.serial
		if err := w.s.put(d); err != nil {
			return err
		}
		w.undos = append(w.undos, func() {
			w.s.serial = serial
			if w.s.documents[d.Name] = old; !there {
				delete(w.s.documents, d.Name)
			}
		})
	}
	return nil
}

// DeleteDocument implements document.Store.
func (s *Store) DeleteDocument(_ context.Context, n document.Name, version int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.documents[n]; !ok || d.Version != version {
		return document.ErrMoved
	}
	delete(s.documents, n)
	return nil
}

// copied is a document that shares nothing with d; no bytes are nil.
func copied(d document.Document) document.Document {
	d.Body, d.Sealed = append([]byte(nil), d.Body...), append([]byte(nil), d.Sealed...)
	return d
}
