package sandbox

import (
	"net/http"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/wallet"
)

// patchAlipayClient rotates the keys of a client of the wallet API, gives it
// agents, and disables or enables it.
func (s *Sandbox) patchAlipayClient(r *http.Request) (any, error) {
	var in struct {
		Keys     map[string]string `json:"keys"`
		Retire   []string          `json:"retire"`
		Agents   map[string]string `json:"agent_tokens"` // when each ends, RFC 3339; empty is never
		Disabled *bool             `json:"disabled"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	c, err := s.Store.Credential(r.Context(), "alipay", "client", r.PathValue("client"))
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, errUnknown
	}
	if c.Data, err = s.UpdateClientKeys(c.Data, in.Keys, in.Retire); err != nil {
		return nil, bad(err.Error())
	}
	agents := map[string]time.Time{}
	for token, end := range in.Agents {
		if agents[token], err = time.Parse(time.RFC3339, end); err != nil && end != "" {
			return nil, bad("agent_tokens: each has the RFC 3339 time of its end, or nothing")
		}
	}
	if len(agents) > 0 {
		if c.Data, err = s.PutClientAgents(s.Keys.MAC, c.Data, agents, s.Clock.Now()); err != nil {
			return nil, bad(err.Error())
		}
	}
	if in.Disabled != nil {
		c.Disabled = *in.Disabled
	}
	if err := s.Store.PutCredential(r.Context(), *c); err != nil {
		return nil, err
	}
	s.Merchants.Forget()
	return map[string]any{"client_id": c.Lookup, "disabled": c.Disabled}, nil
}

// postWalletCodes gives a wallet user a fresh authorization code and a fresh
// payment code.
func (s *Sandbox) postWalletCodes(r *http.Request) (any, error) {
	var in struct{}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, errUnknown
	}
	u, err := find(r.Context(), s, func(tenant int64) (*wallet.User, error) {
		u, _, err := s.Store.User(r.Context(), tenant, id)
		return u, err
	})
	if err == nil && u == nil {
		err = errUnknown
	}
	if err != nil {
		return nil, err
	}
	return s.newCodes(r.Context(), u)
}
