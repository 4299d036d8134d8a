package payment

// Reason says why a processor declined, in the field's common words. Each
// dialect has a table from these to its own codes.
type Reason string

// The reasons a processor may give.
const (
	GenericDecline       Reason = "generic_decline"
	DoNotHonor           Reason = "do_not_honor"
	InsufficientFunds    Reason = "insufficient_funds"
	LostCard             Reason = "lost_card"
	StolenCard           Reason = "stolen_card"
	ExpiredCard          Reason = "expired_card"
	IncorrectCVC         Reason = "incorrect_cvc"
	IncorrectNumber      Reason = "incorrect_number"
	VelocityExceeded     Reason = "card_velocity_exceeded"
	Fraudulent           Reason = "fraudulent"
	ProcessingError      Reason = "processing_error"
	AuthenticationFailed Reason = "authentication_failed"
	PayerFrozen          Reason = "payer_frozen"   // the wallet user may not pay
	GrantOver            Reason = "grant_over"     // the wallet user's access token was revoked or has run out
	PayerDeclined        Reason = "payer_declined" // the payer said no
	AuthorizationLapsed  Reason = "hold_lapsed"    // the processor no longer has the hold
	RiskRejected         Reason = "risk_rejected"  // stopped by our own risk check
	LimitMaximum         Reason = "limit_maximum"  // above the most one operation may have
	LimitVolume          Reason = "limit_volume"   // above the volume of the period
	LimitCount           Reason = "limit_count"    // above the number of the period
	LimitPayer           Reason = "limit_payer"    // above what this payer may spend in the period
	NotPerformed         Reason = "not_performed"  // sealed: the processor never had it and never will
	UnsupportedMethod    Reason = "unsupported"    // no processor takes this method or currency
)

// Reasons lists every reason, so that each dialect's table can be tested for
// completeness.
func Reasons() []Reason {
	return []Reason{
		GenericDecline, DoNotHonor, InsufficientFunds, LostCard, StolenCard, ExpiredCard, IncorrectCVC, IncorrectNumber,
		VelocityExceeded, Fraudulent, ProcessingError, AuthenticationFailed, PayerFrozen, GrantOver, PayerDeclined,
		AuthorizationLapsed, RiskRejected, LimitMaximum, LimitVolume, LimitCount, LimitPayer, NotPerformed, UnsupportedMethod,
	}
}
