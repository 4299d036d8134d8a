package alipay

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wallet"
)

// Product codes that mean something here; all others are cashier payments.
const (
	agreementPayment = "AGREEMENT_PAYMENT"
	inStorePayment   = "IN_STORE_PAYMENT"
	cashierPayment   = "CASHIER_PAYMENT"
	qiAuthorization  = "51051000101000000012" // a deployed wallet's code for an authorization at the cashier
)

// payRequest is the body of a pay request.
type payRequest struct {
	requestID  string
	amount     amount
	product    string
	method     string // its type
	token      string // of the user, for an agreement payment
	code       string // that the user shows at a till; without it and a token it is a cashier payment
	metadata   string
	authorizes bool       // the money is captured later
	evaluates  bool       // nothing is moved
	expires    *time.Time // an order that nobody has confirmed; nil is the usual time
	title      string
	details    payDetails
	context    replyContext
}

// payDetails is what a payment's Details hold.
type payDetails struct {
	Version       int             `json:"v"`
	Client        string          `json:"client,omitempty"` // to whom notifications are sent, if there is a URL for them
	V1            bool            `json:"v1,omitempty"`     // the notifications have the form of /v1
	Partner       string          `json:"partner,omitempty"`
	NotifyURL     string          `json:"notify,omitempty"`
	VoidNotifyURL string          `json:"void_notify,omitempty"`
	RedirectURL   string          `json:"redirect,omitempty"`
	Order         json.RawMessage `json:"order,omitempty"`
	ExtendInfo    json.RawMessage `json:"extend,omitempty"`
	Credential    grantState      `json:"credential,omitempty"` // what was wrong with the token or the code
}

// readPay decodes a pay request; false is PARAM_ILLEGAL. Several wallets name
// the same things differently: all their names are taken.
func readPay(c *call) (payRequest, bool) {
	f := c.fields
	method, factor, order := f.object("paymentMethod"), f.object("paymentFactor"), f.object("order")
	f.id("appId", 32)
	r := payRequest{
		requestID: f.required("paymentRequestId", 64),
		amount:    f.amount("paymentAmount"),
		product:   f.id("productCode", 32),
		method:    method.id("paymentMethodType", 32),
		token:     method.id("paymentMethodId", 128),
		metadata:  method.text("paymentMethodMetaData", 2048),
		evaluates: factor.flag("isPaymentEvaluation", false),
		expires:   f.time("paymentExpiryTime"),
		title:     order.text("orderDescription", 256),
		details: payDetails{
			Version: 1, NotifyURL: f.address("paymentNotifyUrl", 1024), VoidNotifyURL: f.address("voidNotifyUrl", 2048),
			RedirectURL: f.id("paymentRedirectUrl", 1024), Order: compact(f.raw("order")), ExtendInfo: f.extend(),
		},
	}
	r.context = replyContext{zone: c.client.settings.zone, extend: r.details.ExtendInfo}
	title, redirect := f.text("paymentOrderTitle", 256), f.id("paymentReturnUrl", 1024) // v1
	if r.title == "" {
		r.title = title
	}
	if r.details.RedirectURL == "" {
		r.details.RedirectURL = redirect
	}
	if partner := f.id("partnerId", 32); r.details.NotifyURL != "" || r.details.VoidNotifyURL != "" {
		r.details.Client, r.details.V1, r.details.Partner = c.client.id, c.route.v1 && !c.route.ams, partner
	}
	r.readToken(f, factor)
	r.readMode(f, factor)
	if r.amount.minor == 0 || (r.product == agreementPayment && r.token == "") {
		f.fail()
	}
	return r, !*f.bad
}

// readToken takes the access token from where else it may be, and the payment
// code from where a token may be.
func (r *payRequest) readToken(f, factor fields) {
	top, code := f.id("accessToken", 128), f.id("paymentAuthCode", 128)
	agreed := factor.flag("isAgreementPay", false)
	agreed = factor.flag("isAgreementPayment", false) || agreed
	shown := factor.flag("isPaymentCode", false)
	switch {
	case shown:
		if r.code = code; code == "" {
			r.code = r.token
		}
		if r.token = ""; r.code == "" {
			f.fail()
		}
	case r.token != "":
	case top != "":
		r.token = top
	case agreed:
		r.token = code
	case r.product == inStorePayment:
		r.code = code
	}
}

// unused are members of paymentFactor that are booleans and change nothing here.
var unused = []string{"isAuthorizationAndPay", "isDeferredPayment", "needSurcharge", "needCheckCompliance", "needOtpVerification", "isCrossborderSettlement"}

// readMode finds out whether the payment is captured later.
func (r *payRequest) readMode(f, factor fields) {
	for _, name := range unused {
		factor.flag(name, false)
	}
	mode := factor.text("captureMode", 32)
	if mode != "" && mode != "MANUAL" && mode != "AUTOMATIC" {
		f.fail()
	}
	for _, named := range []bool{
		factor.flag("isAuthorizationPayment", false), factor.flag("isAuthorization", false), f.flag("isAuthorization", false),
		mode == "MANUAL", r.product == qiAuthorization,
	} {
		r.authorizes = r.authorizes || named
	}
	if r.product == "" {
		r.product = cashierPayment
	}
}

