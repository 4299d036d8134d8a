package capstan

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/risk"
)

// riskSetting is the merchant's setting that holds his risk configuration.
const riskSetting = "risk"

// riskChecks compiles the risk configurations of merchants, each again only
// when its document has changed. It is safe for concurrent use.
type riskChecks struct {
	merchants *merchant.Directory

	mu       sync.Mutex
	compiled map[int64]compiledChecks
}

type compiledChecks struct {
	document []byte
	names    risk.Levels
	checks   *risk.Checks
}

// compiledLimit is how many merchants' checks are remembered.
const compiledLimit = 10_000

// of returns a merchant's checks, nil if he has none.
func (r *riskChecks) of(ctx context.Context, id int64) (*risk.Checks, error) {
	a, err := r.merchants.Merchant(ctx, id)
	if err != nil || a == nil {
		return nil, err
	}
	value, err := a.Once(func(a *merchant.Access) (any, error) { return r.compile(&a.Merchant) })
	checks, _ := value.(*risk.Checks)
	return checks, err
}

func (r *riskChecks) compile(m *merchant.Merchant) (*risk.Checks, error) {
	document, names := m.Settings[riskSetting], levelNames(m)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(document) == 0 {
		delete(r.compiled, m.ID)
		return nil, nil
	}
	if c, ok := r.compiled[m.ID]; ok && c.names == names && bytes.Equal(c.document, document) {
		return c.checks, nil
	}
	checks, err := compileRisk(m, document)
	if err != nil {
		return nil, err
	}
	if len(r.compiled) >= compiledLimit {
		clear(r.compiled)
	}
	r.compiled[m.ID] = compiledChecks{bytes.Clone(document), names, checks}
	return checks, nil
}

// checkRisk says what is wrong with a risk configuration, whoever it is for.
func checkRisk(document []byte) error {
	_, err := compileRisk(&merchant.Merchant{}, document)
	return err
}

// compileRisk reads a risk configuration for a merchant.
func compileRisk(m *merchant.Merchant, document []byte) (*risk.Checks, error) {
	config, err := risk.Parse(document)
	if err != nil {
		return nil, err
	}
	return config.Compile(risk.Setup{Names: levelNames(m)})
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
