package admin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/explain"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wireid"
)

// Store is what a desk needs of a store.
type Store interface {
	store.Registry
	explain.Reader
	Payment(ctx context.Context, tenant int64, id payment.ID, version int) (*payment.Payment, error)
	List(ctx context.Context, l payment.Listing) ([]payment.Place, error)
}

// Keeper has keys of merchants: a dialect, or whoever signs beside them.
type Keeper interface {
	Name() string
	dialect.KeyKeeper
}

// Config is what a desk works with.
type Config struct {
	Store    Store
	Keys     *keyring.Keyring
	IDs      *wireid.Codec
	Clock    clock.Clock
	Dialects []dialect.Dialect
	Signing  Keeper // of the keys that messages are signed with beside what dialects do

	// MessageID is how whoever gets a notice may know it; Redeliver has a
	// delivery made again, and tells whether it is there.
	MessageID func(outbox.NoticeID) string
	Redeliver func(ctx context.Context, tenant int64, id outbox.DeliveryID) (bool, error)

	Settings merchant.Settings // that there are

	Processors Reconciliation // nil where no server runs
	Reviewer   Reviewer       // the same

	RiskName  string                      // of the store's value for the risk configuration of all merchants
	CheckRisk func(document []byte) error // says what is wrong with one

	// Changed is called after a change; nil calls nothing.
	Changed func()
}

// Desk administers a store. It is safe for concurrent use, also beside other
// desks on the same store.
type Desk struct {
	Config
	by string
}

// NewDesk returns a desk whose acts are somebody's who is not known yet: see
// As.
func NewDesk(c Config) *Desk { return &Desk{Config: c, by: "nobody"} }

// As returns the desk for somebody: the log says that he did it.
func (d *Desk) As(by string) *Desk { return &Desk{Config: d.Config, by: by} }

var _ Administrator = (*Desk)(nil)

// attempts is how often a change is made anew because somebody else was
// quicker.
const attempts = 50

// administer makes a change and keeps the act. Prepare reads what the change is
// made of, and is called again when somebody else's act came in between.
func (d *Desk) administer(ctx context.Context, act store.Act, prepare func(*store.Administration) error) error {
	for range attempts {
		last, err := d.Store.Acts(ctx, 0, 0, 1)
		if err != nil {
			return err
		}
		a := store.Administration{Act: act}
		a.Act.At, a.Act.By, a.Act.Number = d.Clock.Now(), d.by, 1
		if len(last) > 0 {
			a.Act.Number = last[0].Number + 1
		}
		if err := prepare(&a); err != nil {
			return err
		}
		_, err = d.Store.Administer(ctx, a)
		switch {
		case err == nil:
			if d.Changed != nil {
				d.Changed()
			}
			return nil
		case errors.Is(err, store.ErrExists):
			return conflict("a credential with that name is another merchant's")
		case !errors.Is(err, store.ErrConflict):
			return err
		}
	}
	return conflict("others keep changing the store: try again")
}

// Note keeps an act that changes nothing in the registry.
func (d *Desk) Note(ctx context.Context, action, subject string, details any) error {
	text, err := json.Marshal(details)
	if err != nil {
		return err
	}
	return d.administer(ctx, store.Act{Action: action, Subject: subject, Details: text}, func(*store.Administration) error { return nil })
}

// find returns the merchant with an id, as it is shown or as a plain number.
func (d *Desk) find(ctx context.Context, id string) (*merchant.Merchant, error) {
	number, ok := d.IDs.ParseMerchant(id)
	if !ok {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil || n < 1 {
			return nil, missing("there is no merchant %q", id)
		}
		number = n
	}
	m, err := d.Store.Merchant(ctx, number)
	if err == nil && m == nil {
		err = missing("there is no merchant %q", id)
	}
	return m, err
}

func (d *Desk) show(m *merchant.Merchant) Merchant {
	settings := m.Settings
	if settings == nil {
		settings = map[string]json.RawMessage{}
	}
	return Merchant{d.IDs.Merchant(m.ID), m.Name, m.Tenant, m.Disabled, m.CreatedAt, settings}
}

