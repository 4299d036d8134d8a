package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/move"
)

// ends runs a command line, and returns what it wrote: its
// problems when it is meant to fail.
func ends(t *testing.T, want int, args ...string) (out string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), args, &stdout, &stderr); code != want {
		t.Fatalf("%s: exit %d, not %d: %s%s", strings.Join(args, " "), code, want, &stdout, &stderr)
	}
	if want == exitOK {
		return stdout.String()
	}
	return stderr.String()
}

// toIntents sends a form to the intents dialect, or reads without one.
func toIntents(t *testing.T, s served, path, key string, form url.Values) string {
	t.Helper()
	method, body := http.MethodGet, strings.NewReader("")
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.BaseURL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	var intents struct {
		Secret string `json:"secret_key"`
	}
	if err := json.Unmarshal(s.Intents, &intents); err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(intents.Secret, "")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	_, _ = text.ReadFrom(answer.Body)
	return fmt.Sprintf("%d %s", answer.StatusCode, &text)
}

// open are holds that were not captured yet, by dialect.
type open map[string]string

// busy serves a store and leaves something of everything in it.
func busy(t *testing.T, store string) open {
	t.Helper()
	nobody := "http://127.0.0.1:9/" // where nobody listens
	s := serve(t, store)
	put(t, s.BaseURL+"/_sandbox/risk", `{"limits":[{"currency":"USD","max":1000000,"volume":100000000,"count":1000}],"lists":{},"rules":[]}`)
	if got := toIntents(t, s, "/v1/webhook_endpoints", "", url.Values{"url": {nobody}, "enabled_events[]": {"*"}}); !strings.HasPrefix(got, "200") {
		t.Fatal(got)
	}
	holds := open{}
	for _, dialect := range capstanDialects {
		client, err := drive.New(dialect, s.Credentials)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 4 {
			held, err := client.Authorize(t.Context(), 2000, fmt.Sprintf("hold-%s-%d", dialect, n))
			if err != nil || held.Verdict != drive.Done {
				t.Fatalf("%s: hold: %s %s, %v", dialect, held.Verdict, held.Code, err)
			}
			if n == 0 {
				holds[dialect] = held.ID
				continue
			}
			if n == 1 { // nobody says what has become of it
				control(t, s.BaseURL, "/_sandbox/processor", `{"operation":"capture","outcome":"timeout"}`)
			}
			if r, err := client.Capture(t.Context(), held.ID, 700, fmt.Sprintf("capture-%s-%d", dialect, n), false); err != nil {
				t.Fatalf("%s: capture: %s, %v", dialect, r.Answer, err)
			}
		}
	}
	control(t, s.BaseURL, "/_sandbox/clock", `{"advance_seconds":7200}`)
	if code, problems := s.stop(); code != exitOK {
		t.Fatalf("exit %d: %s", code, problems)
	}
	return holds
}

var capstanDialects = []string{"alipay", "wepay", "intents", "begateway"}

func put(t *testing.T, address, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", address, answer.Status)
	}
}

