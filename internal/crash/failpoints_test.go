package crash

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/peer"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/postgres"
	"github.com/capstan-pay/capstan/store/sqlite"
)

var times = flag.Int("times", 1, "at how many of its passages a failpoint kills")

// failpoints lists the places in the code at which a process may die.
func failpoints(t *testing.T) []string {
	t.Helper()
	names := map[string]string{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "failpoint.Reach(") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || f.Sel.Name != "Reach" || len(call.Args) != 1 {
				return true
			}
			if of, ok := f.X.(*ast.Ident); !ok || of.Name != "failpoint" {
				return true
			}
			literal, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				t.Errorf("%s: a failpoint without a name", path)
				return true
			}
			name, _ := strconv.Unquote(literal.Value)
			if names[name] != "" {
				t.Errorf("failpoint %s is in %s and in %s", name, names[name], path)
			}
			names[name] = path
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(names))
}

// TestFailpoints: a server that dies at any of the places between which
// something becomes durable, in any dialect, leaves nothing that its clients,
// its books and its processor's journal could differ about.
func TestFailpoints(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, which the race detector does not see")
	}
	program := build(t, "-tags", "failpoints")
	points := failpoints(t)
	if len(points) < 10 {
		t.Fatalf("only %d failpoints: %v", len(points), points)
	}
	var mu sync.Mutex
	reached := map[string]int{}
	t.Run("each", func(t *testing.T) {
		for i, point := range points {
			for j, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
				if *times == 1 && strings.HasPrefix(point, "postgres.") && i%4 != j {
					continue // whoever takes over waits for a lease: the short form has one dialect after the other
				}
				for _, n := range passages(point) {
					t.Run(fmt.Sprintf("%s/%s/%d", point, dialect, n), func(t *testing.T) {
						t.Parallel()
						v := &victim{T: t, program: program, point: fmt.Sprintf("%s:%d", point, n), dialect: dialect}
						if v.store = filepath.Join(t.TempDir(), "capstan.db"); strings.HasPrefix(point, "postgres.") {
							v.store = pgtest.URL(t)
						}
						if v.play() {
							mu.Lock()
							reached[point]++
							mu.Unlock()
						}
					})
				}
			}
		}
	})
	for _, point := range points {
		t.Logf("%-24s died %d times", point, reached[point])
		if reached[point] == 0 {
			t.Errorf("nobody ever died at %s", point)
		}
	}
}

// passages are those of a failpoint at which the server is killed. Before it is
// ready it commits some fifteen times: it may die then, too.
func passages(point string) (all []int) {
	first, apart := 1, 1
	switch {
	case strings.Contains(point, ".migrate."): // there is one
		return []int{1}
	case strings.HasPrefix(point, "sqlite."), strings.HasPrefix(point, "postgres.change."):
		all, first, apart = append(all, 4), 18, 3
	case point == "postgres.trip.sent": // the first loads a batch, the second commits it
		first = 2
	}
	for n := range *times {
		all = append(all, first+n*apart)
	}
	return all
}

// openReadOnly opens the store at an address, of whatever kind.
func openReadOnly(ctx context.Context, address string) (store.Store, error) {
	if strings.HasPrefix(address, "postgres:") {
		return postgres.OpenReadOnly(ctx, address)
	}
	return sqlite.OpenReadOnly(ctx, address)
}

// victim is a server that is to die at a failpoint, and what its client knows.
type victim struct {
	*testing.T
	program, point, dialect string
	peer                    *peer.Peer
	store                   string
	endpoint                string // of the merchant, for notifications
}

// play lets a client authorize and capture, while answers are lost, until the
// server dies; starts it again, lets the client repeat what he was not told of,
// and compares. It reports whether it died.
func (v *victim) play() (died bool) {
	v.peer = peer.Run(v)
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer endpoint.Close()
	v.endpoint = endpoint.URL
	s, h := launch(v.T, v.program, v.store, env("CAPSTAN_FAILPOINT="+v.point), args("--processor", "card="+v.peer.URL)), &hold{dialect: v.dialect}
	if s == nil {
		died = true
	} else {
		died = v.begin(s, h)
	}
	s = start(v.T, v.program, v.store, args("--processor", "card="+v.peer.URL))
	client, err := drive.New(v.dialect, s.Credentials)
	if err != nil {
		v.Fatal(err)
	}
	v.finish(s, client, h)
	stopping, cancelStop := context.WithTimeout(v.Context(), 10*time.Second)
	defer cancelStop()
	if err := s.stop(stopping); err != nil {
		v.Errorf("SIGTERM: %v", err)
	}
	st, err := openReadOnly(v.Context(), v.store)
	if err != nil {
		v.Fatal(err)
	}
	defer st.Close()
	for _, wrong := range peer.Agree(v.T, st, v.peer.Effects(v.T)) {
		v.Error(wrong)
	}
	return died
}

