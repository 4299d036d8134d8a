package admin

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/store"
)

// How long an old key may be good beside a new one, in seconds: a year, and
// usually a day.
const (
	mostOverlap  = 365 * usualOverlap
	usualOverlap = 24 * 60 * 60
)

// Keys implements Administrator.
func (d *Desk) Keys(ctx context.Context, id string) ([]Key, error) {
	m, err := d.find(ctx, id)
	if err != nil {
		return nil, err
	}
	has, err := d.Store.Credentials(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	shown := []Key{}
	for _, one := range d.keepers() {
		keys, err := one.ListKeys(has)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			shown = append(shown, d.showKey(k))
		}
	}
	return shown, nil
}

func (d *Desk) showKey(k dialect.Key) Key {
	status, now := "active", d.Clock.Now()
	switch {
	case k.Disabled:
		status = "disabled"
	case !k.Usable(now):
		status = "expired"
	case !k.ExpiresAt.IsZero():
		status = "expiring"
	}
	return Key{ID: k.ID, Dialect: k.Dialect, Kind: k.Kind, Hint: k.Hint, Status: status, CreatedAt: moment(k.CreatedAt), ExpiresAt: moment(k.ExpiresAt)}
}

// AddKey implements Administrator.
func (d *Desk) AddKey(ctx context.Context, id string, in NewKey) (Issued, error) {
	one, err := d.keeper(in.Dialect)
	if err != nil {
		return Issued{}, err
	}
	kinds := one.KeyKinds()
	kind := kinds[0]
	if in.Kind != "" {
		i := slices.IndexFunc(kinds, func(k dialect.KeyKind) bool { return k.Name == in.Kind })
		if i < 0 {
			return Issued{}, invalid("%s has no keys of the kind %q", in.Dialect, in.Kind)
		}
		kind = kinds[i]
	}
	overlap := int64(0)
	if in.Overlap != nil {
		overlap = *in.Overlap
	} else if in.Replace && !kind.Single {
		overlap = usualOverlap
	}
	switch {
	case overlap < 0 || overlap > mostOverlap:
		return Issued{}, invalid("an overlap is 0 to %d seconds", mostOverlap)
	case overlap > 0 && !in.Replace:
		return Issued{}, invalid("an overlap goes with replacing a key")
	case overlap > 0 && kind.Single:
		return Issued{}, invalid("there is one %s at a time: it cannot overlap", kind.Name)
	case in.PublicKey != "" && !kind.Public:
		return Issued{}, invalid("a %s is made here: no public key can be given", kind.Name)
	}
	m, err := d.find(ctx, id)
	if err != nil {
		return Issued{}, err
	}
	act := store.Act{Action: "key.create", Merchant: m.ID, Subject: in.Dialect}
	if in.Replace {
		act.Action = "key.rotate"
	}
	var issued Issued
	err = d.administer(ctx, act, func(a *store.Administration) error {
		r := rotation{keeper: one, kind: kind, now: d.Clock.Now()}
		if r.has, err = d.Store.Credentials(ctx, m.ID); err != nil {
			return err
		}
		if err := r.add(ctx, *m, in.PublicKey); err != nil {
			return err
		}
		ending := []string{}
		if in.Replace {
			if err := r.end(time.Duration(overlap) * time.Second); err != nil {
				return err
			}
		}
		issued = Issued{Dialect: in.Dialect, Kind: kind.Name, Credentials: r.show}
		for _, k := range r.ended {
			ending = append(ending, k.ID)
			issued.Ending = append(issued.Ending, d.showKey(k))
		}
		a.Put = r.put
		made, err := r.made()
		if err != nil {
			return err
		}
		return detail(&a.Act, map[string]any{"kind": kind.Name, "key": made, "ending": ending, "overlap_seconds": overlap})
	})
	return issued, err
}

