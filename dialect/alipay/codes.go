package alipay

import (
	"bytes"
	"slices"
)

// commonCodes may leave every endpoint: the table of section 2.5 of the
// specification this package follows, but for what only pay has.
var commonCodes = []string{
	"UNKNOWN_EXCEPTION", "PROCESS_FAIL", "PARAM_ILLEGAL", "INVALID_API", "ACCESS_DENIED", "REQUEST_TRAFFIC_EXCEED_LIMIT", "KEY_NOT_FOUND",
	"CLIENT_INVALID", "SIGNATURE_INVALID", "METHOD_NOT_SUPPORTED", "MEDIA_TYPE_NOT_ACCEPTABLE", "EXPIRED_AGENT_TOKEN", "INVALID_AGENT_TOKEN",
}

// endpointCodes are the tables of the endpoints, besides the common codes. What
// is in neither does not leave the endpoint.
var endpointCodes = map[string][]string{
	"payments/capture": { // section 4.5, the capture page
		"SUCCESS", "AUTH_CANCELLED", "AUTH_EXPIRED", "AUTH_NOT_FOUND", "CAPTURE_IN_PROCESS", "INVALID_TOKEN", "CURRENCY_NOT_SUPPORT", "USER_BALANCE_NOT_ENOUGH",
		"USER_STATUS_ABNORMAL", "PAYMENT_AMOUNT_EXCEED_LIMIT", "PAYMENT_COUNT_EXCEED_LIMIT", "REPEAT_REQ_INCONSISTENT", "USER_AMOUNT_EXCEED_LIMIT",
		"RISK_REJECT", "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT",
	},
	"payments/pay": { // section 5.1
		"SUCCESS", "ACCEPT", "PAYMENT_IN_PROCESS", "REPEAT_REQ_INCONSISTENT", "PAYMENT_AMOUNT_EXCEED_LIMIT", "USER_AMOUNT_EXCEED_LIMIT",
		"USER_BALANCE_NOT_ENOUGH", "USER_STATUS_ABNORMAL", "RISK_REJECT", "CURRENCY_NOT_SUPPORT", "USER_NOT_EXIST", "PARTNER_NOT_EXIST",
		"PARTNER_STATUS_ABNORMAL", "ORDER_STATUS_INVALID", "INVALID_ACCESS_TOKEN", "EXPIRED_ACCESS_TOKEN", "AUTH_CODE_ALREADY_USED", "INVALID_CODE",
	},
	"payments/inquiryPayment": {"SUCCESS", "ORDER_NOT_EXIST"}, // section 5.2
	"payments/void": { // section 5.3
		"SUCCESS", "AUTH_NOT_FOUND", "AUTH_CANCELLED", "AUTH_EXPIRED", "ORDER_STATUS_INVALID", "CURRENCY_NOT_SUPPORT", "AMOUNT_EXCEEDS_LIMIT",
		"REPEAT_REQ_INCONSISTENT",
	},
	"payments/cancel": {"SUCCESS", "ORDER_STATUS_INVALID", "ORDER_NOT_EXIST"}, // section 5.4
	"payments/refund": { // section 5.5
		"SUCCESS", "REFUND_IN_PROCESS", "REPEAT_REQ_INCONSISTENT", "ORDER_NOT_EXIST", "ORDER_STATUS_INVALID", "REFUND_WINDOW_EXCEED",
		"REFUND_AMOUNT_EXCEED", "PARTNER_BALANCE_NOT_ENOUGH", "PARTNER_STATUS_ABNORMAL", "CURRENCY_NOT_SUPPORT",
	},
	"payments/inquiryRefund": {"SUCCESS", "REFUND_NOT_EXIST"}, // section 5.6
	"authorizations/applyToken": { // section 5.7; the last three are v1's names
		"SUCCESS", "AUTH_CLIENT_UNSUPPORTED_GRANT_TYPE", "INVALID_AUTH_CLIENT", "INVALID_AUTH_CLIENT_STATUS", "INVALID_REFRESH_TOKEN",
		"EXPIRED_REFRESH_TOKEN", "USED_REFRESH_TOKEN", "INVALID_AUTHCODE", "USED_AUTHCODE", "EXPIRED_AUTHCODE", "INVALID_CODE", "USED_CODE", "EXPIRED_CODE",
	},
	"authorizations/cancelToken": {"SUCCESS", "INVALID_ACCESS_TOKEN", "EXPIRED_ACCESS_TOKEN", "INVALID_AUTH_CLIENT"}, // section 5.7
}

// documented tells whether an endpoint has a code.
func documented(api string, code []byte) bool {
	is := func(known string) bool { return known == string(code) }
	return slices.ContainsFunc(endpointCodes[api], is) || slices.ContainsFunc(commonCodes, is)
}

// codeOf is the result code of an answer that newReply began.
func codeOf(answer []byte) []byte {
	rest, ok := bytes.CutPrefix(answer, []byte(`{"result":{"resultCode":"`))
	if !ok {
		return nil
	}
	code, _, _ := bytes.Cut(rest, []byte{'"'})
	return code
}
