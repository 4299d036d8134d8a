package wepay

import (
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
)

// What an operator may set for a merchant account.
var (
	accountUsable = merchant.Switch(Name+".account_can_accept_payments", true,
		"the account may take payments")
	accountCurrency = merchant.Choice(Name+".account_currency", "",
		"the account's currency; empty takes both", "USD", "CAD", "")
	feeThreshold = merchant.Number(Name+".fee_threshold_percent", 20, 0, 100,
		"the most that a fee may be of its payment; 0 is no bound")
	presentOverCapture = merchant.Number(Name+".card_present_over_capture_percent", 120, 0, 1_000_000,
		"the most that may be captured of a card that was present, in percent of the hold; 0: the acquirer decides")
	settlementDelay = merchant.Number(Name+".settlement_delay_seconds", 0, 0, dialect.Century,
		"how long captured or refunded money is in transit, of payments made from then on").Otherwise("1 in a sandbox, else 86400")
	rateLimit = merchant.Number(Name+".rate_limit", 0, 0, 100_000,
		"requests of an application to one endpoint in ten seconds, counted by each instance; 0 is no bound")
	refundWindow = merchant.Number(Name+".refund_window_days", 60, 1, 3650,
		"for how many days after its creation a payment may be refunded")
	captureWindow = merchant.Number(Name+".capture_window_seconds", int64(holdFor/time.Second), 60, int64(holdFor/time.Second),
		"how long after its creation a payment may be captured, of payments made from then on")
	presentCancel = merchant.Number(Name+".card_present_cancel_seconds", 90*60, 0, int64(holdFor/time.Second),
		"how long after its creation a payment by a card that was present may be canceled, of payments made from then on")
	webhookGaps = merchant.Text(Name+".webhook_gaps_seconds", "whole numbers of seconds from 1 to 604800, separated by commas, at most 9", "60,300,1800,7200,43200,86400",
		"the waits between the attempts at a notification; the last one is repeated as often as the attempts need", func(s string) bool {
			_, ok := parseGaps(s)
			return ok
		})
	webhookAttempts = merchant.Number(Name+".webhook_attempts", 6, 1, mostAttempts,
		"how often a notification is attempted before its preference becomes inactive")
	patience = dialect.Patience(Name, 10*time.Second) // the original let a request run for 30 seconds; clients give up earlier
)

// Settings are the settings of this dialect.
func Settings() []merchant.Declaration {
	return []merchant.Declaration{
		accountUsable.Declaration, accountCurrency.Declaration, feeThreshold.Declaration, presentOverCapture.Declaration,
		settlementDelay.Declaration, rateLimit.Declaration, refundWindow.Declaration,
		captureWindow.Declaration, presentCancel.Declaration, webhookGaps.Declaration, webhookAttempts.Declaration, patience.Declaration,
	}
}

// settlementSeconds is how many seconds captured money is in transit, unless a
// setting says otherwise.
func (d *Dialect) settlementSeconds() int64 {
	if d.Sandbox {
		return 1
	}
	return 24 * 60 * 60
}