// begin is what happens until the server dies, or is killed in the end.
func (v *victim) begin(s *server, h *hold) (died bool) {
	ctx, cancel := context.WithTimeout(v.Context(), 20*time.Second)
	defer cancel()
	outcomes(v.T, s, v.peer, v.dialect)
	client, err := drive.New(v.dialect, s.Credentials)
	if err != nil {
		v.Fatal(err)
	}
	v.steps(ctx, s, client, h)
	select {
	case <-s.ended:
		return true
	case <-time.After(100 * time.Millisecond):
		s.kill()
		return false
	}
}

// steps is what the client does while the server lives. Once it is dead all
// calls fail.
func (v *victim) steps(ctx context.Context, s *server, client drive.Client, h *hold) {
	r, err := client.Authorize(ctx, held, "lost") // its answer is lost
	if err != nil || s.advance(10*time.Second) != nil {
		return
	}
	if r, err = client.Authorize(ctx, held, "a"); err != nil || r.ID == "" {
		return
	}
	h.id = r.ID
	if v.dialect == "begateway" && v.notified(ctx, s) != nil {
		return
	}
	c := &capture{key: "c", amount: held, last: true}
	h.captures = append(h.captures, c)
	if r, err = client.Capture(ctx, h.id, c.amount, c.key, c.last); err == nil {
		c.verdict = r.Verdict
	}
	_ = s.advance(10 * time.Second)
	_ = s.advance(31 * 24 * time.Hour)
}

// finish repeats what the client was not told of, until he is.
func (v *victim) finish(s *server, client drive.Client, h *hold) {
	advance := func() {
		if err := s.advance(time.Minute); err != nil {
			v.Fatal(err)
		}
	}
	advance()
	if h.id == "" && v.dialect != "begateway" { // which has no keys: a repeat is another hold
		r, err := client.Authorize(v.Context(), held, "a")
		if err != nil {
			v.Fatal(err)
		}
		if r.Verdict == drive.Unknown || r.Verdict == drive.InProcess {
			advance()
			if r, err = client.Authorize(v.Context(), held, "a"); err != nil {
				v.Fatal(err)
			}
		}
		if r.Verdict == drive.Unknown || r.Verdict == drive.InProcess {
			v.Errorf("a minute later the authorization is %s: %s", r.Verdict, r.Answer)
		}
		if r.Verdict == drive.Done || r.Verdict == drive.Replayed {
			h.id = r.ID
		}
	}
	if h.id == "" {
		return
	}
	var want int64
	if len(h.captures) > 0 && h.captures[0].verdict == drive.Done {
		want = held
	}
	got := captured(v.T, s.Credentials, h)
	if got < want || got != 0 && got != held {
		v.Fatalf("%d captured, the client knows of %d", got, want)
	}
	if len(h.captures) == 0 || got == held && v.dialect == "begateway" {
		return
	}
	r, err := client.Capture(v.Context(), h.id, held, h.captures[0].key, true)
	if err != nil {
		v.Fatal(err)
	}
	if r.Verdict == drive.Unknown || r.Verdict == drive.InProcess {
		advance()
		if r, err = client.Capture(v.Context(), h.id, held, h.captures[0].key, true); err != nil {
			v.Fatal(err)
		}
	}
	advance()
	if after := captured(v.T, s.Credentials, h); after != got && after != held || (r.Verdict == drive.Done || r.Verdict == drive.Replayed) && after != held {
		v.Errorf("the repeat is %s %s, and %d are captured", r.Verdict, r.Code, after)
	}
}

// notified asks for an authorization of which the merchant is told.
func (v *victim) notified(ctx context.Context, s *server) error {
	var shop struct {
		ID  string `json:"shop_id"`
		Key string `json:"secret_key"`
	}
	if err := json.Unmarshal(s.Credentials.Begateway, &shop); err != nil {
		v.Fatal(err)
	}
	body := fmt.Sprintf(`{"request":{"amount":100,"currency":"USD","description":"Test","duplicate_check":false,"test":true,"notification_url":%q,
		"credit_card":{"number":"4200000000000000","verification_value":"123","holder":"Jane Doe","exp_month":"12","exp_year":"2040"}}}`, v.endpoint)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Credentials.BaseURL+"/transactions/authorizations", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.SetBasicAuth(shop.ID, shop.Key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// outcomes has the next answers lost, so that every way of asking again is
// gone: of the first authorization, which is sealed, and of the capture.
func outcomes(t *testing.T, s *server, p *peer.Peer, dialect string) {
	if dialect != "alipay" {
		p.Expect(t, "authorize", "timeout", 0, 1)
		p.Expect(t, "capture", "error", 0, 1)
		return
	}
	// Its payers have wallets, which no processor far away knows; the sandbox
	// takes the same way for them when it is told to.
	for _, body := range []string{`{"operation":"authorize","outcome":"timeout"}`, `{"operation":"capture","outcome":"timeout"}`} {
		response, err := http.Post(s.Credentials.BaseURL+"/_sandbox/processor", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
}
