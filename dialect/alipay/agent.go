package alipay

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/wallet"
)

// agentToken is the kind of the tokens by which somebody acts for a merchant
// (an ISV), beside the merchant's own signature.
const agentToken = "agent_token"

// agent is what is kept of an agent token, beside its digest. A token that has
// ended stays known: a client that had agents once does not take just any.
type agent struct {
	Hint  string `json:"hint"`
	Made  int64  `json:"made"`            // Unix milliseconds
	Until int64  `json:"until,omitempty"` // it is over from then on, Unix milliseconds; 0 is never
	Off   bool   `json:"off,omitempty"`   // disabled
}

// AgentCredentials are what is shown once of an agent token.
type AgentCredentials struct {
	ClientID   string `json:"client_id"`
	AgentToken string `json:"agent_token"`
}

func agentDigest(mac wallet.MAC, token string) string { return named(mac, "alipay agent token", token) }

// checkAgent looks at the Agent-Token of a request, nil if nothing is wrong
// with it. One SDK always sends it empty, which is the same as not at all, and a
// client that has no agents has it ignored.
func (d *Dialect) checkAgent(h http.Header, c *call) *result {
	token := strings.TrimSpace(h.Get("Agent-Token"))
	if token == "" || len(c.client.agents) == 0 {
		return nil
	}
	a, known := c.client.agents[agentDigest(d.Keys.MAC, token)]
	switch {
	case !known || a.Off:
		return &invalidAgentToken
	case a.Until != 0 && c.now.UnixMilli() >= a.Until:
		return &expiredAgentToken
	}
	return nil
}

// addAgent makes an agent token for a client.
func (d *Dialect) addAgent(c merchant.Credential) ([]merchant.Credential, any, error) {
	var secret [32]byte
	if _, err := io.ReadFull(d.Random, secret[:]); err != nil {
		return nil, nil, err
	}
	token := "ag" + hex.EncodeToString(secret[:])
	data, err := PutAgents(d.Keys.MAC, c.Data, map[string]time.Time{token: {}}, d.Clock.Now())
	if err != nil {
		return nil, nil, err
	}
	c.Data = data
	return []merchant.Credential{c}, &AgentCredentials{c.Lookup, token}, nil
}

// PutAgents returns a client credential's Data with agent tokens added or
// changed: each is good until its time, for ever with the zero time.
func PutAgents(mac wallet.MAC, data []byte, tokens map[string]time.Time, now time.Time) ([]byte, error) {
	doc := clientKeys{Version: 1}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("alipay: credential: %w", err)
	}
	if doc.Agents == nil {
		doc.Agents = map[string]agent{}
	}
	for token, until := range tokens {
		if token == "" || len(token) > maxAgentToken {
			return nil, fmt.Errorf("alipay: an agent token has 1 to %d characters", maxAgentToken)
		}
		a := agent{Hint: dialect.Hint("", token), Made: now.UnixMilli()}
		if !until.IsZero() {
			a.Until = until.UnixMilli()
		}
		doc.Agents[agentDigest(mac, token)] = a
	}
	return json.Marshal(doc)
}

// maxAgentToken is the longest agent token there is.
const maxAgentToken = 128

// key is an agent token as it may be listed.
func (a agent) key(c merchant.Credential, digest string) dialect.Key {
	k := dialect.Key{
		ID: dialect.KeyID(c, agentToken+" "+digest), Dialect: Name, Kind: agentToken, Hint: c.Lookup + " " + a.Hint,
		CreatedAt: time.UnixMilli(a.Made).UTC(), Disabled: a.Off || c.Disabled,
	}
	if a.Until != 0 {
		k.ExpiresAt = time.UnixMilli(a.Until).UTC()
	}
	return k
}

// end ends a token at a moment; the zero time disables it for good.
func (a agent) end(at time.Time) agent {
	switch {
	case at.IsZero():
		a.Off = true
	case a.Until == 0 || at.UnixMilli() < a.Until:
		a.Until = at.UnixMilli()
	}
	return a
}