func (r payRequest) fingerprint(d *Dialect) payment.Fingerprint {
	return d.fingerprint("pay", strconv.FormatInt(r.amount.minor, 10), r.amount.currency, r.product,
		r.method, r.token+r.code, r.metadata, strconv.FormatBool(r.authorizes))
}

// pay charges a wallet user, or authorizes a charge: POST /v2/payments/pay.
// With an access token or a payment code the answer is final; without the user
// confirms at the cashier first.
func (d *Dialect) pay(ctx context.Context, c *call) []byte {
	r, ok := readPay(c)
	if !ok {
		return only(paramIllegal)
	}
	fail := func(err error) []byte {
		d.Logger.Error("alipay: pay", "error", err)
		return r.refused(unknownException, r.context)
	}
	method, err := d.payer(ctx, c, &r)
	if err != nil {
		return fail(err)
	}
	if r.evaluates {
		what, err := d.evaluate(ctx, c, r, method)
		if err != nil {
			return fail(err)
		}
		return r.refused(what, r.context)
	}
	create, err := d.create(c, r, method)
	if err != nil {
		return fail(err)
	}
	out, err := d.do(ctx, payment.Request{
		Tenant: c.client.tenant, Merchant: c.client.merchant, Command: create, Key: c.client.requestKey("pay", r.requestID),
		Fingerprint: r.fingerprint(d), Keeps: keepsPay, Context: r.context.encode(), Patience: c.client.settings.patience,
	})
	if err == nil && out.Replayed {
		err = d.catchUp(ctx, c.client, &out)
	}
	if err != nil {
		return fail(err)
	}
	return d.renderPay(c.route, r, out)
}

// catchUp has a repeat of an order that waited for its payer answered as it is
// now: "accepted" is not final (section 3, a and d).
func (d *Dialect) catchUp(ctx context.Context, c *client, out *payment.Outcome) error {
	if op := out.Op(); out.Refusal != nil || op == nil || op.Status != payment.OpAwaiting {
		return nil
	}
	p, err := d.Engine.Payment(ctx, c.tenant, c.merchant, out.Payment.ID)
	if err == nil && p != nil {
		out.Payment = p
	}
	return err
}

// nobody is the user of an access token that names none.
const nobody = -1

// payer is the method by which the user of the access token or of the payment
// code pays, or whoever confirms at the cashier if there is neither. Whether the
// token holds is decided with the payment; here it is noted if it had run out.
func (d *Dialect) payer(ctx context.Context, c *call, r *payRequest) (payment.Method, error) {
	m := payment.Method{Kind: payment.WalletMethod}
	switch {
	case r.code != "":
		return d.codePayer(ctx, c, r)
	case r.token == "":
		r.context.cashier = d.cashier(c.client)
		return m, nil
	}
	m.User, m.Grant = nobody, wallet.GrantName(d.Keys.MAC, r.token)
	grant, err := d.Wallets.Grant(ctx, c.client.tenant, m.Grant)
	if err != nil || grant == nil {
		return m, err
	}
	m.User = grant.User
	if !grant.Revoked && !grant.Valid(c.now) {
		r.context.grant = grantExpired
	}
	return m, nil
}

// cashier is where payers confirm, up to the payment's id.
func (d *Dialect) cashier(c *client) string {
	if c.settings.cashierURL != "" {
		return c.settings.cashierURL
	}
	return d.PublicURL + "/_sandbox/wallet/orders/"
}

// create is the command for a pay request.
func (d *Dialect) create(c *call, r payRequest, method payment.Method) (payment.Create, error) {
	r.details.Credential = r.context.grant
	details, err := json.Marshal(r.details)
	if err != nil {
		return payment.Create{}, err
	}
	policy := payment.Policy{HoldFor: max(c.client.settings.authValidity, time.Second)}
	if !r.authorizes {
		policy.AutoCapture, policy.DeclinedCaptureEnds = true, true
	}
	if method.User == 0 {
		policy.PayerDeadline = r.deadline(c)
	}
	return payment.Create{
		Attempt: &payment.Attempt{Asked: payment.Asked{Dialect: Name, Reference: r.requestID}},
		Denied:  r.denied(c, method),
		Intake: payment.Intake{
			Dialect: Name, Currency: money.Currency(r.amount.currency), Amount: r.amount.minor, Method: method, Policy: policy,
			Reference: r.requestID, Description: r.title, Test: d.Sandbox, Details: details,
		},
	}, nil
}

// deadline is how long an order waits for its payer; not above 0 if that is
// over already.
func (r payRequest) deadline(c *call) time.Duration {
	if r.expires == nil {
		return orderValidity
	}
	return r.expires.Sub(c.now)
}

// denied is what this API's own rules say against a payment, whoever pays; nil
// is nothing.
func (r payRequest) denied(c *call, method payment.Method) *payment.Refusal {
	switch c.client.settings.partner {
	case partnerFrozen:
		return payment.Refuse(payment.MerchantBarred)
	case partnerClosed:
		return payment.Refuse(payment.MerchantBarred, payment.NotFound)
	}
	switch {
	case !c.client.settings.supports(r.amount.currency):
		return payment.Refuse(payment.CurrencyMismatch)
	case method.User == 0 && r.deadline(c) <= 0:
		return payment.Refuse(payment.HoldOver)
	}
	return nil
}

func keepsPay(r *payment.Refusal) bool { return refused(payRefusals, r).keeps }
