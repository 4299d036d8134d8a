package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/wallet"
)

const (
	metaDefault = "default_merchant"

	// SealPurpose is what the credentials of the default merchant are sealed for.
	SealPurpose = "sandbox credentials"

	// The wallet user that a fresh merchant gets: his balance in minor units
	// of USD, and how long his access token is valid.
	openingBalance = 1_000_000_000_000_000
	grantYears     = 10
)

// Credentials is what a sandbox merchant is handed: all that a client of any
// dialect needs.
type Credentials struct {
	BaseURL   string          `json:"base_url"`
	AdminURL  string          `json:"admin_url"`
	Merchant  string          `json:"merchant"`
	Alipay    json.RawMessage `json:"alipay,omitempty"`
	WePay     json.RawMessage `json:"wepay,omitempty"`
	Intents   json.RawMessage `json:"intents,omitempty"`
	Begateway json.RawMessage `json:"begateway,omitempty"`
}

func (s *Sandbox) postMerchants(r *http.Request) (any, error) {
	var in struct{}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	_, credentials, err := s.NewMerchant(r.Context())
	return credentials, err
}

// Default returns the credentials of the store's default merchant, which is
// made the first time. They are the same after every start and on every
// instance, but for the URLs.
func (s *Sandbox) Default(ctx context.Context) (Credentials, error) {
	id, err := s.defaultMerchant(ctx)
	if err != nil {
		return Credentials{}, err
	}
	kept, err := s.Store.Credential(ctx, "sandbox", "credentials", s.merchantName(id))
	if err != nil || kept == nil {
		return Credentials{}, fmt.Errorf("credentials of the default merchant are missing: %w", err)
	}
	text, err := s.Keys.Open(SealPurpose, kept.Sealed)
	if err != nil {
		return Credentials{}, err
	}
	var c Credentials
	if err := json.Unmarshal(text, &c); err != nil {
		return Credentials{}, err
	}
	c.BaseURL, c.AdminURL = s.BaseURL, s.AdminURL
	return c, nil
}

// defaultMerchant returns the default merchant's number, making the merchant
// the first time. Of several instances that do so at once one wins.
func (s *Sandbox) defaultMerchant(ctx context.Context) (int64, error) {
	text, err := s.Store.Meta(ctx, metaDefault)
	if err != nil {
		return 0, err
	}
	if text == nil {
		m, _, err := s.NewMerchant(ctx)
		if err != nil {
			return 0, err
		}
		if text, err = s.Store.PutMeta(ctx, metaDefault, strconv.AppendInt(nil, m.ID, 10), true); err != nil {
			return 0, err
		}
	}
	return strconv.ParseInt(string(text), 10, 64)
}

func (s *Sandbox) merchantName(id int64) string {
	return s.IDs.Merchant(id)
}

