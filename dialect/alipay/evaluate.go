package alipay

import (
	"context"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wallet"
)

// evaluate tells whether a payment would go through, and moves nothing
// (isPaymentEvaluation).
func (d *Dialect) evaluate(ctx context.Context, c *call, r payRequest, method payment.Method) (result, error) {
	if no := r.denied(c, method); no != nil {
		return refused(payRefusals, no).result, nil
	}
	if r.token == "" && r.code == "" {
		return success, nil // who pays is not known yet
	}
	if what, wrong := r.context.grant.result(); wrong {
		return what, nil
	}
	if r.code == "" {
		grant, err := d.Wallets.Grant(ctx, c.client.tenant, method.Grant)
		switch {
		case err != nil:
			return result{}, err
		case grant == nil || !grant.Valid(c.now):
			return invalidAccessToken, nil
		}
	}
	user, balances, err := d.Wallets.User(ctx, c.client.tenant, method.User)
	switch {
	case err != nil:
		return result{}, err
	case user == nil || user.Frozen:
		return userStatusAbnormal, nil
	case available(balances, r.amount.currency) < r.amount.minor:
		return userBalanceNotEnough, nil
	}
	return success, nil
}

func available(balances []wallet.Balance, currency string) int64 {
	for _, b := range balances {
		if b.Currency == money.Currency(currency) {
			return b.Available
		}
	}
	return 0
}
