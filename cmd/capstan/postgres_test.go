package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/pgtest"
)

// Two instances on one database are one server: the same credentials, the same
// payments, the same answers.
func TestServeOnPostgres(t *testing.T) {
	store := pgtest.URL(t)
	first, second := serve(t, store), serve(t, store)
	mine, others := first.Credentials, second.Credentials
	others.BaseURL, others.AdminURL = mine.BaseURL, mine.AdminURL
	a, _ := json.Marshal(mine)
	b, _ := json.Marshal(others)
	if !bytes.Equal(a, b) {
		t.Fatal("two instances have different credentials")
	}
	for _, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
		one, err := drive.New(dialect, first.Credentials)
		if err != nil {
			t.Fatal(err)
		}
		other, err := drive.New(dialect, second.Credentials)
		if err != nil {
			t.Fatal(err)
		}
		held, err := one.Authorize(t.Context(), 2000, "hold-"+dialect)
		if err != nil || held.Verdict != drive.Done {
			t.Fatalf("%s: hold: %s %s, %v", dialect, held.Verdict, held.Code, err)
		}
		if r, err := other.Capture(t.Context(), held.ID, 700, "capture-"+dialect, false); err != nil || r.Verdict != drive.Done {
			t.Errorf("%s: capture on the other: %s %s, %v", dialect, r.Verdict, r.Code, err)
		}
		if r, err := one.Capture(t.Context(), held.ID, 700, "capture-"+dialect, false); err != nil || r.Verdict == drive.Refused {
			t.Errorf("%s: the capture again: %s %s, %v", dialect, r.Verdict, r.Code, err)
		}
		if r, err := other.Query(t.Context(), held.ID); err != nil || r.Captured != 700 && r.Captured != -1 {
			t.Errorf("%s: %d captured, %v", dialect, r.Captured, err)
		}
	}
	var out, problems bytes.Buffer
	if code := run(t.Context(), []string{"verify", "--store", store}, &out, &problems); code != exitOK {
		t.Errorf("verify beside the servers: exit %d: %s%s", code, &out, &problems)
	}
	for _, s := range []served{first, second} {
		if code, problems := s.stop(); code != exitOK {
			t.Errorf("exit %d: %s", code, problems)
		}
	}
}

// A database is made, given a merchant and migrated like a file.
func TestAdministerPostgres(t *testing.T) {
	store, keys := pgtest.URL(t), filepath.Join(t.TempDir(), "keys.json")
	for _, command := range []struct {
		args string
		want string
	}{
		{"migrate --store STORE", "schema 0 -> "},
		{"migrate --store STORE --check", "nothing to do"},
		{"merchant create --name Shop --store STORE --keys KEYS --out " + filepath.Join(t.TempDir(), "shop.json"), "Shop"},
		{"merchant list --store STORE --keys KEYS", "Shop"},
		{"verify --store STORE", "0 findings"},
	} {
		var out, problems bytes.Buffer
		args := strings.Fields(strings.NewReplacer("STORE", store, "KEYS", keys).Replace(command.args))
		if code := run(t.Context(), args, &out, &problems); code != exitOK || !strings.Contains(out.String(), command.want) {
			t.Fatalf("%s: exit %d: %s%s", command.args, code, &out, &problems)
		}
	}
}

// A live store in a database has no keys but those it is given.
func TestLiveOnPostgresWantsKeys(t *testing.T) {
	var out, problems bytes.Buffer
	code := run(t.Context(), []string{"serve", "--store", "postgres://capstan:sesame@db.invalid/capstan"}, &out, &problems)
	if code != exitUsage || !strings.Contains(problems.String(), "--keys") || strings.Contains(problems.String(), "sesame") {
		t.Errorf("exit %d: %s", code, &problems)
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	for store, want := range map[string]string{
		"capstan.db":                        "capstan.db",
		"postgres://capstan@db/capstan":     "postgres://capstan@db/capstan",
		"postgres://capstan:sesame@db/x":    "postgres://capstan:xxxxx@db/x",
		"postgres://db/x?password=sesame":   "postgres://db/x?password=xxxxx",
		"postgres://capstan:se%same@db:1/x": "postgres://...",
	} {
		if got := shown(store); got != want {
			t.Errorf("%s is shown as %s, want %s", store, got, want)
		}
	}
}
