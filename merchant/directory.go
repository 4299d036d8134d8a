package merchant

import (
	"context"
	"sync"
	"time"
)

// Repository is what a directory needs of a store.
type Repository interface {
	Merchant(ctx context.Context, id int64) (*Merchant, error)
	Credential(ctx context.Context, dialect, kind, lookup string) (*Credential, error)
}

// Directory finds who a caller is. It remembers what it found for a few
// seconds, so that a credential that is disabled, on any instance, is refused
// soon after.
type Directory struct {
	repository Repository
	elapsed    func() time.Time
	clock      func() time.Time
	mu         sync.RWMutex
	known      map[name]*Access
	byID       map[int64]*Access
}

type name struct{ dialect, kind, lookup string }

// fresh is how long a credential is believed, limit how many are remembered.
const (
	fresh = 5 * time.Second
	limit = 10_000
)

// Access is a credential with the merchant it lets in. It must not be changed.
type Access struct {
	Merchant
	Credential Credential

	found time.Time
	once  sync.Once
	value any
	err   error
}

// NewDirectory returns a directory over a repository. Now tells how much time
// has passed and, unless By names another clock, when credentials expire.
func NewDirectory(r Repository, now func() time.Time) *Directory {
	return &Directory{repository: r, elapsed: now, clock: now, known: map[name]*Access{}, byID: map[int64]*Access{}}
}

// By takes another clock, the business's, to tell when credentials expire. It
// is called before the directory is used.
func (d *Directory) By(clock func() time.Time) *Directory {
	d.clock = clock
	return d
}

// Find returns who a credential lets in: nil if there is no such credential, it
// has expired, or it or its merchant is disabled.
func (d *Directory) Find(ctx context.Context, dialect, kind, lookup string) (*Access, error) {
	n, now := name{dialect, kind, lookup}, d.elapsed()
	d.mu.RLock()
	a := d.known[n]
	d.mu.RUnlock()
	if a != nil && now.Sub(a.found) < fresh {
		if e := a.Credential.ExpiresAt; e.IsZero() || d.clock().Before(e) {
			return a, nil
		}
	}
	c, err := d.repository.Credential(ctx, dialect, kind, lookup)
	if err != nil || c == nil || !c.Usable(d.clock()) {
		d.drop(n)
		return nil, err
	}
	m, err := d.repository.Merchant(ctx, c.Merchant)
	if err != nil || m == nil || m.Disabled {
		d.drop(n)
		return nil, err
	}
	a = &Access{Merchant: *m, Credential: *c, found: now}
	d.mu.Lock()
	if len(d.known) >= limit {
		clear(d.known)
	}
	d.known[n] = a
	d.mu.Unlock()
	return a, nil
}

// Merchant returns a merchant with an access of no credential, nil if there is
// none. It is remembered like what Find returns; a disabled one is returned
// too.
func (d *Directory) Merchant(ctx context.Context, id int64) (*Access, error) {
	now := d.elapsed()
	d.mu.RLock()
	a := d.byID[id]
	d.mu.RUnlock()
	if a != nil && now.Sub(a.found) < fresh {
		return a, nil
	}
	m, err := d.repository.Merchant(ctx, id)
	if err != nil || m == nil {
		return nil, err
	}
	a = &Access{Merchant: *m, found: now}
	d.mu.Lock()
	if len(d.byID) >= limit {
		clear(d.byID)
	}
	d.byID[id] = a
	d.mu.Unlock()
	return a, nil
}

func (d *Directory) drop(n name) {
	d.mu.Lock()
	delete(d.known, n)
	d.mu.Unlock()
}

// Forget makes the directory look everything up again, after a change.
func (d *Directory) Forget() {
	d.mu.Lock()
	clear(d.known)
	clear(d.byID)
	d.mu.Unlock()
}

// Once returns what parse makes of the access, calling it the first time only.
// It is for keys and settings that take time to read.
func (a *Access) Once(parse func(*Access) (any, error)) (any, error) {
	a.once.Do(func() { a.value, a.err = parse(a) })
	return a.value, a.err
}
