package sandbox

import "net/http"

// patchAlipayClient rotates the keys of a client of the wallet API and
// disables or enables it.
func (s *Sandbox) patchAlipayClient(r *http.Request) (any, error) {
	var in struct {
		Keys     map[string]string `json:"keys"`
		Retire   []string          `json:"retire"`
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
	if in.Disabled != nil {
		c.Disabled = *in.Disabled
	}
	if err := s.Store.PutCredential(r.Context(), *c); err != nil {
		return nil, err
	}
	s.Merchants.Forget()
	return map[string]any{"client_id": c.Lookup, "disabled": c.Disabled}, nil
}
