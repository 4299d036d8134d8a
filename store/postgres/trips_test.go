package postgres_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/postgres"
	"github.com/capstan-pay/capstan/wallet"
)

// A batch is two round trips, whatever its size: one that loads, and one that
// writes and commits; and one more for each kind of thing that not every batch
// has. It is so many statements, for every 256 rows.
func TestABatchIsTwoRoundTrips(t *testing.T) {
	address, sent := counted(t, pgtest.StoreURL(t))
	s := pgtest.OpenAt(t, address, func(o *postgres.Options) { o.Batches = 1 })
	held := ledger.Account{Merchant: 1, Kind: ledger.Held, Currency: "USD"}
	source := ledger.Account{Merchant: 1, Kind: ledger.Acquirer, Currency: "USD"}
	const most = 1000
	u := wallet.User{Tenant: 1}
	check(t, s.CreateUser(ctx, 1, &u, []wallet.Balance{{Currency: "USD", Available: 1 << 40}}, noon))
	purse := ledger.Account{Merchant: 1, Kind: ledger.Wallet, Holder: u.ID, Currency: "USD"}

	asked := &payment.Intake{Dialect: "test", Currency: "USD", Amount: 5, Method: payment.Method{Kind: payment.CardMethod}}

	next := payment.ID(0)
	first := func(from ledger.Account) store.Change { // of a payment
		next++
		key := payment.NewKey(1, "test", next.String())
		return store.Change{
			Record:  store.Record{Key: key, Tenant: 1, Payment: next, Version: 1, At: noon},
			Payment: &payment.Payment{ID: next, Tenant: 1, Merchant: 1, Version: 1},
			Events:  []payment.Event{{Kind: payment.PaymentCreated, At: noon, Intake: asked}}, Entries: []ledger.Entry{ledger.Move(5, from, held)},
			Timers: []payment.Timer{{Due: noon, Kind: payment.DeadlineTimer, Tenant: 1, Merchant: 1, Payment: next}},
		}
	}
	versions, filed := map[payment.ID]int{}, map[int]int{}
	for _, kind := range []struct {
		name              string
		trips, statements int64 // of a batch of one
		load              func(b store.Batch, size int) error
		change            func(n int) store.Change
	}{
		{"new payments", 2, 10, nil, func(int) store.Change { return first(source) }},
		{"payments that are there", 2, 12, nil, func(n int) store.Change {
			id := payment.ID(n + 1)
			version := max(versions[id], 1) + 1
			versions[id] = version
			c := store.Change{
				Record:  store.Record{Key: payment.NewKey(1, "again", fmt.Sprint(id, version)), Tenant: 1, Payment: id, Version: version, At: noon},
				Payment: &payment.Payment{ID: id, Tenant: 1, Merchant: 1, Version: version},
				Events:  []payment.Event{{Kind: payment.PaymentRevised, At: noon, Intake: asked}}, Entries: []ledger.Entry{ledger.Move(5, source, held)},
				Timers: []payment.Timer{{Due: noon, Kind: payment.ProcessorTimer, Tenant: 1, Merchant: 1, Payment: id, Operation: version}},
			}
			if version > 2 {
				c.Done = []payment.Timer{{Due: noon, Kind: payment.ProcessorTimer, Tenant: 1, Merchant: 1, Payment: id, Operation: version - 1}}
			}
			return c
		}},
		{"wallets", 3, 14, func(b store.Batch, size int) error {
			var of []store.PayerRef
			for i := range size {
				of = append(of, store.PayerRef{Tenant: 1, User: u.ID + int64(i), Currency: "USD"})
			}
			_, err := b.Payers(ctx, noon, of)
			return err
		}, func(int) store.Change { return first(purse) }},
		{"counters", 3, 12, func(b store.Batch, size int) error {
			var of []store.Ref[string]
			for i := range size {
				of = append(of, store.Ref[string]{Tenant: 1, Name: fmt.Sprint(i)})
			}
			_, err := b.Counters(ctx, of)
			return err
		}, func(n int) store.Change {
			c := first(source)
			c.Counters = []store.Counter{{Tenant: 1, Name: fmt.Sprint(n), Expires: noon}}
			return c
		}},
		{"documents", 3, 12, nil, func(n int) store.Change {
			c := first(source)
			c.Documents = []document.Document{{
				Name:    document.Name{Tenant: 1, Merchant: 1, Dialect: "test", Kind: "k", ID: fmt.Sprint(n)},
				Version: filed[n], CreatedAt: noon, UpdatedAt: noon,
			}}
			filed[n]++
			return c
		}},
		{"notices", 3, 13, nil, func(int) store.Change {
			c := first(source)
			id := outbox.NoticeID{Payment: c.Payment.ID, Version: 1, Dialect: "test"}
			notice := outbox.Notice{NoticeID: id, Tenant: 1, Merchant: 1, Topic: "t", At: noon, Ordered: true, Deliveries: outbox.Deliver("e")}
			d := &notice.Deliveries[0]
			d.NoticeID, d.Tenant, d.Merchant, d.State, d.Due, d.Ordered = id, 1, 1, outbox.Waiting, noon, true
			c.Notices = []outbox.Notice{notice}
			return c
		}},
	} {
		write := func(size int) error {
			var touched store.Touched
			var changes []store.Change
			for n := range size {
				c := kind.change(n)
				touched.Keys = append(touched.Keys, store.Ref[payment.Key]{Tenant: 1, Name: c.Record.Key})
				if c.Payment.Version > 1 {
					touched.Payments = append(touched.Payments, store.Ref[payment.ID]{Tenant: 1, Name: c.Payment.ID})
				}
				changes = append(changes, c)
			}
			b, err := s.Begin(ctx, touched)
			if err != nil {
				return err
			}
			defer b.Rollback()
			if kind.load != nil {
				if err := kind.load(b, size); err != nil {
					return err
				}
			}
			return b.Commit(ctx, changes)
		}
		check(t, write(most)) // the accounts have their numbers now, the statements are prepared
		for _, size := range []int{1, 64, 256, most} {
			trips, statements := int64(1<<62), int64(1<<62)
			for try := 0; try < 5 || try < 40 && trips > kind.trips; try++ { // signs of life come between
				before, were := sent.trips.Load(), sent.statements.Load()
				check(t, write(size))
				trips, statements = min(trips, sent.trips.Load()-before), min(statements, sent.statements.Load()-were)
			}
			pieces := int64(size+255) / 256
			if trips != kind.trips || statements > kind.statements*pieces {
				t.Errorf("%s: a batch of %d was %d round trips and %d statements", kind.name, size, trips, statements)
			}
		}
	}
}