// A store is moved to PostgreSQL and back: everything is there, the same
// credentials open it, a request repeated has the answer it had, what was held
// can be captured, and nobody serves what was left behind.
func TestMove(t *testing.T) {
	dir := t.TempDir()
	file, back, database := filepath.Join(dir, "capstan.db"), filepath.Join(dir, "back.db"), pgtest.URL(t)
	holds := busy(t, file)
	ends(t, exitOK, "merchant", "create", "--name", "Second", "--store", file, "--out", filepath.Join(dir, "second.json"))
	before := ends(t, exitOK, "verify", "--store", file, "--json")

	var there moved
	out := ends(t, exitOK, "move", "--from", file, "--to", database, "--json")
	if err := json.Unmarshal([]byte(out), &there); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, d := range there.Digests {
		if d.Items == 0 {
			t.Errorf("there were no %s: the test proves nothing of them", d.What)
		}
	}
	if after := ends(t, exitOK, "verify", "--store", database, "--json"); after != before {
		t.Errorf("verify says\n%safterwards, not\n%s", after, before)
	}
	for _, refused := range [][]string{
		{"serve", "--sandbox", "--store", file, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"},
		{"merchant", "create", "--name", "Third", "--store", file},
		{"move", "--from", file, "--to", filepath.Join(dir, "again.db")},
		{"move", "--from", file, "--abandon"},
	} {
		if out := ends(t, exitFailed, refused...); !strings.Contains(out, "was moved") {
			t.Errorf("%v: %s", refused, out)
		}
	}

	served := serve(t, database, "--keys", file+".keys")
	for dialect, id := range holds {
		client, err := drive.New(dialect, served.Credentials)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := client.Authorize(t.Context(), 2000, "hold-"+dialect+"-0"); dialect != "begateway" && (err != nil || r.ID != id) {
			t.Errorf("%s: the hold again is %s, not %s: %v", dialect, r.ID, id, err)
		}
		if r, err := client.Capture(t.Context(), id, 700, "late-"+dialect, false); err != nil || r.Verdict != drive.Done {
			t.Errorf("%s: what was held before the move: %s %s, %v", dialect, r.Verdict, r.Code, err)
		}
	}
	if code, problems := served.stop(); code != exitOK {
		t.Fatalf("exit %d: %s", code, problems)
	}

	before = ends(t, exitOK, "verify", "--store", database, "--json")
	out = ends(t, exitOK, "move", "--from", database, "--to", back, "--keys", file+".keys")
	if !strings.Contains(out, "0 findings") {
		t.Errorf("move says %s", out)
	}
	if after := ends(t, exitOK, "verify", "--store", back, "--json"); after != before {
		t.Errorf("back in a file verify says\n%snot\n%s", after, before)
	}
	served = serve(t, back)
	client, err := drive.New("alipay", served.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := client.Authorize(t.Context(), 2000, "hold-after"); err != nil || r.Verdict != drive.Done {
		t.Errorf("a new hold, back in a file: %s %s, %v", r.Verdict, r.Code, err)
	}
	served.stop()
	ends(t, exitOK, "verify", "--store", back)
}

// What cannot be moved is refused, and nothing is changed by that.
func TestMoveRefuses(t *testing.T) {
	dir := t.TempDir()
	file, database := filepath.Join(dir, "capstan.db"), pgtest.URL(t)
	s := serve(t, file)
	if out := ends(t, exitFailed, "move", "--from", file, "--to", database); !strings.Contains(out, "another process has it open") {
		t.Errorf("a store that is served: %s", out)
	}
	s.stop()
	onDatabase := serve(t, database)
	if out := ends(t, exitFailed, "move", "--from", database, "--to", filepath.Join(dir, "x.db")); !strings.Contains(out, move.ErrInUse.Error()) {
		t.Errorf("a database that is served: %s", out)
	}
	r, err := drive.New("wepay", onDatabase.Credentials) // it goes on
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Authorize(t.Context(), 2000, "k"); err != nil || got.Verdict != drive.Done {
		t.Errorf("beside a move that was refused: %s %v", got.Verdict, err)
	}
	onDatabase.stop()
	if out := ends(t, exitFailed, "move", "--from", file, "--to", database); !strings.Contains(out, move.ErrNotEmpty.Error()) {
		t.Errorf("a target that is not empty: %s", out)
	}
	if out := ends(t, exitFailed, "move", "--from", filepath.Join(dir, "none.db"), "--to", database); !strings.Contains(out, "there is no store") {
		t.Errorf("no source: %s", out)
	}
	other := filepath.Join(dir, "other.json")
	ends(t, exitOK, "merchant", "create", "--name", "Elsewhere", "--store", filepath.Join(dir, "live.db"), "--keys", other, "--out", filepath.Join(dir, "elsewhere.json"))
	if out := ends(t, exitFailed, "move", "--from", file, "--to", filepath.Join(dir, "y.db"), "--keys", other); !strings.Contains(out, "does not open") {
		t.Errorf("the wrong keys: %s", out)
	}
	ends(t, exitUsage, "move", "--from", file)
	ends(t, exitUsage, "move", "--from", file, "--to", file)

	// A move that cannot end keeps both from being served until it is given up.
	ends(t, exitFailed, "move", "--from", file, "--to", database)
	serve(t, file).stop() // what was refused has left no mark
	if _, err := os.Stat(filepath.Join(dir, "y.db")); err == nil {
		t.Error("a target was made for nothing")
	}
}

func TestBar(t *testing.T) {
	var lines, drawn bytes.Buffer
	b := &bar{out: &lines}
	for _, p := range []move.Progress{{What: "payments", Rows: 0, Total: 10}, {What: "payments", Rows: 5, Total: 10}, {What: "acts", Rows: 10, Total: 10}} {
		b.show(p)
		(&bar{out: &drawn, redraws: true}).show(p)
	}
	want := []string{
		"[..............................]   0 %  0 of 10 rows: payments",
		"[###############...............]  50 %  5 of 10 rows: payments",
		"[##############################] 100 %  10 of 10 rows: acts", "",
	}
	if got := strings.Split(lines.String(), "\n"); !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if slices.Contains(drawn.Bytes(), '\n') {
		t.Errorf("%q", &drawn)
	}
}

// What is moved to PostgreSQL and back is, row for row, what it was: of every
// table there is, but for the numbers that a store gives for itself alone.
func TestMoveThereAndBack(t *testing.T) {
	dir := t.TempDir()
	file, back, database := filepath.Join(dir, "capstan.db"), filepath.Join(dir, "back.db"), pgtest.URL(t)
	busy(t, file)
	ends(t, exitOK, "move", "--from", file, "--to", database)
	ends(t, exitOK, "move", "--from", database, "--to", back, "--keys", file+".keys")
	was, is := tables(t, file), tables(t, back)
	if len(was) < 15 || len(is) != len(was) {
		t.Errorf("%d tables, %d after", len(was), len(is))
	}
	for name, rows := range was {
		if !slices.Equal(rows, is[name]) {
			t.Errorf("%s: %d rows, %d after; the first that differ are\n%s", name, len(rows), len(is[name]), different(rows, is[name]))
		}
	}
}

// ownNumbers are columns that a store fills as it likes.
var ownNumbers = map[string][]string{"events": {"id", "previous", "checksum"}, "states": {"last_event"}, "entries": {"id"}, "records": {"id"}}

// tables reads all tables of a file.
func tables(t *testing.T, file string) map[string][]string {
	t.Helper()
	conn, err := sqlite.OpenConn(file, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	texts := func(query string, arguments ...any) (all []string) {
		t.Helper()
		err := sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: arguments, ResultFunc: func(row *sqlite.Stmt) error {
			all = append(all, row.ColumnText(0))
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	found := map[string][]string{}
	for _, table := range texts(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`) {
		var columns []string
		for _, column := range texts(`SELECT name FROM pragma_table_info(?)`, table) {
			if !slices.Contains(ownNumbers[table], column) {
				columns = append(columns, "quote("+column+")")
			}
		}
		rows := texts(`SELECT ` + strings.Join(columns, " || ' ' || ") + ` FROM ` + table)
		slices.Sort(rows)
		found[table] = slices.DeleteFunc(rows, func(row string) bool { return table == "meta" && strings.HasPrefix(row, "'"+move.MetaName+"'") })
	}
	return found
}

// different returns the first rows that one has and the other has not.
func different(a, b []string) string {
	var only []string
	for _, pair := range [][2][]string{{a, b}, {b, a}} {
		for _, row := range pair[0] {
			if !slices.Contains(pair[1], row) {
				only = append(only, fmt.Sprintf("%.200s", row))
				break
			}
		}
	}
	return strings.Join(only, "\n")
}
