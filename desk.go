package capstan

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/dialect/alipay"
	"github.com/capstan-pay/capstan/dialect/begateway"
	"github.com/capstan-pay/capstan/dialect/intents"
	"github.com/capstan-pay/capstan/dialect/wepay"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/webhook"
	"github.com/capstan-pay/capstan/wireid"
)

// Desk returns the desk from which the server's store is administered.
func (s *Server) Desk() *admin.Desk {
	return admin.NewDesk(admin.Config{
		Processors: s, Reviewer: s, Store: s.Store, Keys: s.Keys, IDs: s.IDs, Clock: s.Clock, Dialects: s.known, Settings: Settings(), RiskName: metaRisk, CheckRisk: CheckServerRisk,
		Signing: s.Deliverer.Signing, MessageID: s.Deliverer.ID, Redeliver: s.Deliverer.Redeliver, Changed: s.Merchants.Forget,
	})
}

// OpenDesk returns a desk on a store that is not served by this process. A
// store that was never used becomes a live one, unless it was opened read-only.
// The desk carries out no payments and starts nothing.
func OpenDesk(ctx context.Context, st store.Store, sealing keyring.Sealing) (*admin.Desk, error) {
	mode, err := Mode(ctx, st)
	if err == nil && mode == "" {
		mode = liveMode
		err = markMode(ctx, st, false)
	}
	if err != nil {
		return nil, err
	}
	keys, err := openKeys(ctx, st, sealing)
	if err != nil {
		return nil, err
	}
	offset, err := st.ClockAhead(ctx)
	if err != nil {
		return nil, err
	}
	now := clock.NewShifted(clock.System{}, offset)
	services := dialect.Services{
		Clock: now, IDs: wireid.New(keys.Derive("wire ids", 16)), Keys: keys, Merchants: merchant.NewDirectory(st, now.Now),
		Wallets: st, Meta: st, Listings: st, Documents: st,
		Logger: slog.New(slog.DiscardHandler), Random: rand.Reader, Sandbox: mode == sandboxMode,
	}
	return admin.NewDesk(admin.Config{
		Store: st, Keys: keys, IDs: services.IDs, Clock: now, Dialects: allDialects(services), Settings: Settings(),
		RiskName: metaRisk, CheckRisk: CheckServerRisk, Signing: &webhook.SigningKeys{Registry: st, Keys: keys, Clock: now},
		MessageID: func(n outbox.NoticeID) string { return webhook.MessageID(keys, n) },
		Redeliver: func(ctx context.Context, tenant int64, id outbox.DeliveryID) (bool, error) {
			return st.Redeliver(ctx, tenant, id, now.Now())
		},
	}), nil
}

// allDialects makes every dialect, in the order in which credentials show them.
func allDialects(s dialect.Services) []dialect.Dialect {
	return []dialect.Dialect{alipay.New(s), intents.New(s), begateway.New(s), wepay.New(s)}
}

// What a store is marked with.
const (
	liveMode    = "live"
	sandboxMode = "sandbox"
)

// Mode returns what a store was made for, "live" or "sandbox"; empty for one
// that was never used.
func Mode(ctx context.Context, st store.Registry) (string, error) {
	mode, err := st.Meta(ctx, metaMode)
	return string(mode), err
}

// CheckKeys tells whether sealing keys open a store: nil, or what is wrong. A
// store that was never used is opened by any.
func CheckKeys(ctx context.Context, st store.Registry, sealing keyring.Sealing) error {
	sealed, err := st.Meta(ctx, metaRoot)
	if err != nil || sealed == nil {
		return err
	}
	if _, err := keyring.Open(sealing, sealed); err != nil {
		return errors.New("the key file is not the one of this store: it does not open the store's root secret")
	}
	return nil
}
