package payment

import "encoding/json"

// Authentication is what came of authenticating the payer with 3-D Secure, as
// it travels in [Answer].Data from whoever did it to the dialects.
type Authentication struct {
	Flow   string `json:"flow"`           // "challenge" or "frictionless"
	Result string `json:"result"`         // Y, A, N, U or R, as the protocol names them
	ECI    *int   `json:"eci,omitempty"`  // electronic commerce indicator; frictionless only
	CAVV   string `json:"cavv,omitempty"` // of a successful frictionless one
}

// Document returns the JSON form that is kept.
func (a Authentication) Document() []byte {
	text, err := json.Marshal(struct {
		Authentication `json:"three_d_secure"`
	}{a})
	if err != nil {
		panic(err) // strings and a number
	}
	return text
}

// Authentication returns what came of authenticating the payer, nil if he was
// not asked to.
func (a *Answer) Authentication() *Authentication {
	if len(a.Data) == 0 {
		return nil
	}
	var document struct {
		Authentication *Authentication `json:"three_d_secure"`
	}
	if json.Unmarshal(a.Data, &document) != nil {
		return nil
	}
	return document.Authentication
}
