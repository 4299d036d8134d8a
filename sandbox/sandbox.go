// Package sandbox is the control panel of a sandbox server: fresh merchants, a
// clock that can be moved, processors that can be told what to answer, and a
// look at the books. It is served below /_sandbox, without authentication, and
// exists only on stores marked as sandbox.
package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"path"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor/scripted"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
	"github.com/capstan-pay/capstan/webhook"
	"github.com/capstan-pay/capstan/wireid"
)

// Config is what the controls work on.
type Config struct {
	Store     store.Store
	Engine    dialect.Engine
	Merchants *merchant.Directory
	Dialects  []dialect.Dialect
	Keys      *keyring.Keyring
	IDs       *wireid.Codec
	Clock     clock.Clock
	Logger    *slog.Logger

	Script    *scripted.Script // in front of every processor
	Deliverer *webhook.Deliverer

	// Advance moves the clock and returns when everything that fell due is
	// done.
	Advance func(context.Context, time.Duration) error

	Settings merchant.Settings // that there are

	// CheckServerRisk says what is wrong with a risk configuration for all
	// merchants, if anything; SetServerRisk keeps a sound one.
	CheckServerRisk func(document []byte) error
	SetServerRisk   func(ctx context.Context, document []byte) error

	// UpdateClientKeys adds and retires public keys in the data of a wallet
	// API client's credential.
	UpdateClientKeys func(data []byte, add map[string]string, retire []string) ([]byte, error)

	// PutClientAgents adds or changes agent tokens in such data: each is good
	// until its time, for ever with the zero time.
	PutClientAgents func(mac wallet.MAC, data []byte, tokens map[string]time.Time, now time.Time) ([]byte, error)

	// ReturnURL is where a payer goes who has answered a cashier order; empty
	// if the merchant did not say.
	ReturnURL func(*payment.Payment) string

	// ReceiptURL is where the payer reads about an operation of a payment; 0
	// is the payment.
	ReceiptURL func(p *payment.Payment, operation int) string

	BaseURL  string // where the dialects listen
	AdminURL string
}

// Sandbox serves the controls.
type Sandbox struct {
	Config
	mux *http.ServeMux
}

// New returns the controls.
func New(c Config) *Sandbox {
	s := &Sandbox{Config: c, mux: http.NewServeMux()}
	for pattern, h := range map[string]func(*http.Request) (any, error){
		"POST /_sandbox/merchants":                s.postMerchants,
		"POST /_sandbox/clock":                    s.postClock,
		"POST /_sandbox/processor":                s.postProcessor,
		"POST /_sandbox/wallet/users":             s.postWalletUsers,
		"PATCH /_sandbox/wallet/users/{id}":       s.patchWalletUser,
		"POST /_sandbox/wallet/users/{id}/codes":  s.postWalletCodes,
		"POST /_sandbox/wallet/tokens/revoke":     s.postWalletRevoke,
		"PATCH /_sandbox/alipay/clients/{client}": s.patchAlipayClient,
		"PATCH /_sandbox/settings":                s.patchSettings,
		"PUT /_sandbox/risk":                      s.putRisk,
		"PUT /_sandbox/risk/psp":                  s.putServerRisk,
		"POST /_sandbox/reviews/{payment}":        s.postReview,
		"GET /_sandbox/ledger":                    s.getLedger,
		"GET /_sandbox/payments/{id}":             s.getPayment,
		"GET /_sandbox/webhooks":                  s.getWebhooks,
		"POST /_sandbox/webhooks/keys":            s.postWebhookKeys,
		"POST /_sandbox/webhooks/redeliver":       s.postWebhookRedeliver,
	} {
		s.mux.HandleFunc(pattern, s.handle(h))
	}
	s.mux.HandleFunc("POST /_sandbox/wallet/orders/{payment}", s.walletOrder)
	s.mux.HandleFunc("GET /_sandbox/wallet/orders/{payment}", s.walletOrder)
	s.mux.HandleFunc("/", NotFound)
	return s
}

// ServeHTTP answers a control.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != path.Clean(r.URL.Path) { // the mux would redirect
		NotFound(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// NotFound answers for a path of ours where nothing is.
func NotFound(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte(`{"error":"not found"}` + "\n"))
}

// problem is an error that is the caller's: its status and text are shown.
type problem struct {
	status int
	text   string
}

func (p problem) Error() string { return p.text }

func bad(text string) error { return problem{http.StatusBadRequest, text} }

var errUnknown = problem{http.StatusNotFound, "not found"}

// handle writes what h returns as JSON.
func (s *Sandbox) handle(h func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := h(r)
		status := http.StatusOK
		if err != nil {
			var p problem
			if !errors.As(err, &p) {
				s.Logger.Error("sandbox control failed", "path", r.URL.Path, "error", err)
				p = problem{http.StatusInternalServerError, "internal error"}
			}
			status, answer = p.status, map[string]string{"error": p.text}
		}
		var body bytes.Buffer
		enc := json.NewEncoder(&body)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(answer); err != nil {
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(body.Bytes())
	}
}

// merchantOf finds the merchant that a control names; an empty name is the
// default merchant.
func (s *Sandbox) merchantOf(ctx context.Context, name string) (*merchant.Merchant, error) {
	id, err := s.defaultMerchant(ctx)
	if err != nil {
		return nil, err
	}
	if name != "" {
		var ok bool
		if id, ok = s.IDs.ParseMerchant(name); !ok {
			return nil, problem{http.StatusNotFound, "no such merchant"}
		}
	}
	m, err := s.Store.Merchant(ctx, id)
	if err == nil && m == nil {
		return nil, problem{http.StatusNotFound, "no such merchant"}
	}
	return m, err
}

// findPayment finds a payment by any dialect's id of it.
func (s *Sandbox) findPayment(ctx context.Context, id string) (*payment.Payment, error) {
	for _, d := range s.Dialects {
		internal, ok := d.ParsePaymentID(id)
		if !ok {
			continue
		}
		return find(ctx, s, func(tenant int64) (*payment.Payment, error) {
			p, err := s.Store.Payment(ctx, tenant, internal, 0)
			if err != nil || p == nil {
				return nil, err
			}
			return s.Engine.Payment(ctx, tenant, p.Merchant, p.ID)
		})
	}
	return nil, nil
}

// find looks for something in every tenant: the controls are not told whose
// it is. It returns nil when no tenant has it.
func find[T any](ctx context.Context, s *Sandbox, look func(tenant int64) (*T, error)) (*T, error) {
	merchants, err := s.Store.Merchants(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[int64]bool{}
	for _, m := range merchants {
		if seen[m.Tenant] {
			continue
		}
		seen[m.Tenant] = true
		if found, err := look(m.Tenant); err != nil || found != nil {
			return found, err
		}
	}
	return nil, nil
}
