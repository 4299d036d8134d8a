package begateway

import (
	"encoding/json"
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name    string
		faults  faults
		message string
		tree    string
	}{
		{"of one attribute", faults{{parentUID, textUnknownParent}},
			"Parent uid Parent transaction is not found.", `{"parent_uid":["Parent transaction is not found"]}`},
		{"of a section, which is not named", faults{{cardToken, textUnknownToken}},
			"Token does not exist.", `{"credit_card":{"token":["does not exist"]}}`},
		{"of no attribute: no dot", faults{{base, textNoRefund}},
			"transaction can't be refunded", `{"base":["transaction can't be refunded"]}`},
		{"in the order of the specification, whatever order they were found in",
			faults{{base, textDuplicate}, {amount, textNotPositive}, {cardNumber, textInvalid}, {cardDate, textBlank}, {billingCountry, textInvalid}, {currency, textBlank}, {customerIP, textBlank}},
			"Country is invalid. Ip can't be blank. Date can't be blank. Number is invalid. Currency can't be blank. Amount must be greater than 0. Duplicate transaction.",
			`{"billing_address":{"country":["is invalid"]},"customer":{"ip":["can't be blank"]},"credit_card":{"date":["can't be blank"],"number":["is invalid"]},` +
				`"currency":["can't be blank"],"amount":["must be greater than 0"],"base":["Duplicate transaction"]}`},
		{"two of one attribute, and an _id that is dropped", faults{{trackingID, textBlank}, {trackingID, textInvalid}},
			"Tracking can't be blank. Tracking is invalid.", `{"tracking_id":["can't be blank","is invalid"]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			sorted := test.faults.sorted()
			if got := sorted.message(); got != test.message {
				t.Errorf("message %q, want %q", got, test.message)
			}
			if got := string(sorted.appendTree(nil)); got != test.tree {
				t.Errorf("tree %s, want %s", got, test.tree)
			}
		})
	}
}

func TestEnvelopes(t *testing.T) {
	const message, tree = `"message":"Duplicate transaction"`, `"errors":{"base":["Duplicate transaction"]}`
	for _, test := range []struct{ envelope, invalid, notFound string }{
		{envelopeWrapped, `{"response":{` + message + `,` + tree + `}}`, `{"response":{"message":"Record not found"}}`},
		{envelopeFlat, `{` + message + `,` + tree + `}`, `{"message":"Record not found"}`},
		{envelopeBoth, `{` + message + `,` + tree + `,"response":{` + message + `,` + tree + `}}`, `{"message":"Record not found","response":{"message":"Record not found"}}`},
	} {
		if got := string(fails(base, textDuplicate).append(nil, test.envelope)); got != test.invalid {
			t.Errorf("%s: %s, want %s", test.envelope, got, test.invalid)
		}
		if got := string(notFound.append(nil, test.envelope)); got != test.notFound {
			t.Errorf("%s: %s, want %s", test.envelope, got, test.notFound)
		}
	}
}

// Every attribute has a place of its own, sections are not interrupted, and
// any set of faults is valid JSON.
func TestPlaces(t *testing.T) {
	var all faults
	seen, ended := map[string]bool{}, map[string]bool{}
	section := ""
	for at := range attributeCount {
		place := places[at]
		key := place.section + "." + place.name
		if place.name == "" || seen[key] {
			t.Errorf("attribute %d has no place of its own: %q", at, key)
		}
		seen[key] = true
		if place.section != section {
			ended[section] = true
			if section = place.section; section != "" && ended[section] {
				t.Errorf("section %q is interrupted", section)
			}
		}
		all.add(at, textBlank)
	}
	for from := range all {
		for to := from; to <= len(all); to++ {
			if tree := all[from:to].appendTree(nil); !json.Valid(tree) {
				t.Fatalf("faults %d to %d: %s", from, to, tree)
			}
		}
	}
}

func TestTablesAreComplete(t *testing.T) {
	for _, guard := range payment.Guards() {
		found := 0
		for _, a := range answers {
			if a.guard == guard {
				found++
				if (a.text == nil) == (a.problem == nil) {
					t.Errorf("guard %s needs a text or a problem", guard)
				}
			}
		}
		if found != 1 {
			t.Errorf("guard %s has %d answers", guard, found)
		}
	}
	for _, reason := range payment.Reasons() {
		if declines[reason] == "" {
			t.Errorf("reason %s has no text", reason)
		}
		if friendly[codes[reason]] == "" {
			t.Errorf("reason %s has no code, or its code %q no text", reason, codes[reason])
		}
	}
}
