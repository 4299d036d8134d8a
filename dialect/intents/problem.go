package intents

import (
	"net/http"
	"time"

	"github.com/capstan-pay/capstan/dialect"
)

// The types of error (section 3).
const (
	apiError         = "api_error"
	cardError        = "card_error"
	idempotencyError = "idempotency_error"
	invalidRequest   = "invalid_request_error"
)

// problem is an error as the wire shows it. Members that are empty are left
// out, and an empty kind is invalidRequest.
type problem struct {
	status  int
	kind    string
	code    string
	decline string // the issuer's reason
	param   string
	message string
	charge  string        // id of the failed charge
	intent  []byte        // the full object, rendered; nil for none
	method  []byte        // the payment method, rendered; nil for none
	again   retry         // what SDKs are told
	unkept  bool          // the corrected request may use the same key
	wait    time.Duration // how long, if more than a second
}

// retry is what Stripe-Should-Retry says.
type retry uint8

const (
	retryNever retry = iota
	retrySoon
	retrySilent // nothing is said: it is safe to try again, and not known whether it helps
)

// invalid is a parameter that is wrong in a way that has no code.
func invalid(param, message string) *problem {
	return &problem{status: 400, param: param, message: message}
}

func missingParam(name string) *problem {
	return &problem{status: 400, code: "parameter_missing", param: name, message: "Missing required param: " + name + "."}
}

func unknownParam(name string) *problem {
	name = masked(name)
	return &problem{status: 400, code: "parameter_unknown", param: name, message: "Received unknown parameter: " + name}
}

// tooMany is what a client hears that asks too often, or when too many requests
// wait already. It is kept under no key.
func tooMany(wait time.Duration) *problem {
	return &problem{
		status: http.StatusTooManyRequests, code: "rate_limit", again: retrySoon, wait: wait,
		message: "Too many requests hit the API too quickly. We recommend an exponential backoff of your requests.",
	}
}

// missing is an object that is not there. A path that names it is 404, a
// parameter 400.
func missing(status int, param, what, id string) *problem {
	return &problem{status: status, code: "resource_missing", param: param, message: "No such " + what + ": '" + masked(id) + "'"}
}

func (p *problem) kindOr() string {
	if p.kind == "" {
		return invalidRequest
	}
	return p.kind
}

// appendDocURL appends where a code is explained.
func appendDocURL(b []byte, code string) []byte {
	b = append(b, `"https://stripe.com/docs/error-codes/`...)
	for i := range len(code) {
		if code[i] == '_' {
			b = append(b, '-')
		} else {
			b = append(b, code[i])
		}
	}
	return append(b, '"')
}

// append appends the envelope, members in alphabetical order, as pretty JSON
// with a newline at the end.
func (p *problem) append(b []byte) []byte {
	b = append(b, "{\n  \"error\": {"...)
	text := func(name, value string) {
		if value != "" {
			b = appendName(b, name)
			b = append(dialect.AppendString(b, value), ',')
		}
	}
	object := func(name string, rendered []byte) {
		if rendered != nil {
			b = appendName(b, name)
			b = append(appendNested(b, rendered, 2), ',')
		}
	}
	text("charge", p.charge)
	text("code", p.code)
	text("decline_code", p.decline)
	if p.code != "" {
		b = append(appendDocURL(appendName(b, "doc_url"), p.code), ',')
	}
	text("message", p.message)
	text("param", p.param)
	object("payment_intent", p.intent)
	object("payment_method", p.method)
	if p.method != nil {
		text("payment_method_type", "card")
	}
	b = dialect.AppendString(appendName(b, "type"), p.kindOr())
	return append(b, "\n  }\n}\n"...)
}

// appendName appends the name of a member of the envelope on a line of its own.
func appendName(b []byte, name string) []byte {
	return append(append(append(b, "\n    \""...), name...), `": `...)
}

// shouldRetry is the value of the Stripe-Should-Retry header, nil for none.
func (p *problem) shouldRetry() []string {
	switch {
	case p.again == retrySoon:
		return headerTrue
	case p.again == retrySilent:
		return nil
	}
	return headerFalse
}
