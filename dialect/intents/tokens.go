package intents

// tokens are the test cards that a client may name instead of sending a number
// (section 9), after "pm_card_".
var tokens = map[string]string{
	"visa":                                 "4242424242424242",
	"visa_debit":                           "4000056655665556",
	"mastercard":                           "5555555555554444",
	"amex":                                 "378282246310005",
	"discover":                             "6011111111111117",
	"diners":                               "3056930009020004",
	"jcb":                                  "3566002020360505",
	"unionpay":                             "6200000000000005",
	"visa_chargeDeclined":                  "4000000000000002",
	"chargeDeclined":                       "4000000000000002",
	"visa_chargeDeclinedInsufficientFunds": "4000000000009995",
	"chargeDeclinedInsufficientFunds":      "4000000000009995",
	"visa_chargeDeclinedLostCard":          "4000000000009987",
	"visa_chargeDeclinedStolenCard":        "4000000000009979",
	"visa_chargeDeclinedVelocityLimitExceeded":              "4000000000006975",
	"chargeDeclinedExpiredCard":                             "4000000000000069",
	"chargeDeclinedIncorrectCvc":                            "4000000000000127",
	"chargeDeclinedProcessingError":                         "4000000000000119",
	"chargeCustomerFail":                                    "4000000000000341",
	"radarBlock":                                            "4100000000000019",
	"threeDSecure2Required":                                 "4000000000003220",
	"authenticationRequired":                                "4000002760003184",
	"authenticationRequiredOnSetup":                         "4000002500003155",
	"authenticationRequiredSetupForOffSession":              "4000003800000446",
	"authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
	"threeDSecureRequiredChargeDeclined":                    "4000008400001629",
	"threeDSecureOptional":                                  "4000000000003055",
	"amex_threeDSecureNotSupported":                         "378282246310005",
	"pendingRefund":                                         "4000000000007726",
	"refundFail":                                            "4000000000005126",
	"createDispute":                                         "4000000000000259",
	"captureDeclined":                                       "4000000001000019",
	"captureDeclinedOnce":                                   "4000000001000027",
	"captureExpired":                                        "4000000001000035",
	"captureTimeout":                                        "4000000001000043",
	"captureUnknown":                                        "4000000001000050",
}

// tokenPrefix begins the name of a test card.
const tokenPrefix = "pm_card_"

// tokenYears is how long the cards behind tokens are valid.
const tokenYears = 5
