package wepay

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/throttle"
)

// app is a platform's application as its requests see it: who it is, and the
// settings of its merchant account.
type app struct {
	access         *merchant.Access
	id             string
	accountID      string
	accountUsable  bool           // may take payments
	currency       money.Currency // of the account; empty is any
	feePercent     int64          // the most that a fee may be of its payment
	presentPercent int64          // the most that may be captured of a card that was present; payment.NoCap is no bound
	settleAfter    time.Duration
	refundFor      time.Duration // after the creation of a payment
	captureFor     time.Duration // so
	cancelFor      time.Duration // so, by a card that was present
	perEndpoint    throttle.Rule // of requests to one endpoint
	rate           throttle.Rule // of all requests
	patience       time.Duration
}

// authenticate finds the application by its token. Whatever is wrong, the
// answer is the same. A page that tokenizes a card has no token, and is known by
// the App-Id alone.
func (c *call) authenticate() *problem {
	id, token := c.r.Header.Get("App-Id"), c.r.Header.Get("App-Token")
	switch {
	case id == "":
		return notAuthorized
	case token == "" && c.endpoint.name == tokenizing && len(c.r.Header["App-Token"]) == 0:
		return c.identify(id)
	case token == "":
		return notAuthorized
	}
	access, err := c.Merchants.Find(c.r.Context(), Name, tokenKind, c.tokenName(token))
	if err != nil {
		return c.failed(fmt.Errorf("find credentials: %w", err))
	}
	if access == nil {
		return notAuthorized
	}
	parsed, err := access.Once(c.readApp)
	if err != nil {
		return c.failed(fmt.Errorf("read credentials of merchant %d: %w", access.ID, err))
	}
	c.app = parsed.(*app)
	if c.app.id != id {
		return notAuthorized
	}
	c.memo.Merchant = access.ID
	return nil
}

// identify finds the application by its id.
func (c *call) identify(id string) *problem {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil || number <= firstAppID || appID(number-firstAppID) != id {
		return notAuthorized
	}
	access, err := c.Merchants.Merchant(c.r.Context(), number-firstAppID)
	switch {
	case err != nil:
		return c.failed(fmt.Errorf("find merchant: %w", err))
	case access == nil || access.Disabled:
		return notAuthorized
	}
	c.app = c.appOf(access, id)
	c.memo.Merchant = access.ID
	return nil
}

// readApp reads an application and its settings.
func (d *Dialect) readApp(access *merchant.Access) (any, error) {
	var known credential
	if err := json.Unmarshal(access.Credential.Data, &known); err != nil {
		return nil, err
	}
	return d.appOf(access, known.AppID), nil
}

func (d *Dialect) appOf(access *merchant.Access, id string) *app {
	m := &access.Merchant
	a := &app{
		access: access, id: id, accountID: d.accountOf(access.ID),
		accountUsable:  accountUsable.Of(m),
		currency:       money.Currency(accountCurrency.Of(m)),
		feePercent:     feeThreshold.Of(m),
		presentPercent: presentOverCapture.Of(m),
		settleAfter:    time.Duration(settlementDelay.Or(m, d.settlementSeconds())) * time.Second,
		captureFor:     dialect.Seconds(captureWindow, m),
		cancelFor:      dialect.Seconds(presentCancel, m),
		refundFor:      time.Duration(refundWindow.Of(m)) * 24 * time.Hour,
		perEndpoint:    throttle.Window(int(rateLimit.Of(m)), window),
		rate:           dialect.RateOf(m),
		patience:       dialect.Milliseconds(patience, m),
	}
	if a.presentPercent == 0 {
		a.presentPercent = payment.NoCap
	}
	return a
}

// tokenName is the name under which a token is kept: its keyed hash.
func (d *Dialect) tokenName(token string) string {
	sum := d.Keys.MAC("wepay app token", []byte(token))
	return hex.EncodeToString(sum[:])
}
