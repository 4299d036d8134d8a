package capstan

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/risk"
	"github.com/capstan-pay/capstan/store"
)

const (
	// riskSetting is the merchant's setting that holds his risk configuration.
	riskSetting = "risk"

	// metaRisk is where the store keeps the risk configuration for all
	// merchants.
	metaRisk = "risk"
)

// SetServerRisk keeps the risk configuration of the server's operator, which
// every merchant's operations are held against: rules of the level psp, with
// their sets. An empty document, or null, takes it away. Servers that run on
// the store follow within ten seconds. CheckServerRisk says whether a document
// is sound; others are refused.
func SetServerRisk(ctx context.Context, st store.Registry, document []byte) error {
	if err := CheckServerRisk(document); err != nil {
		return err
	}
	_, err := st.PutMeta(ctx, metaRisk, orNothing(document), false)
	return err
}

// CheckServerRisk says what is wrong with a risk configuration for all
// merchants, if anything; the error names the member.
func CheckServerRisk(document []byte) error {
	_, err := compileServer(orNothing(document))
	return err
}

// orNothing is empty for null, and else the document.
func orNothing(document []byte) []byte {
	if document = bytes.TrimSpace(document); string(document) == "null" {
		return []byte{}
	}
	return document
}

// ServerRisk returns the risk configuration of the server's operator, nil if
// there is none.
func ServerRisk(ctx context.Context, st store.Registry) ([]byte, error) {
	document, err := st.Meta(ctx, metaRisk)
	if len(document) == 0 {
		document = nil
	}
	return document, err
}

func compileServer(document []byte) (*risk.Server, error) {
	if len(document) == 0 {
		return nil, nil
	}
	config, err := risk.Parse(document)
	if err != nil {
		return nil, err
	}
	return config.CompileServer()
}

// riskChecks compiles the risk configurations of merchants, each again only
// when its document or the server's has changed. It is safe for concurrent use.
type riskChecks struct {
	merchants *merchant.Directory
	meta      store.Registry
	now       func() time.Time // how much time has passed; not the business clock

	mu       sync.Mutex
	compiled map[int64]compiledChecks

	server   *risk.Server
	document []byte // of the server's
	read     time.Time
}

type compiledChecks struct {
	document []byte
	server   *risk.Server
	names    risk.Levels
	checks   checks
}

// checks are a merchant's: those for where he has something to check, nil if he
// has not, and those for where an operation has a verdict all the same.
type checks struct{ configured, always *risk.Checks }

const (
	// compiledLimit is how many merchants' checks are remembered.
	compiledLimit = 10_000

	// serverFresh is how long the server's configuration is believed.
	serverFresh = 5 * time.Second
)

// newRiskChecks reads the server's configuration, which has to be a sound one.
func newRiskChecks(ctx context.Context, merchants *merchant.Directory, meta store.Registry) (*riskChecks, error) {
	r := &riskChecks{merchants: merchants, meta: meta, now: clock.System{}.Now, compiled: map[int64]compiledChecks{}}
	return r, r.readServer(ctx)
}

// of returns a merchant's checks, nil if he has none and they are not always
// wanted.
func (r *riskChecks) of(ctx context.Context, id int64, always bool) (*risk.Checks, error) {
	a, err := r.merchants.Merchant(ctx, id)
	if err != nil || a == nil {
		return nil, err
	}
	value, err := a.Once(func(a *merchant.Access) (any, error) { return r.compile(ctx, &a.Merchant) })
	c, _ := value.(checks)
	if always && c.configured == nil {
		return c.always, err
	}
	return c.configured, err
}

// reread takes a change of the server's configuration to effect at once.
func (r *riskChecks) reread(ctx context.Context) error {
	r.mu.Lock()
	err := r.readServer(ctx)
	r.mu.Unlock()
	r.merchants.Forget()
	return err
}

func (r *riskChecks) compile(ctx context.Context, m *merchant.Merchant) (checks, error) {
	document, names := m.Settings[riskSetting], levelNames(m)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now().Sub(r.read) >= serverFresh { // where it cannot be read now, what was read before holds
		_ = r.readServer(ctx)
	}
	if c, ok := r.compiled[m.ID]; ok && c.names == names && c.server == r.server && bytes.Equal(c.document, document) {
		return c.checks, nil
	}
	c, err := compileRisk(r.server, names, document)
	if err != nil {
		return checks{}, err
	}
	if len(r.compiled) >= compiledLimit {
		clear(r.compiled)
	}
	r.compiled[m.ID] = compiledChecks{bytes.Clone(document), r.server, names, c}
	return c, nil
}

// readServer reads the server's configuration.
func (r *riskChecks) readServer(ctx context.Context) error {
	document, err := ServerRisk(ctx, r.meta)
	if err != nil {
		return err
	}
	if r.read.IsZero() || !bytes.Equal(document, r.document) {
		server, err := compileServer(document)
		if err != nil {
			return fmt.Errorf("the risk configuration for all merchants: %w", err)
		}
		r.server, r.document = server, document
	}
	r.read = r.now()
	return nil
}

// checkRisk says what is wrong with a risk configuration, whoever it is for.
func checkRisk(document []byte) error {
	_, err := compileRisk(nil, levelNames(&merchant.Merchant{}), document)
	return err
}

// compileRisk reads a merchant's risk configuration; without a document he has
// only the server's.
func compileRisk(server *risk.Server, names risk.Levels, document []byte) (c checks, err error) {
	var config risk.Config
	if len(document) > 0 {
		if config, err = risk.Parse(document); err != nil {
			return checks{}, err
		}
	}
	setup := risk.Setup{Names: names, Server: server}
	if c.configured, err = config.Compile(setup); err != nil || c.configured != nil {
		return c, err
	}
	setup.Always = true
	c.always, err = config.Compile(setup)
	return c, err
}

// levelNames are what the levels of rules are called where the configuration
// does not say, in begateway's form: "1_123_My Shop", "1_My Shop".
func levelNames(m *merchant.Merchant) risk.Levels {
	return risk.Levels{
		Shop:     fmt.Sprintf("%d_%d_%s", m.Tenant, m.ID, m.Name),
		Merchant: fmt.Sprintf("%d_%s", m.Tenant, m.Name),
		PSP:      "Capstan",
	}
}