// Merchants implements Administrator.
func (d *Desk) Merchants(ctx context.Context) ([]Merchant, error) {
	all, err := d.Store.Merchants(ctx)
	shown := make([]Merchant, 0, len(all))
	for i := range all {
		shown = append(shown, d.show(&all[i]))
	}
	return shown, err
}

// Merchant implements Administrator.
func (d *Desk) Merchant(ctx context.Context, id string) (Merchant, error) {
	m, err := d.find(ctx, id)
	if err != nil {
		return Merchant{}, err
	}
	return d.show(m), nil
}

// CreateMerchant implements Administrator. The merchant is there before his
// credentials are: should anything come in between, AddKey makes them.
func (d *Desk) CreateMerchant(ctx context.Context, in NewMerchant) (Created, error) {
	name, err := checkName(in.Name)
	if err != nil {
		return Created{}, err
	}
	dialects, err := d.choose(in.Dialects)
	if err != nil {
		return Created{}, err
	}
	var m merchant.Merchant
	details, err := json.Marshal(map[string]any{"name": name, "settings": digests(in.Settings)})
	if err != nil {
		return Created{}, err
	}
	err = d.administer(ctx, store.Act{Action: "merchant.create", Details: details}, func(a *store.Administration) error {
		m = merchant.Merchant{Name: name, Tenant: in.Tenant, CreatedAt: d.Clock.Now()}
		if err := d.checkTenant(ctx, in.Tenant); err != nil {
			return err
		}
		a.Create = &m
		return d.set(&m, in.Settings)
	})
	if err != nil {
		return Created{}, err
	}
	created := Created{Merchant: d.show(&m), Credentials: map[string]json.RawMessage{}}
	for _, dialect := range dialects {
		kind := dialect.KeyKinds()[0].Name
		err := d.administer(ctx, store.Act{Action: "key.create", Merchant: m.ID, Subject: dialect.Name()}, func(a *store.Administration) error {
			put, show, err := dialect.Issue(ctx, m)
			if err != nil {
				return err
			}
			a.Put = put
			created.Credentials[dialect.Name()], err = json.Marshal(show)
			return errors.Join(err, detail(&a.Act, map[string]any{"kind": kind, "first": true}))
		})
		if err != nil {
			return created, err
		}
	}
	return created, nil
}

func detail(a *store.Act, details any) (err error) {
	a.Details, err = json.Marshal(details)
	return err
}

func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 200 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", invalid("a name has 1 to 200 bytes and no control characters")
	}
	return name, nil
}

// checkTenant lets a merchant join others only where there are some.
func (d *Desk) checkTenant(ctx context.Context, tenant int64) error {
	if tenant == 0 {
		return nil
	}
	all, err := d.Store.Merchants(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(m merchant.Merchant) bool { return m.Tenant == tenant }) {
		return invalid("there is no tenant %d: leave it out for one of its own", tenant)
	}
	return nil
}