// NewMerchant makes a merchant in a tenant of its own, with credentials for
// every dialect and a wallet user with money.
func (s *Sandbox) NewMerchant(ctx context.Context) (merchant.Merchant, Credentials, error) {
	m := merchant.Merchant{Name: "Sandbox merchant", CreatedAt: s.Clock.Now()}
	fail := func(err error) (merchant.Merchant, Credentials, error) {
		return merchant.Merchant{}, Credentials{}, err
	}
	if err := s.Store.CreateMerchant(ctx, &m, nil); err != nil {
		return fail(err)
	}
	c := Credentials{Merchant: s.merchantName(m.ID)}
	shown := map[string]*json.RawMessage{"alipay": &c.Alipay, "wepay": &c.WePay, "intents": &c.Intents, "begateway": &c.Begateway}
	for _, d := range s.Dialects {
		keep, show, err := d.Issue(ctx, m)
		if err != nil {
			return fail(err)
		}
		for _, k := range keep {
			if err := s.Store.PutCredential(ctx, k); err != nil {
				return fail(err)
			}
		}
		if show == nil {
			continue
		}
		if *shown[d.Name()], err = json.Marshal(show); err != nil {
			return fail(err)
		}
	}
	if c.Alipay != nil {
		user, err := s.newUser(ctx, &m, []wallet.Balance{{Currency: "USD", Available: openingBalance}})
		if err != nil {
			return fail(err)
		}
		if c.Alipay, err = addMember(c.Alipay, "access_token", user.AccessToken); err != nil {
			return fail(err)
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return fail(err)
	}
	sealed, err := s.Keys.Seal(SealPurpose, text)
	if err != nil {
		return fail(err)
	}
	kept := merchant.Credential{Merchant: m.ID, Dialect: "sandbox", Kind: "credentials", Lookup: c.Merchant, Sealed: sealed}
	if err := s.Store.PutCredential(ctx, kept); err != nil {
		return fail(err)
	}
	c.BaseURL, c.AdminURL = s.BaseURL, s.AdminURL
	return m, c, nil
}

// walletUser is a wallet user as the controls show it.
type walletUser struct {
	UserID      string `json:"user_id"`
	AuthCode    string `json:"auth_code"`
	AccessToken string `json:"access_token"`
	PaymentCode string `json:"payment_code"`
}

// walletCodes are the codes of a wallet user, each of which counts once.
type walletCodes struct {
	AuthCode    string `json:"auth_code"`    // to be exchanged for an access token
	PaymentCode string `json:"payment_code"` // to pay with at a till
}

// newUser makes a wallet user of a merchant's tenant with an opening balance
// and an access token.
func (s *Sandbox) newUser(ctx context.Context, m *merchant.Merchant, opening []wallet.Balance) (walletUser, error) {
	u, now := wallet.User{Tenant: m.Tenant}, s.Clock.Now()
	if err := s.Store.CreateUser(ctx, m.ID, &u, opening, now); err != nil {
		return walletUser{}, err
	}
	token, grant := wallet.NewGrant(s.Keys.MAC, m.Tenant, u.ID, now.AddDate(grantYears, 0, 0))
	if err := s.Store.PutGrant(ctx, grant); err != nil {
		return walletUser{}, err
	}
	codes, err := s.newCodes(ctx, &u)
	if err != nil {
		return walletUser{}, err
	}
	return walletUser{UserID: strconv.FormatInt(u.ID, 10), AuthCode: codes.AuthCode, AccessToken: token, PaymentCode: codes.PaymentCode}, nil
}

// newCodes makes the codes of a wallet user.
func (s *Sandbox) newCodes(ctx context.Context, u *wallet.User) (walletCodes, error) {
	until := s.Clock.Now().Add(codeLife)
	code, exchange := wallet.NewCode(s.Keys.MAC, u.Tenant, u.ID, until)
	shown, till := wallet.NewPaymentCode(s.Keys.MAC, u.Tenant, u.ID, until)
	for _, g := range []wallet.Grant{exchange, till} {
		if err := s.Store.PutGrant(ctx, g); err != nil {
			return walletCodes{}, err
		}
	}
	return walletCodes{AuthCode: code, PaymentCode: shown}, nil
}

// codeLife is how long a code counts.
const codeLife = 10 * time.Minute

// addMember adds a string member at the end of a JSON object.
func addMember(object json.RawMessage, name, value string) (json.RawMessage, error) {
	text, err := json.Marshal(value)
	if err != nil || len(object) < 2 || object[len(object)-1] != '}' {
		return nil, fmt.Errorf("sandbox: not an object: %w", err)
	}
	out := append(json.RawMessage(nil), object[:len(object)-1]...)
	if len(object) > 2 {
		out = append(out, ',')
	}
	return append(append(append(out, '"'), name+`":`...), append(text, '}')...), nil
}

func (s *Sandbox) patchSettings(r *http.Request) (any, error) {
	var in struct {
		Merchant string                     `json:"merchant"`
		Settings map[string]json.RawMessage `json:"settings"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Settings == nil {
		return nil, bad("settings must be an object")
	}
	return s.set(r.Context(), in.Merchant, in.Settings)
}

// putRisk takes the risk configuration of docs/risk.md.
func (s *Sandbox) putRisk(r *http.Request) (any, error) {
	document, err := readBody(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Merchant string `json:"merchant"`
	}
	if err := json.Unmarshal(document, &in); err != nil || string(bytes.TrimSpace(document)) == "null" {
		var wrong *json.UnmarshalTypeError
		switch {
		case errors.As(err, &wrong) && wrong.Field != "":
			return nil, bad("config." + wrong.Field + " must be " + kindOf(wrong.Type))
		case err == nil || wrong != nil:
			return nil, bad("config must be an object; PATCH /_sandbox/settings with \"risk\": null takes one away")
		}
		return nil, bad("the body is not JSON: " + err.Error())
	}
	return s.set(r.Context(), in.Merchant, map[string]json.RawMessage{"risk": document})
}

// putServerRisk takes the risk configuration for all merchants. An empty body
// takes it away.
func (s *Sandbox) putServerRisk(r *http.Request) (any, error) {
	document, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if err := s.CheckServerRisk(document); err != nil {
		return nil, bad(err.Error())
	}
	if err := s.SetServerRisk(r.Context(), document); err != nil {
		return nil, err
	}
	if len(document) == 0 {
		document = []byte("null")
	}
	return map[string]json.RawMessage{"risk": document}, nil
}

// set changes some of a merchant's settings and answers all of them. A null
// takes a setting away.
func (s *Sandbox) set(ctx context.Context, name string, settings map[string]json.RawMessage) (any, error) {
	m, err := s.merchantOf(ctx, name)
	if err != nil {
		return nil, err
	}
	if m.Settings, err = s.Settings.Apply(m.Settings, settings); err != nil {
		return nil, bad(err.Error())
	}
	if err := s.Store.UpdateMerchant(ctx, *m); err != nil {
		return nil, err
	}
	s.Merchants.Forget()
	return map[string]any{"merchant": s.merchantName(m.ID), "settings": m.Settings}, nil
}
