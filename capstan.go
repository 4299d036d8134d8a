// Package capstan assembles a server: it is the only package that knows every
// part.
package capstan

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/capstan-pay/capstan/admission"
	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/dialect/alipay"
	"github.com/capstan-pay/capstan/dialect/begateway"
	"github.com/capstan-pay/capstan/dialect/intents"
	"github.com/capstan-pay/capstan/dialect/wepay"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/move"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/processor/book"
	"github.com/capstan-pay/capstan/processor/cardsim"
	"github.com/capstan-pay/capstan/processor/remote"
	"github.com/capstan-pay/capstan/processor/scripted"
	"github.com/capstan-pay/capstan/receipt"
	"github.com/capstan-pay/capstan/sandbox"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/telemetry"
	"github.com/capstan-pay/capstan/throttle"
	"github.com/capstan-pay/capstan/vault"
	"github.com/capstan-pay/capstan/webhook"
	"github.com/capstan-pay/capstan/wireid"
)

// Dialects lists the names of the dialects, in the order of the routing rule.
func Dialects() []string {
	return []string{alipay.Name, intents.Name, begateway.Name, wepay.Name}
}

// Config says how a server is set up. The zero value of each member but Store
// and Sealing is a sound default.
type Config struct {
	Store   store.Store
	Sealing keyring.Sealing
	Clock   clock.Clock // nil is the machine's, or that of a store that several instances share
	Logger  *slog.Logger

	// Sandbox opens the sandbox controls and the simulated processors. A
	// store is marked sandbox or live when it is first used, and refuses the
	// other.
	Sandbox bool

	Dialects  []string // names; empty is all of them
	PublicURL string   // what receipts and redirects begin with
	BaseURL   string   // where the dialects listen; shown with sandbox credentials. Empty is PublicURL
	AdminURL  string   // shown with sandbox credentials

	// WebhookAllow are addresses to which deliveries may go besides public ones.
	// A sandbox adds those of the machine itself.
	WebhookAllow []netip.Prefix

	// Processors are the URLs of remote processors, by name: a card's brand, such
	// as "visa", or "card" for all cards whose brand has none of its own.
	Processors map[string]string

	Random io.Reader        // nil is crypto/rand
	Keys   *keyring.Keyring // nil opens the store's own
	Fatal  func(error)      // called when the storage failed; the process has to end

	QueueLength int // commands that may wait; 0 is the engine's default
	Admission   Admission

	Version     string             // of the program, for metrics
	LogRequests telemetry.Requests // which requests are logged; the default is those that failed
	Traces      *telemetry.Traces  // nil is none; whoever made it closes it
}

// Server is an assembled server, without a listener. It is an http.Handler.
type Server struct {
	Engine    *engine.Engine
	Store     store.Store
	Keys      *keyring.Keyring
	IDs       *wireid.Codec
	Clock     *clock.Shifted
	Merchants *merchant.Directory
	Dialects  []dialect.Dialect
	Deliverer *webhook.Deliverer
	Logger    *slog.Logger
	Sandbox   bool
	PublicURL string

	base, admin string // URLs, for credentials
	health      health
	watcher     *telemetry.Watcher
	advancing   sync.Mutex
	// Sandboxed are the sandbox controls; nil in live mode.
	Sandboxed *sandbox.Sandbox

	Receipts *receipt.Desk

	known  []dialect.Dialect   // all there are, also those that are not served
	cards  processor.Processor // for brands that have none of their own; nil if nobody takes them
	brands map[string]processor.Processor

	remotes map[string]*remote.Processor // by name

	held atomic.Pointer[held] // payments that are not moved on; nil is none

	reconciling     sync.WaitGroup
	stopReconciling context.CancelFunc

	wallet processor.Processor
	risk   *riskChecks
	script *scripted.Script
	post   *postOffice
	mux    http.Handler

	gate *admission.Gate
	door *admission.Door
	away map[string]prometheus.Counter // by dialect, of requests that were turned away
	date date
}