func (d *Desk) choose(names []string) ([]dialect.Dialect, error) {
	switch {
	case len(names) == 0:
		return d.Dialects, nil
	case len(names) == 1 && names[0] == "none":
		return nil, nil
	}
	var chosen []dialect.Dialect
	for _, name := range names {
		one, err := d.dialect(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(chosen, one) {
			chosen = append(chosen, one)
		}
	}
	return chosen, nil
}

func (d *Desk) dialect(name string) (dialect.Dialect, error) {
	var names []string
	for _, one := range d.Dialects {
		if one.Name() == name {
			return one, nil
		}
		names = append(names, one.Name())
	}
	return nil, invalid("there is no dialect %q: there are %s", name, strings.Join(names, ", "))
}

// keepers are all who have keys of merchants.
func (d *Desk) keepers() []Keeper {
	all := make([]Keeper, 0, len(d.Dialects)+1)
	for _, one := range d.Dialects {
		all = append(all, one)
	}
	return append(all, d.Signing)
}

// keeper is a dialect, or whoever else has keys.
func (d *Desk) keeper(name string) (Keeper, error) {
	if name == d.Signing.Name() {
		return d.Signing, nil
	}
	return d.dialect(name)
}

// ChangeMerchant implements Administrator.
func (d *Desk) ChangeMerchant(ctx context.Context, id string, c Change) (Merchant, error) {
	found, err := d.find(ctx, id)
	if err != nil {
		return Merchant{}, err
	}
	act := store.Act{Action: "merchant.set", Merchant: found.ID}
	details := map[string]any{}
	if len(c.Settings) > 0 {
		details["settings"] = digests(c.Settings)
	}
	if c.Name != nil {
		name, err := checkName(*c.Name)
		if err != nil {
			return Merchant{}, err
		}
		c.Name, details["name"] = &name, name
	}
	if c.Disabled != nil {
		act.Action = map[bool]string{true: "merchant.disable", false: "merchant.enable"}[*c.Disabled]
	}
	if c.Name == nil && c.Disabled == nil && len(c.Settings) == 0 {
		return Merchant{}, invalid("nothing is to be changed")
	}
	if len(details) > 0 {
		if err := detail(&act, details); err != nil {
			return Merchant{}, err
		}
	}
	var m *merchant.Merchant
	err = d.administer(ctx, act, func(a *store.Administration) (err error) {
		if m, err = d.find(ctx, id); err != nil {
			return err
		}
		if c.Name != nil {
			m.Name = *c.Name
		}
		if c.Disabled != nil {
			m.Disabled = *c.Disabled
		}
		a.Change = m
		return d.set(m, c.Settings)
	})
	if err != nil {
		return Merchant{}, err
	}
	return d.show(m), nil
}

// set changes settings of a merchant after it has checked them.
func (d *Desk) set(m *merchant.Merchant, settings map[string]json.RawMessage) error {
	changed, err := d.Settings.Apply(m.Settings, settings)
	if err != nil {
		return invalid("%v", err)
	}
	m.Settings = changed
	return nil
}

// digests are settings as the log keeps them: a long value, such as a risk
// document with e-mail addresses in its lists, as its digest.
func digests(settings map[string]json.RawMessage) map[string]json.RawMessage {
	const long = 200
	shown := map[string]json.RawMessage{}
	for name, value := range settings {
		if name == "risk" && string(value) != "null" || len(value) > long {
			sum := sha256.Sum256(value)
			value = json.RawMessage(`"sha256:` + hex.EncodeToString(sum[:]) + `"`)
		}
		shown[name] = value
	}
	return shown
}

// Log implements Administrator.
func (d *Desk) Log(ctx context.Context, q LogQuery) ([]Act, error) {
	var number int64
	if q.Merchant != "" {
		m, err := d.find(ctx, q.Merchant)
		if err != nil {
			return nil, err
		}
		number = m.ID
	}
	if err := bound(&q.Limit); err != nil {
		return nil, err
	}
	if q.Before < 0 {
		return nil, invalid("before is a number from 1")
	}
	acts, err := d.Store.Acts(ctx, number, q.Before, q.Limit)
	shown := make([]Act, 0, len(acts))
	for _, a := range acts {
		one := Act{Number: a.Number, At: a.At, By: a.By, Action: a.Action, Subject: a.Subject, Details: a.Details}
		if a.Merchant != 0 {
			one.Merchant = d.IDs.Merchant(a.Merchant)
		}
		shown = append(shown, one)
	}
	return shown, err
}

// Explain implements Administrator.
func (d *Desk) Explain(ctx context.Context, id string) (*explain.Story, error) {
	namers := make([]explain.Namer, 0, len(d.Dialects))
	for _, one := range d.Dialects {
		namers = append(namers, one)
	}
	s, err := explain.Tell(ctx, d.Store, d.IDs, namers, id)
	if errors.Is(err, explain.ErrUnknown) {
		return nil, missing("%v", err)
	}
	return s, err
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