// traffic is what was sent to the database: statements that were executed, and
// how often anybody has waited for an answer.
type traffic struct{ trips, statements atomic.Int64 }

// watch counts the statements in what a client sends: messages of a type, a
// length and a body, after a first one without a type.
type watch struct {
	header []byte
	left   int // of the body
	begun  bool
}

func (w *watch) executed(b []byte) (n int64) {
	for len(b) > 0 {
		if w.left > 0 {
			skip := min(w.left, len(b))
			w.left, b = w.left-skip, b[skip:]
			continue
		}
		w.header, b = append(w.header, b[0]), b[1:]
		size := w.header
		if w.begun {
			size = size[1:]
		}
		if len(size) < 4 {
			continue
		}
		if w.begun && (w.header[0] == 'E' || w.header[0] == 'Q') {
			n++
		}
		w.left, w.header, w.begun = int(binary.BigEndian.Uint32(size))-4, w.header[:0], true
	}
	return n
}

// counted returns a connection string that leads to the same database, and what
// is sent there.
func counted(t *testing.T, address string) (string, *traffic) {
	t.Helper()
	u, err := url.Parse(address)
	check(t, err)
	query := u.Query()
	server := filepath.Join(query.Get("host"), ".s.PGSQL.5432")
	if query.Get("host") == "" {
		server = u.Host
	}
	network := "unix"
	if query.Get("host") == "" {
		network = "tcp"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	sent := &traffic{}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go relay(client, network, server, sent)
		}
	}()
	query.Del("host")
	query.Set("sslmode", "disable")
	u.Host, u.RawQuery = listener.Addr().String(), query.Encode()
	return u.String(), sent
}

// relay carries bytes both ways. What a client sends after it was answered
// begins a round trip.
func relay(client net.Conn, network, server string, sent *traffic) {
	defer client.Close()
	database, err := net.Dial(network, server)
	if err != nil {
		return
	}
	defer database.Close()
	var asked atomic.Bool
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := database.Read(buf)
			if n > 0 {
				asked.Store(false)
				if _, err := client.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil {
				_ = client.Close()
				return
			}
		}
	}()
	buf, w := make([]byte, 1<<16), watch{}
	for {
		n, err := client.Read(buf)
		if n > 0 {
			if asked.CompareAndSwap(false, true) {
				sent.trips.Add(1)
			}
			sent.statements.Add(w.executed(buf[:n]))
			if _, err := database.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if err != io.EOF {
				_ = database.Close()
			}
			return
		}
	}
}