// ErrMode is returned for a store of the other mode.
var ErrMode = errors.New("the store was created for the other mode")

const (
	metaMode = "mode"
	metaRoot = "root_secret"
)

// New assembles a server on a store and starts its engine. The caller closes
// the server before the store.
func New(ctx context.Context, c Config) (*Server, error) {
	shared, _ := c.Store.(store.Shared)
	number := 0 // of the instance; one with a clock of its own is alone
	if c.Clock == nil {
		c.Clock = clock.System{}
		if shared != nil {
			c.Clock, number = shared, shared.Instance()
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if len(c.Dialects) == 0 {
		c.Dialects = Dialects()
	}
	if err := move.Check(ctx, c.Store); err != nil {
		return nil, err
	}
	if err := markMode(ctx, c.Store, c.Sandbox); err != nil {
		return nil, err
	}
	if c.Keys == nil {
		keys, err := openKeys(ctx, c.Store, c.Sealing)
		if err != nil {
			return nil, err
		}
		c.Keys = keys
	}
	offset, err := c.Store.ClockAhead(ctx)
	if err != nil {
		return nil, err
	}
	shifted := clock.NewShifted(c.Clock, offset)
	s := &Server{
		Store: c.Store, Keys: c.Keys, IDs: wireid.New(c.Keys.Derive("wire ids", 16)), Clock: shifted,
		Merchants: merchant.NewDirectory(c.Store, clock.System{}.Now).By(shifted.Now), Logger: c.Logger, Sandbox: c.Sandbox,
		PublicURL: c.PublicURL, base: cmp.Or(c.BaseURL, c.PublicURL), admin: c.AdminURL,
		wallet: book.Processor{}, script: scripted.NewScript(),
	}
	if c.Sandbox {
		s.cards, s.wallet = s.script.Before(cardsim.Processor{}), s.script.Before(book.Processor{})
	}
	if err := s.addProcessors(c); err != nil {
		return nil, err
	}
	if s.risk, err = newRiskChecks(ctx, s.Merchants, c.Store); err != nil {
		return nil, err
	}
	guard := &webhook.Guard{Allow: c.WebhookAllow}
	if c.Sandbox {
		guard.Allow = append(slices.Clip(guard.Allow), webhook.Loopback()...)
	}
	s.post = &postOffice{
		store: c.Store, merchants: s.Merchants, guard: guard, assembled: make(chan struct{}), known: map[int64]subscription{},
	}
	s.watcher = &telemetry.Watcher{Metrics: telemetry.NewMetrics(c.Version), Logger: c.Logger, Requests: c.LogRequests, Traces: c.Traces}
	watched := engine.Config{
		Store: c.Store, Clock: s.Clock, IDs: payment.NewIDs(number), Step: s.step, Logger: c.Logger, Processor: s.processor,
		Checks:     s.risk.of,
		Subscriber: s.post.subscriber, Noticed: s.post.wake,
		Fatal: c.Fatal, QueueLength: c.QueueLength, Observer: s.watcher.Metrics.Engine,
	}
	if c.Traces != nil {
		watched.Tracer = c.Traces
	}
	if err := s.holdRestored(ctx); err != nil {
		return nil, err
	}
	if s.held.Load() != nil {
		watched.Held = s.isHeld
	}
	s.Engine = engine.New(watched)
	s.watcher.Metrics.Engine.Watch(s.Engine)
	s.watcher.Metrics.Register(telemetry.NewSurvey(c.Store, s.Clock.Now, telemetry.Always{
		Currencies: s.watcher.Metrics.Engine.Currencies, Dialects: Dialects(),
	}, c.Logger))
	if shared != nil {
		shared.Follow(func(ahead time.Duration) {
			s.Clock.Advance(ahead)
			s.Engine.Wake()
		})
	}
	err = s.addDialects(c)
	s.post.dialects = s.known
	close(s.post.assembled)
	if err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	s.Deliverer = webhook.New(webhook.Config{
		Store: c.Store, Clock: s.Clock, Merchants: s.Merchants, Keys: s.Keys,
		Signing: &webhook.SigningKeys{Registry: c.Store, Keys: s.Keys, Clock: s.Clock}, Guard: guard, Logger: c.Logger,
		Notifier: s.post.notifier, Observer: s.watcher.Deliveries(Dialects()), KeepBodies: c.Sandbox,
	})
	s.post.deliverer.Store(s.Deliverer)
	if c.Sandbox {
		s.Sandboxed = s.controls()
	}
	s.newDoor(c.Admission)
	s.mux = s.route()
	loop, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopReconciling = stop
	s.reconciling.Go(func() { s.reconcileLoop(loop) })
	if st, ok := c.Store.(interface{ Failed() <-chan error }); ok {
		s.reconciling.Go(func() { s.endWith(loop, st.Failed(), c.Fatal) })
	}
	return s, nil
}

// ServeHTTP answers a request on the main listener.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Hurry lets nobody wait for a processor any more: a server that is told to
// stop answers with what it knows.
func (s *Server) Hurry() {
	s.health.draining.Store(true)
	s.Engine.Hurry()
}

// Close answers what was taken and stops the engine, and gives deliveries that
// are under way a moment. The store stays open.
func (s *Server) Close(ctx context.Context) error {
	if s.stopReconciling != nil {
		s.stopReconciling()
		s.reconciling.Wait()
	}
	err := s.Engine.Close(ctx)
	if s.Deliverer != nil {
		moment, cancel := context.WithTimeout(ctx, lastDeliveries)
		defer cancel()
		s.Deliverer.Close(moment)
	}
	return err
}

// lastDeliveries is how long a server that stops waits for endpoints to answer.
const lastDeliveries = 2 * time.Second

// Dialect returns a dialect by its name, nil if it is not served.
func (s *Server) Dialect(name string) dialect.Dialect {
	for _, d := range s.Dialects {
		if d.Name() == name {
			return d
		}
	}
	return nil
}

func (s *Server) addDialects(c Config) error {
	s.Receipts = &receipt.Desk{
		Payments: s.Engine, Merchants: s.Merchants, Keys: s.Keys, Logger: c.Logger, PublicURL: s.PublicURL, Sandbox: c.Sandbox, Name: s.nameOf,
	}
	services := dialect.Services{
		Engine: dialect.Watched(s.Engine), Limits: new(throttle.Limiter), Clock: s.Clock, IDs: s.IDs, Keys: s.Keys,
		Merchants: s.Merchants, Wallets: s.Store, Meta: s.Store, Outbox: s.post, Listings: s.Store, Documents: s.Store,
		Cards: card.Inspector{MAC: s.Keys.MAC}, Logger: c.Logger, Random: c.Random,
		Receipts: s.Receipts, PublicURL: s.PublicURL, Sandbox: c.Sandbox,
	}
	if c.Sandbox {
		services.Anywhere = s.anywhere
		services.Cards.Behaviour = cardsim.Behaviour
	}
	services.Vault = &vault.Vault{Documents: s.Store, Keys: s.Keys, Cards: services.Cards, Clock: s.Clock, Random: c.Random}
	s.known = allDialects(services)
	for _, name := range c.Dialects {
		i := slices.IndexFunc(s.known, func(d dialect.Dialect) bool { return d.Name() == name })
		if i < 0 {
			return fmt.Errorf("unknown dialect %q: there are %v", name, Dialects())
		}
		s.Dialects = append(s.Dialects, s.known[i])
	}
	return nil
}

// anywhere looks for a payment in every tenant.
func (s *Server) anywhere(ctx context.Context, id payment.ID) (*payment.Payment, error) {
	merchants, err := s.Store.Merchants(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[int64]bool{}
	for _, m := range merchants {
		if seen[m.Tenant] {
			continue
		}
		seen[m.Tenant] = true
		if p, err := s.Store.Payment(ctx, m.Tenant, id, 0); err != nil || p != nil {
			return p, err
		}
	}
	return nil, nil
}

// nameOf is what the dialect that made a payment calls it.
func (s *Server) nameOf(p *payment.Payment) string {
	for _, d := range s.known {
		if d.Name() == p.Dialect {
			return d.PaymentID(p)
		}
	}
	return ""
}

// SetRisk keeps the risk configuration for all merchants, as SetServerRisk
// does, and takes it to effect at once.
func (s *Server) SetRisk(ctx context.Context, document []byte) error {
	if err := SetServerRisk(ctx, s.Store, document); err != nil {
		return err
	}
	return s.risk.reread(ctx)
}

// controls returns the sandbox controls.
func (s *Server) controls() *sandbox.Sandbox {
	return sandbox.New(sandbox.Config{
		Store: s.Store, Engine: s.Engine, Merchants: s.Merchants, Dialects: s.known, Keys: s.Keys, IDs: s.IDs, Clock: s.Clock,
		Logger: s.Logger, Script: s.script, Deliverer: s.Deliverer, Advance: s.AdvanceClock, UpdateClientKeys: alipay.UpdateKeys, PutClientAgents: alipay.PutAgents, ReturnURL: alipay.ReturnURL,
		Settings: Settings(), CheckServerRisk: CheckServerRisk, SetServerRisk: s.SetRisk, ReceiptURL: s.Receipts.URL, BaseURL: s.base, AdminURL: s.admin,
	})
}

// markMode marks a new store, and refuses one of the other mode.
func markMode(ctx context.Context, st store.Registry, sandbox bool) error {
	mode := liveMode
	if sandbox {
		mode = sandboxMode
	}
	marked, err := st.PutMeta(ctx, metaMode, []byte(mode), true)
	if err != nil {
		return err
	}
	if string(marked) != mode {
		return fmt.Errorf("%w: it is a %s store and cannot be served as %s", ErrMode, marked, mode)
	}
	return nil
}

// Sealed tells whether a store has been served: then its sealing keys exist
// somewhere, and new ones would not open it.
func Sealed(ctx context.Context, st store.Registry) (bool, error) {
	sealed, err := st.Meta(ctx, metaRoot)
	return sealed != nil, err
}

// openKeys opens the store's root secret, making one for a new store.
func openKeys(ctx context.Context, st store.Registry, sealing keyring.Sealing) (*keyring.Keyring, error) {
	sealed, err := st.Meta(ctx, metaRoot)
	if err != nil {
		return nil, err
	}
	if sealed == nil {
		fresh, err := keyring.NewRoot(sealing)
		if err != nil {
			return nil, err
		}
		if sealed, err = st.PutMeta(ctx, metaRoot, fresh, true); err != nil {
			return nil, err
		}
	}
	return keyring.Open(sealing, sealed)
}

// AdvanceClock moves the sandbox clock forward and returns after everything
// that fell due on the way was done. The offset is kept before anything happens
// at the new time, so that no restart moves the clock back. All instances that
// share a store go with it step by step; an instance of its own has the whole
// offset kept at once.
func (s *Server) AdvanceClock(ctx context.Context, by time.Duration) error {
	s.advancing.Lock()
	defer s.advancing.Unlock()
	if _, shared := s.Store.(store.Shared); !shared {
		if _, err := s.Store.MoveClock(ctx, s.Clock.Offset()+by); err != nil {
			return err
		}
	}
	return s.Engine.Advance(ctx, s.Clock, by, s.Deliverer)
}

// step keeps how far the clock goes ahead next.
func (s *Server) step(ctx context.Context, ahead time.Duration) error {
	if _, shared := s.Store.(store.Shared); !shared {
		return nil
	}
	_, err := s.Store.MoveClock(ctx, ahead)
	return err
}
