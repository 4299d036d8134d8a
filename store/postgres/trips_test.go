package postgres_test

import (
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/postgres"
)

// A batch is two round trips, whatever its size: one that loads, and one that
// writes and commits.
func TestABatchIsTwoRoundTrips(t *testing.T) {
	address, trips := counted(t, pgtest.StoreURL(t))
	s := pgtest.OpenAt(t, address, func(o *postgres.Options) { o.Batches = 1 })
	next := payment.ID(0)
	write := func(size int) error {
		held := ledger.Account{Merchant: 1, Kind: ledger.Held, Currency: "USD"}
		source := ledger.Account{Merchant: 1, Kind: ledger.Acquirer, Currency: "USD"}
		var touched store.Touched
		var changes []store.Change
		for range size {
			next++
			key := payment.NewKey(1, "test", next.String())
			touched.Keys = append(touched.Keys, store.Ref[payment.Key]{Tenant: 1, Name: key})
			changes = append(changes, store.Change{
				Record:  store.Record{Key: key, Tenant: 1, Payment: next, Version: 1, At: noon},
				Payment: &payment.Payment{ID: next, Tenant: 1, Merchant: 1, Version: 1},
				Events:  []payment.Event{{Kind: payment.HoldAuthorized, At: noon, Amount: 5}}, Entries: []ledger.Entry{ledger.Move(5, source, held)},
				Timers: []payment.Timer{{Due: noon, Kind: payment.DeadlineTimer, Tenant: 1, Merchant: 1, Payment: next}},
			})
		}
		b, err := s.Begin(ctx, touched)
		if err != nil {
			return err
		}
		defer b.Rollback()
		return b.Commit(ctx, changes)
	}
	check(t, write(1)) // the accounts have their numbers now, the statements are prepared
	for _, size := range []int{1, 16, 256, 1000} {
		least := int64(1 << 62)
		for range 5 { // signs of life come between
			before := trips.Load()
			check(t, write(size))
			least = min(least, trips.Load()-before)
		}
		if least != 2 {
			t.Errorf("a batch of %d was %d round trips", size, least)
		}
	}
}

// counted returns a connection string that leads to the same database, and how
// often anybody has waited for an answer of it.
func counted(t *testing.T, address string) (string, *atomic.Int64) {
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
	trips := &atomic.Int64{}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go relay(client, network, server, trips)
		}
	}()
	query.Del("host")
	query.Set("sslmode", "disable")
	u.Host, u.RawQuery = listener.Addr().String(), query.Encode()
	return u.String(), trips
}

// relay carries bytes both ways. What a client sends after it was answered
// begins a round trip.
func relay(client net.Conn, network, server string, trips *atomic.Int64) {
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
	buf := make([]byte, 1<<16)
	for {
		n, err := client.Read(buf)
		if n > 0 {
			if asked.CompareAndSwap(false, true) {
				trips.Add(1)
			}
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
