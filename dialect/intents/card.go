package intents

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// newCard is a payment method that came with a request. The secret is for the
// first attempt and is forgotten after it.
type newCard struct {
	method  payment.Method
	secret  payment.Secret
	billing []byte

	stored   string              // id, if it is a stored one, or is to be
	customer string              // that the stored one belongs to
	papers   []document.Document // that store it, if it is not yet
}

// readMethod reads which payment method to use: a test card by its name, card
// data, or the id of the method that the intent has.
func (c *changes) readMethod(x *exchange) {
	p := &x.params
	id, sent := p.text("payment_method", 255)
	switch {
	case !p.has("payment_method_data"):
	case sent && id != "":
		p.fail(invalid("payment_method", "You may only specify one of these parameters: payment_method, payment_method_data."))
		p.ignore("payment_method_data")
		return
	default:
		c.card = x.readCard("payment_method_data")
		return
	}
	switch token, isToken := strings.CutPrefix(id, tokenPrefix); {
	case !sent:
	case id == "":
		c.detach = true
	case isToken:
		c.card = x.readToken(token)
	default:
		own := false
		if c.names, own = x.d.parse(methodPrefix, wireid.PaymentMethod, id); !own {
			c.card = x.readStored(id)
		}
		if c.card == nil {
			c.named = id
		}
	}
}

// readToken makes a payment method of a test card. In live mode there are none.
func (x *exchange) readToken(token string) *newCard {
	number, known := tokens[token]
	id := tokenPrefix + token
	if !known || !x.account.test {
		why := missing(http.StatusBadRequest, "payment_method", "PaymentMethod", id)
		if known {
			why.message += "; a similar object exists in test mode, but a live mode key was used to make this request."
		}
		x.params.fail(why)
		return nil
	}
	m, err := x.d.Cards.Inspect(number)
	if err != nil {
		x.params.fail(x.fault(err)) // our own table
		return nil
	}
	if x.d.Cards.Behaviour != nil {
		if own := x.d.Cards.Behaviour(id); own != "" {
			m.Simulate = own
		}
	}
	m.ExpMonth, m.ExpYear = 12, x.d.Clock.Now().Year()+tokenYears
	return &newCard{method: m, secret: payment.Secret{Number: number, CVC: "123"}}
}

// readCard makes a payment method of card data below name; "" is the top.
func (x *exchange) readCard(name string) *newCard {
	p := &x.params
	at := func(member string) string { // such as "card[number]"
		if name == "" {
			return member
		}
		first, rest, nested := strings.Cut(member, "[")
		if nested {
			rest = "[" + rest
		}
		return name + "[" + first + "]" + rest
	}
	if name != "" {
		p.object(name)
	}
	p.object(at("card"))
	if kind, sent := p.text(at("type"), 50); !sent {
		p.fail(missingParam(at("type")))
	} else if kind != "card" {
		p.fail(invalid(at("type"), "Invalid "+at("type")+": must be card"))
	}
	p.ignore(at("allow_redisplay"), at("radar_options"), at("card[networks]"))
	if name != "" {
		p.ignore(at("metadata"))
	}
	card := &newCard{}
	if p.has(at("billing_details")) {
		p.object(at("billing_details"))
		card.billing = p.addressed(at("billing_details"), billingMembers)
	}
	number, sent := p.text(at("card[number]"), 40)
	if !sent {
		p.fail(missingParam(at("card[number]")))
	}
	month, hasMonth := p.integer(at("card[exp_month]"))
	year, hasYear := p.integer(at("card[exp_year]"))
	for _, it := range []struct {
		member string
		sent   bool
	}{{"exp_month", hasMonth}, {"exp_year", hasYear}} {
		if !it.sent {
			p.fail(missingParam(at("card[" + it.member + "]")))
		}
	}
	cvc, hasCVC := p.text(at("card[cvc]"), 10)
	holder, _ := p.text(at("card[name]"), 255)
	if p.bad != nil {
		return nil
	}
	number = strings.NewReplacer(" ", "", "-", "").Replace(number)
	m, err := x.d.Cards.Inspect(number)
	if year < 100 {
		year += 2000
	}
	now := x.d.Clock.Now()
	switch {
	case err != nil:
		p.fail(cardProblem("incorrect_number", at("card[number]"), "Your card number is incorrect."))
	case month < 1 || month > 12:
		p.fail(cardProblem("invalid_expiry_month", at("card[exp_month]"), "Your card's expiration month is invalid."))
	case year < int64(now.Year()) || year > int64(now.Year())+50 || year == int64(now.Year()) && time.Month(month) < now.Month():
		p.fail(cardProblem("invalid_expiry_year", at("card[exp_year]"), "Your card's expiration year is invalid."))
	case hasCVC && !validCVC(cvc):
		p.fail(cardProblem("invalid_cvc", at("card[cvc]"), "Your card's security code is invalid."))
	}
	if p.bad != nil {
		return nil
	}
	if leak := p.leaks(at("card[number]"), number); leak != nil {
		p.fail(leak)
		return nil
	}
	m.ExpMonth, m.ExpYear, m.Holder = int(month), int(year), holder
	card.method, card.secret = m, payment.Secret{Number: number, CVC: cvc}
	return card
}

func validCVC(cvc string) bool {
	_, err := strconv.ParseUint(cvc, 10, 16)
	return err == nil && (len(cvc) == 3 || len(cvc) == 4)
}

// cardProblem is card data that no issuer needs to be asked about.
func cardProblem(code, param, message string) *problem {
	return &problem{status: http.StatusPaymentRequired, kind: cardError, code: code, param: param, message: message}
}
