package payment_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

func TestKeys(t *testing.T) {
	key := payment.NewKey(1, "intents/live", "k1")
	if key != payment.NewKey(1, "intents/live", "k1") || key == (payment.Key{}) {
		t.Error("the same request has another key")
	}
	for name, other := range map[string]payment.Key{
		"tenant":             payment.NewKey(2, "intents/live", "k1"),
		"scope":              payment.NewKey(1, "intents/test", "k1"),
		"value":              payment.NewKey(1, "intents/live", "k2"),
		"where scope ends":   payment.NewKey(1, "intents/livek", "1"),
		"nothing in between": payment.NewKey(1, "", "intents/livek1"),
		"no value":           payment.NewKey(1, "intents/live", ""),
	} {
		if other == key {
			t.Errorf("%s makes no difference", name)
		}
	}
}

// A card number does not get out, however it is printed.
func TestSecretsArePrintedAsPlaceholders(t *testing.T) {
	secret := payment.Secret{Number: "number of a canary", CVC: "code of a canary"} // digits would be found in times and addresses
	attempt := payment.Attempt{Secret: secret}
	inside := []any{
		secret, &secret, attempt, &attempt, payment.Authorize{Attempt: attempt}, payment.Create{Attempt: &attempt},
		payment.Instruction{Secret: secret}, []payment.Secret{secret}, map[string]payment.Secret{"card": secret},
	}
	var log strings.Builder
	for _, v := range inside {
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
		document, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(document)
		slog.New(slog.NewTextHandler(&log, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "v", v)
	}
	for _, verb := range []string{"%s", "%q", "%x", "%X", "%d", "%t", "%c"} { // vet finds these only where the type is known
		fmt.Fprintf(&log, verb+"\n", secret)
		fmt.Fprintf(&log, verb+"\n", attempt)
	}
	for _, part := range []string{"canary", "63616e617279", "63616E617279"} {
		if at := strings.Index(log.String(), part); at >= 0 {
			t.Errorf("%q was printed: ...%.60s", part, log.String()[max(0, at-30):])
		}
	}
	if !strings.Contains(log.String(), "[card]") {
		t.Error("no placeholder was printed")
	}
}
