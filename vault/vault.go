// Package vault keeps cards that may be charged again. The number is sealed
// with AES-256-GCM, bound to the merchant and the token it is kept for, and is
// unsealed for one authorization at a time. Security codes are not kept.
package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/payment"
)

// Vault keeps cards as documents of its own. It is safe for concurrent use.
type Vault struct {
	Documents document.Store
	Keys      *keyring.Keyring
	Cards     card.Inspector
	Clock     clock.Clock
	Random    io.Reader // for tokens; safe for concurrent use
}

// Card is what is known of a kept card without opening it.
type Card struct {
	Tenant   int64
	Merchant int64
	Token    string         // names the card within the merchant; whoever has it and the merchant's credentials can charge it
	Method   payment.Method // brand, first six, last four, expiry, holder, fingerprint
	KeptAt   time.Time
	Expires  time.Time // when the vault forgets it; zero is never

	paper document.Document // as it was read
}

// What the vault answers instead of doing what it was asked. No error of it
// says a number or a token.
var (
	// ErrNoCard: the merchant has no card with that token, or not any more.
	ErrNoCard = errors.New("vault: no such card")
	// ErrTaken: the token stands for a card with another number.
	ErrTaken = errors.New("vault: the token is another card's")
)

// What cards are kept as.
const (
	keeper = "vault"
	kind   = "card"
)

func name(tenant, merchant int64, token string) document.Name {
	return document.Name{Tenant: tenant, Merchant: merchant, Dialect: keeper, Kind: kind, ID: token}
}

// Keep keeps a card under c.Token, or under a fresh one if that is empty, and
// returns it as it is kept. Of c.Method only holder, expiry and Present count:
// the rest follows from the number, which is card.ErrNumber if it cannot be
// one. A card that is there already takes over holder, expiry and Expires, and
// is ErrTaken if its number is another.
func (v *Vault) Keep(ctx context.Context, c Card, number string) (Card, error) {
	for {
		paper, err := v.Paper(ctx, c, number)
		if err != nil {
			return Card{}, err
		}
		switch err = v.Documents.PutDocument(ctx, &paper); {
		case err == nil:
			return cardOf(&paper)
		case !errors.Is(err, document.ErrExists) && !errors.Is(err, document.ErrMoved):
			return Card{}, fmt.Errorf("vault: keep a card: %w", err)
		}
		c.Token = paper.ID // somebody was faster
	}
}

// Paper is the document that Keep puts, for a command to bring along
// (payment.Request.Documents): then the card is kept if the command is carried
// out. Its ID is the token.
func (v *Vault) Paper(ctx context.Context, c Card, number string) (document.Document, error) {
	m, err := v.Cards.Inspect(number)
	if err != nil {
		return document.Document{}, err
	}
	m.Holder, m.ExpMonth, m.ExpYear, m.Present = c.Method.Holder, c.Method.ExpMonth, c.Method.ExpYear, c.Method.Present
	if c.Token == "" {
		if c.Token, err = v.token(); err != nil {
			return document.Document{}, err
		}
	}
	if strings.Contains(m.Holder, number) || strings.Contains(c.Token, number) {
		return document.Document{}, card.ErrNumber // a number that stands elsewhere would not be sealed there
	}
	paper := document.Document{Name: name(c.Tenant, c.Merchant, c.Token), CreatedAt: v.Clock.Now()}
	old, err := v.read(ctx, c.Tenant, c.Merchant, c.Token)
	if err != nil {
		return document.Document{}, err
	}
	same := old != nil && v.holds(&old.paper) && old.Method.Fingerprint == m.Fingerprint
	switch {
	case old == nil:
	case !same && v.holds(&old.paper):
		return document.Document{}, ErrTaken
	default:
		paper = old.paper
	}
	if !same {
		if paper.Sealed, err = v.Keys.Seal(paper.Purpose(), []byte(number)); err != nil {
			return document.Document{}, fmt.Errorf("vault: seal a card: %w", err)
		}
	}
	paper.Body, err = encode(m)
	paper.UpdatedAt, paper.Expires = v.Clock.Now(), c.Expires
	return paper, err
}

// token is a fresh one: 64 hexadecimal digits.
func (v *Vault) token() (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(v.Random, b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// Find returns what is known of a merchant's card, or ErrNoCard.
func (v *Vault) Find(ctx context.Context, tenant, merchant int64, token string) (Card, error) {
	c, err := v.read(ctx, tenant, merchant, token)
	if err != nil {
		return Card{}, err
	}
	if c == nil || !v.holds(&c.paper) {
		return Card{}, ErrNoCard
	}
	return *c, nil
}

// read returns what there is, nil if nothing, also of a card that is over.
func (v *Vault) read(ctx context.Context, tenant, merchant int64, token string) (*Card, error) {
	paper, err := v.Documents.Document(ctx, name(tenant, merchant, token))
	if err != nil || paper == nil {
		return nil, err
	}
	c, err := cardOf(paper)
	return &c, err
}

// holds tells whether a document still has a card.
func (v *Vault) holds(paper *document.Document) bool {
	return paper.Sealed != nil && !paper.Over(v.Clock.Now())
}

// Open returns a merchant's card with its number, for one authorization, or
// ErrNoCard. The security code of this payment, if there is one, is the
// caller's to add.
func (v *Vault) Open(ctx context.Context, tenant, merchant int64, token string) (Card, payment.Secret, error) {
	c, err := v.Find(ctx, tenant, merchant, token)
	if err != nil {
		return Card{}, payment.Secret{}, err
	}
	number, err := v.Keys.Open(c.paper.Purpose(), c.paper.Sealed)
	if err != nil {
		return Card{}, payment.Secret{}, fmt.Errorf("vault: open a card: %w", err)
	}
	return c, payment.Secret{Number: string(number)}, nil
}

// Revise lets change set holder and expiry of a kept card, and returns it as
// it is then, or ErrNoCard. It may call change several times.
func (v *Vault) Revise(ctx context.Context, tenant, merchant int64, token string, change func(*payment.Method)) (Card, error) {
	for {
		c, err := v.Find(ctx, tenant, merchant, token)
		if err != nil {
			return Card{}, err
		}
		changed, paper := c.Method, c.paper
		change(&changed)
		c.Method.Holder, c.Method.ExpMonth, c.Method.ExpYear = changed.Holder, changed.ExpMonth, changed.ExpYear
		if paper.Body, err = encode(c.Method); err != nil {
			return Card{}, err
		}
		paper.UpdatedAt = v.Clock.Now()
		switch err := v.Documents.PutDocument(ctx, &paper); {
		case err == nil:
			return cardOf(&paper)
		case !errors.Is(err, document.ErrMoved):
			return Card{}, fmt.Errorf("vault: revise a card: %w", err)
		}
	}
}

// Forget deletes a merchant's card, or is ErrNoCard.
func (v *Vault) Forget(ctx context.Context, tenant, merchant int64, token string) error {
	for {
		c, err := v.Find(ctx, tenant, merchant, token)
		if err != nil {
			return err
		}
		if err := v.Documents.DeleteDocument(ctx, c.paper.Name, c.paper.Version); !errors.Is(err, document.ErrMoved) {
			return err
		}
	}
}

// Spent is the document of a card that may be charged only once, without the
// number. The command that charges it brings it along: of several at a time
// one is carried out, and the others get document.ErrMoved.
func (c Card) Spent() document.Document {
	paper := c.paper
	paper.Sealed = nil
	return paper
}
