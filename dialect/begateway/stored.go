package begateway

import (
	"context"
	"errors"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/vault"
)

// readStored reads the card that a token stands for (section 6.1).
func (d *Dialect) readStored(ctx context.Context, s *shop, token string, in *intakeRequest, wrong *faults) {
	c, secret, err := d.Vault.Open(ctx, s.merchant.Tenant, s.merchant.ID, token)
	switch {
	case errors.Is(err, vault.ErrNoCard):
		wrong.add(cardToken, textUnknownToken)
		return
	case err != nil:
		in.fault = err
		return
	}
	m := c.Method
	if expired(m.ExpMonth, m.ExpYear, d.Clock.Now()) {
		wrong.add(cardDate, textExpired)
	}
	in.secret.Number, in.intake.Method, in.stored = secret.Number, m, true
}

// expired tells whether a card is good no more: it is until the end of its
// month, in UTC.
func expired(month, year int, now time.Time) bool {
	return !now.Before(time.Date(year, time.Month(month)+1, 1, 0, 0, 0, 0, time.UTC))
}

// keepCard keeps the card of a payment that was not declined under the token
// that the reply shows, so that it can be charged again. Of a card that cannot
// be kept the payment stands all the same.
func (d *Dialect) keepCard(ctx context.Context, s *shop, in *intakeRequest, p *payment.Payment) {
	if in.stored || p.Authorization() == nil || p.Authorization().Status == payment.OpFailed {
		return
	}
	m := in.intake.Method
	c := vault.Card{Tenant: s.merchant.Tenant, Merchant: s.merchant.ID, Token: d.cardToken(s.merchant.ID, m), Method: m}
	if known, err := d.Vault.Find(ctx, c.Tenant, c.Merchant, c.Token); err == nil && known.Method == m {
		return
	}
	if _, err := d.Vault.Keep(ctx, c, in.secret.Number); err != nil {
		d.Logger.Error("begateway: a card was not kept", "error", err)
	}
}
