package cardsim

import (
	"errors"

	"github.com/capstan-pay/capstan/payment"
)

// behaviour is what a test card does; the zero value approves everything.
type behaviour struct {
	decline        payment.Reason // of the authorization
	challenge      bool           // the payer has to authenticate first
	onSession      bool           // only if he is there
	plain          bool           // no authentication, also when it is asked for
	frictionless   string         // what authenticating him without his doing anything comes to: Y, A, U, R or N
	captureDecline payment.Reason // of every capture, or with once of the first
	once           bool
	captureLost    error // what a capture's caller gets instead of an answer
	refund         refunding
}

// refunding says what becomes of refunds.
type refunding uint8

const (
	refundAtOnce  refunding = iota
	refundLater             // nobody knows at first; it succeeds when it is asked about
	refundReturns           // it counts as done at first, and has come back when it is asked about
)

var (
	errTimeout    = errors.New("cardsim: the processor does not answer")
	errBrokenLine = errors.New("cardsim: connection lost after the capture")
	errUnderWay   = errors.New("cardsim: the refund is under way")
)

// behaviours by name; the name is kept with the payment's method.
var behaviours = map[string]behaviour{
	"decline":                     {decline: payment.GenericDecline},
	"decline_insufficient_funds":  {decline: payment.InsufficientFunds},
	"decline_lost_card":           {decline: payment.LostCard},
	"decline_stolen_card":         {decline: payment.StolenCard},
	"decline_velocity":            {decline: payment.VelocityExceeded},
	"decline_expired_card":        {decline: payment.ExpiredCard},
	"decline_incorrect_cvc":       {decline: payment.IncorrectCVC},
	"decline_processing_error":    {decline: payment.ProcessingError},
	"decline_fraudulent":          {decline: payment.Fraudulent},
	"challenge":                   {challenge: true},
	"challenge_then_decline":      {challenge: true, decline: payment.GenericDecline},
	"challenge_then_insufficient": {challenge: true, decline: payment.InsufficientFunds},
	"challenge_on_session":        {challenge: true, onSession: true},
	"challenge_until_set_up":      {challenge: true},
	"set_up":                      {},
	"three_d_secure_frictionless": {frictionless: "Y"},
	"three_d_secure_attempted":    {frictionless: "A"},
	"three_d_secure_unsupported":  {plain: true},
	"authentication_unavailable":  {frictionless: "U", decline: payment.AuthenticationFailed},
	"authentication_rejected":     {frictionless: "R", decline: payment.AuthenticationFailed},
	"authentication_failed":       {frictionless: "N", decline: payment.AuthenticationFailed},
	"capture_declined":            {captureDecline: payment.GenericDecline},
	"capture_declined_once":       {captureDecline: payment.GenericDecline, once: true},
	"capture_expired":             {captureDecline: payment.AuthorizationLapsed},
	"capture_timeout":             {captureLost: errTimeout},
	"capture_unknown":             {captureLost: errBrokenLine},
	"refund_pending":              {refund: refundLater},
	"refund_returns":              {refund: refundReturns},
}

// cards are the published test cards that do not simply succeed: numbers from
// the test pages of the providers we speak for (intents section 9, begateway
// section 8.2), and the names of those that have no number of their own. They are
// nobody's.
var cards = map[string]string{
	"4000000000000002": "decline",
	"4000000000009995": "decline_insufficient_funds",
	"4000000000009987": "decline_lost_card",
	"4000000000009979": "decline_stolen_card",
	"4000000000006975": "decline_velocity",
	"4000000000000069": "decline_expired_card",
	"4000000000000127": "decline_incorrect_cvc",
	"4000000000000119": "decline_processing_error",
	"4000000000000341": "decline",
	"4100000000000019": "decline_fraudulent",
	"4000000000003220": "challenge",
	"4000002760003184": "challenge",
	"4000002500003155": "challenge_until_set_up",
	"4000003800000446": "challenge_on_session",
	"4000000032200000": "three_d_secure_frictionless",
	"4000008260003178": "challenge_then_insufficient",
	"4000008400001629": "challenge_then_decline",
	"4000000000007726": "refund_pending",
	"4000000000005126": "refund_returns",
	"4000000001000019": "capture_declined",
	"4000000001000027": "capture_declined_once",
	"4000000001000035": "capture_expired",
	"4000000001000043": "capture_timeout",
	"4000000001000050": "capture_unknown",

	"pm_card_amex_threeDSecureNotSupported":        "three_d_secure_unsupported",
	"pm_card_authenticationRequiredOnSetup/set_up": "set_up",

	"4005550000000019": "decline",
	"4012000000003010": "challenge",
	"4012000000001006": "three_d_secure_frictionless",
	"5204240000015003": "three_d_secure_frictionless",
	"4012000000001055": "three_d_secure_attempted",
	"5204240000015011": "three_d_secure_attempted",
	"4012000000001097": "challenge",
	"5204240000015029": "challenge",
	"4012000000001022": "authentication_unavailable",
	"5204240000015045": "authentication_unavailable",
	"4012000000001030": "authentication_rejected",
	"5204240000015052": "authentication_rejected",
	"4012000000001014": "authentication_failed",
	"5204240000015060": "authentication_failed",
}

// messages are what the simulated acquirer says with a decline.
var messages = map[payment.Reason]string{
	payment.GenericDecline:       "Declined",
	payment.InsufficientFunds:    "Insufficient funds",
	payment.LostCard:             "Lost card",
	payment.StolenCard:           "Stolen card",
	payment.VelocityExceeded:     "Activity limit exceeded",
	payment.ExpiredCard:          "Expired card",
	payment.IncorrectCVC:         "CVC mismatch",
	payment.ProcessingError:      "Processing error",
	payment.Fraudulent:           "Suspected fraud",
	payment.AuthenticationFailed: "Cardholder authentication failed",
	payment.AuthorizationLapsed:  "Authorization has expired",
}

// Behaviour returns the name of what the simulator does with a card number, or
// with a named test card; empty is to approve everything.
func Behaviour(number string) string { return cards[number] }
