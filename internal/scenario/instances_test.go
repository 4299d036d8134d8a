package scenario

import "testing"

// TestOnThreeInstances plays what can be played on any store with three servers
// on one PostgreSQL: each request goes to the next of them, a repeat to another
// than the first.
func TestOnThreeInstances(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	all := dialects
	instances, dialects = 3, all[1:] // what the sandbox is to do with wallets is known to the instance that was told
	defer func() { instances, dialects = 1, all }()
	for _, scenario := range []struct {
		name string
		play func(*testing.T)
	}{
		{"a refused request and its key", TestRefusedRequestAndItsKey},
		{"the same capture twice", TestSameCaptureTwice},
		{"another key while one is unknown", TestAnotherKeyWhileOneIsUnknown},
		{"after a failed capture", TestAfterAFailedCapture},
		{"an unknown authorization, then a capture", TestUnknownAuthorizationThenCapture},
		{"a rejected hold is never capturable", TestRejectedHoldIsNeverCapturable},
		{"an error during the second of several captures", TestErrorDuringTheSecondOfSeveralCaptures},
		{"a new key after a time-out", TestNewKeyAfterATimeout},
		{"ends in pairs", TestEndsInPairs},
		{"two refunds racing", TestTwoRefundsRacing},
		{"a refund racing a capture", TestRefundRacingCapture},
		{"a webhook fails and the state changes again", TestWebhookFailsAndTheStateChangesAgain},
		{"an event arrives before the answer is read", TestEventArrivesBeforeTheAnswerIsRead},
		{"success against its word", TestSuccessAgainstItsWord},
		{"an authorization against its word", TestAuthorizationAgainstItsWord},
		{"differences are found and settled", TestDifferencesAreFoundAndSettled},
		{"missing and other amounts", TestMissingAndOtherAmounts},
	} {
		t.Run(scenario.name, scenario.play)
	}
}
