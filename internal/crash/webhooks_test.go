package crash

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/sqlite"
)

// listener is an endpoint in a bad mood: it fails, redirects, hangs, closes
// early and forgets to answer, until it is told to be good. It keeps what it
// got by the transaction's uid.
type listener struct {
	t *testing.T
	*httptest.Server
	key *rsa.PublicKey

	mu     sync.Mutex
	random *rand.Rand
	good   bool
	bodies map[string][]byte // the first body of each uid and status
	thanks map[string]int    // how often a uid was acknowledged
	total  int
}

func newListener(t *testing.T, publicKey string) *listener {
	der, err := base64.StdEncoding.DecodeString(publicKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t, key: key.(*rsa.PublicKey), random: rand.New(rand.NewPCG(*seed, 3)), bodies: map[string][]byte{}, thanks: map[string]int{}}
	l.Server = httptest.NewServer(l)
	t.Cleanup(func() {
		l.CloseClientConnections()
		l.Close()
	})
	return l
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed
	}
	var sent struct{ Transaction struct{ UID, Status string } }
	signed, _ := base64.StdEncoding.DecodeString(r.Header.Get("Content-Signature"))
	sum := sha256.Sum256(body)
	if json.Unmarshal(body, &sent) != nil || sent.Transaction.UID == "" || rsa.VerifyPKCS1v15(l.key, crypto.SHA256, sum[:], signed) != nil {
		l.t.Errorf("not a notification: %s", body)
		return
	}
	uid := sent.Transaction.UID
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	if first, known := l.bodies[uid]; known && !bytes.Equal(first, body) {
		l.t.Errorf("%s was told in two ways", uid)
	}
	l.bodies[uid] = body
	mood := l.random.IntN(100)
	if l.good || mood < 50 {
		l.thanks[uid]++
		return // 200
	}
	switch {
	case mood < 65:
		w.WriteHeader([]int{201, 400, 404, 500, 503}[mood%5])
	case mood < 75:
		http.Redirect(w, r, l.URL+"/elsewhere", http.StatusTemporaryRedirect)
	case mood < 77:
		l.mu.Unlock()
		<-r.Context().Done()
		l.mu.Lock()
	default:
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		if mood < 88 {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nOK")
		}
		_ = conn.Close()
	}
}

// TestNotificationsSurviveKills: while an endpoint misbehaves in every way and
// the server is killed again and again, whatever happened to a payment is told
// in the end, with the same bytes at every attempt.
func TestNotificationsSurviveKills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, which the race detector does not see")
	}
	program, file := build(t), filepath.Join(t.TempDir(), "capstan.db")
	random := rand.New(rand.NewPCG(*seed, 2))
	s := start(t, program, file)
	var shop struct {
		ShopID    string `json:"shop_id"`
		SecretKey string `json:"secret_key"`
		PublicKey string `json:"public_key"`
	}
	if err := json.Unmarshal(s.Credentials.Begateway, &shop); err != nil {
		t.Fatal(err)
	}
	l := newListener(t, shop.PublicKey)
	var mu sync.Mutex
	promised := map[string]bool{} // uids that clients were told of
	ask := func(ctx context.Context, path, request string) (uid string) {
		call, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Credentials.BaseURL+"/transactions/"+path, bytes.NewReader([]byte(`{"request":`+request+`}`)))
		if err != nil {
			return ""
		}
		call.SetBasicAuth(shop.ShopID, shop.SecretKey)
		response, err := http.DefaultClient.Do(call)
		if err != nil {
			return ""
		}
		defer response.Body.Close()
		var answer struct{ Transaction struct{ UID string } }
		if json.NewDecoder(response.Body).Decode(&answer) != nil || answer.Transaction.UID == "" {
			return ""
		}
		mu.Lock()
		promised[answer.Transaction.UID] = true
		mu.Unlock()
		return answer.Transaction.UID
	}
	for round := range *rounds {
		ctx, cancel := context.WithCancel(t.Context())
		var workers sync.WaitGroup
		for w := range 3 {
			workers.Go(func() {
				for n := 0; ctx.Err() == nil && n < 15; n++ {
					url := fmt.Sprintf("%s/endpoint/%d?order=%d-%d", l.URL, w, round, n)
					uid := ask(ctx, "authorizations", fmt.Sprintf(`{"amount":2000,"currency":"USD","description":"Test","duplicate_check":false,"test":true,"notification_url":%q,
						"credit_card":{"number":"4200000000000000","verification_value":"123","holder":"Jane Doe","exp_month":"12","exp_year":"2040"}}`, url))
					if uid == "" {
						return
					}
					ask(ctx, "captures", fmt.Sprintf(`{"parent_uid":%q,"amount":500,"notification_url":%q}`, uid, url))
				}
			})
		}
		if round%3 == 0 { // some die while the clock is moved, and so retries fall due
			workers.Go(func() { _ = s.advance(time.Duration(30+random.IntN(120)) * time.Second) })
		}
		time.Sleep(time.Duration(random.IntN(250)) * time.Millisecond)
		s.kill()
		cancel()
		workers.Wait()
		s = start(t, program, file)
	}

	l.mu.Lock()
	l.good = true
	l.mu.Unlock()
	if err := s.advance(72 * time.Hour); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.stop(ctx); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	again := 0
	for uid := range promised {
		if l.thanks[uid] == 0 {
			t.Errorf("%s was never told", uid)
		}
	}
	for _, n := range l.thanks {
		again += n - 1
	}
	transactions, attempts := allTold(t, file)
	if transactions != len(l.thanks) {
		t.Errorf("%d transactions in the store, %d were told", transactions, len(l.thanks))
	}
	t.Logf("%d kills, %d transactions of which %d were acknowledged to clients, %d messages, %d attempts recorded, %d acknowledged more than once",
		*rounds, transactions, len(promised), l.total, attempts, again)
	if l.total <= transactions {
		t.Error("nothing was ever repeated: the endpoint proved nothing")
	}
	if out, err := exec.Command(program, "verify", "--store", file).CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// allTold wants a delivered notice of every hold and capture in a store, and
// counts them and the attempts.
func allTold(t *testing.T, file string) (transactions, attempts int) {
	t.Helper()
	st, err := sqlite.OpenReadOnly(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	told := map[outbox.NoticeID]bool{}
	err = st.Audit(t.Context(), func(view store.Audit) error {
		err := view.Notices(func(n outbox.Notice, _ int) error {
			for _, d := range n.Deliveries {
				if d.State != outbox.Delivered {
					t.Errorf("payment %s version %d: a delivery is %s after %d attempts", n.Payment, n.Version, d.State, d.Attempts)
				}
			}
			told[n.NoticeID] = true
			return nil
		})
		if err != nil {
			return err
		}
		if err := view.Attempts(func(outbox.Attempt) error { attempts++; return nil }); err != nil {
			return err
		}
		return view.Events(func(id payment.ID, version int, e payment.Event) error {
			if e.Kind != payment.HoldAuthorized && e.Kind != payment.HoldCaptured {
				return nil
			}
			transactions++
			if !told[outbox.NoticeID{Payment: id, Version: version, Dialect: "begateway"}] {
				t.Errorf("payment %s: %s was not noticed", id, e.Kind)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return transactions, attempts
}