// rotation is a new key and what becomes of the old ones, in the making.
type rotation struct {
	keeper Keeper
	kind   dialect.KeyKind
	now    time.Time
	has    []merchant.Credential // as they are to be
	old    []dialect.Key         // usable before
	put    []merchant.Credential
	show   json.RawMessage
	ended  []dialect.Key
}

func (r *rotation) usable() ([]dialect.Key, error) {
	keys, err := r.keeper.ListKeys(r.has)
	return slices.DeleteFunc(keys, func(k dialect.Key) bool { return k.Kind != r.kind.Name || !k.Usable(r.now) }), err
}

// add makes the key.
func (r *rotation) add(ctx context.Context, m merchant.Merchant, public string) (err error) {
	if r.old, err = r.usable(); err != nil {
		return err
	}
	if r.kind.Most > 0 && len(r.old) >= r.kind.Most {
		return conflict("the merchant has %d usable keys of this kind, which is all he may have: disable one first", len(r.old))
	}
	put, show, err := r.keeper.AddKey(ctx, m, r.has, r.kind.Name, public)
	if errors.Is(err, dialect.ErrBadPublic) || errors.Is(err, dialect.ErrNoPublic) {
		return invalid("%v", err)
	}
	if err != nil {
		return err
	}
	for _, c := range put {
		r.keep(c)
	}
	r.show, err = json.Marshal(show)
	return err
}

// made returns the id of the key that was added; one that is alone of its kind
// has the id of the one before it.
func (r *rotation) made() (id string, err error) {
	now, err := r.usable()
	for _, k := range now {
		if r.kind.Single || !slices.ContainsFunc(r.old, func(o dialect.Key) bool { return o.ID == k.ID }) {
			id = k.ID
		}
	}
	return id, err
}

// end ends the keys that were usable before.
func (r *rotation) end(overlap time.Duration) error {
	if r.kind.Single {
		return nil // the new one has taken its place
	}
	at := r.now.Add(overlap)
	for _, k := range r.old {
		c, err := r.keeper.EndKey(r.has, k.ID, at)
		if err != nil {
			return err
		}
		r.keep(c)
		if k.ExpiresAt.IsZero() || at.Before(k.ExpiresAt) {
			k.ExpiresAt = at
		}
		r.ended = append(r.ended, k)
	}
	return nil
}

// keep puts a credential among those that the merchant has, and among those to
// be written.
func (r *rotation) keep(c merchant.Credential) {
	place := func(in []merchant.Credential) []merchant.Credential {
		same := func(o merchant.Credential) bool {
			return o.Dialect == c.Dialect && o.Kind == c.Kind && o.Lookup == c.Lookup
		}
		if i := slices.IndexFunc(in, same); i >= 0 {
			in[i] = c
			return in
		}
		return append(in, c)
	}
	r.has, r.put = place(r.has), place(r.put)
}

// DisableKey implements Administrator.
func (d *Desk) DisableKey(ctx context.Context, id, key string) (Key, error) {
	m, err := d.find(ctx, id)
	if err != nil {
		return Key{}, err
	}
	var shown Key
	err = d.administer(ctx, store.Act{Action: "key.disable", Merchant: m.ID, Subject: key}, func(a *store.Administration) error {
		has, err := d.Store.Credentials(ctx, m.ID)
		if err != nil {
			return err
		}
		for _, one := range d.keepers() {
			keys, err := one.ListKeys(has)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(keys, func(k dialect.Key) bool { return k.ID == key })
			if i < 0 {
				continue
			}
			c, err := one.EndKey(has, key, time.Time{})
			if errors.Is(err, dialect.ErrKeyStays) {
				return conflict("%v", err)
			}
			if err != nil {
				return err
			}
			keys[i].Disabled = true
			shown, a.Put = d.showKey(keys[i]), []merchant.Credential{c}
			return detail(&a.Act, map[string]string{"dialect": one.Name(), "kind": keys[i].Kind})
		}
		return missing("the merchant has no key %q", key)
	})
	return shown, err
}
