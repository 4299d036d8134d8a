package begateway

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/capstan-pay/capstan/payment"
)

// intakeDetails is what is kept of an authorization or payment besides what
// the core keeps. The security code itself is not among it.
type intakeDetails struct {
	Version         int             `json:"v"`
	Language        string          `json:"language,omitempty"`
	ExpiredAt       int64           `json:"expired_at,omitempty"` // milliseconds of Unix time
	NotificationURL string          `json:"notification_url,omitempty"`
	ReturnURL       string          `json:"return_url,omitempty"`
	VerificationURL string          `json:"verification_url,omitempty"`
	Descriptor      string          `json:"descriptor,omitempty"`
	AVS             string          `json:"avs,omitempty"` // result codes
	CVC             string          `json:"cvc,omitempty"`
	DeviceID        string          `json:"device_id,omitempty"`
	BirthDate       string          `json:"birth_date,omitempty"`
	Billing         *billing        `json:"billing,omitempty"`
	AdditionalData  json.RawMessage `json:"additional_data,omitempty"` // as it was sent
}

// billing is the payer's address.
type billing struct {
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Address   string `json:"address,omitempty"`
	Country   string `json:"country,omitempty"`
	City      string `json:"city,omitempty"`
	Zip       string `json:"zip,omitempty"`
	State     string `json:"state,omitempty"`
	Phone     string `json:"phone,omitempty"`
}

// language of the payer's pages.
func (k intakeDetails) language() string {
	if k.Language == "" {
		return "en"
	}
	return k.Language
}

func (k intakeDetails) encode() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // what was sent is shown as it was sent
	if err := e.Encode(k); err != nil {
		panic(fmt.Sprintf("begateway: encode details: %v", err)) // strings, and JSON that was checked
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// decodeIntakeDetails reads a payment's details; for one that another dialect
// made they are empty.
func decodeIntakeDetails(p *payment.Payment) (k intakeDetails, err error) {
	if p.Dialect != Name {
		return k, nil
	}
	if err = json.Unmarshal(p.Details, &k); err != nil {
		return k, fmt.Errorf("begateway: details of payment %s: %w", p.ID, err)
	}
	return k, nil
}

func readCustomer(v value, s *shop, in *payment.Intake, kept *intakeDetails, wrong *faults) {
	v.members(func(name string, v value) {
		switch name {
		case "ip":
			in.IP = optional(v)
		case "email":
			in.Email = optional(v)
		case "device_id":
			kept.DeviceID = optional(v)
		case "birth_date":
			kept.BirthDate = optional(v)
		}
	})
	check := wrong.bounded
	if s.requireCustomer {
		check = wrong.required
	}
	check(customerIP, in.IP, textLimit)
	check(customerEmail, in.Email, textLimit)
	wrong.bounded(customerDevice, kept.DeviceID, textLimit)
	wrong.bounded(customerBirthDate, kept.BirthDate, textLimit)
}

func readBilling(v value, s *shop, kept *intakeDetails, wrong *faults) {
	var a billing
	v.members(func(name string, v value) {
		switch name {
		case "first_name":
			a.FirstName = optional(v)
		case "last_name":
			a.LastName = optional(v)
		case "address":
			a.Address = optional(v)
		case "country":
			a.Country = optional(v)
		case "city":
			a.City = optional(v)
		case "zip":
			a.Zip = optional(v)
		case "state":
			a.State = optional(v)
		case "phone":
			a.Phone = optional(v)
		}
	})
	check := wrong.bounded
	if s.requireBilling {
		check = wrong.required
	}
	check(billingFirstName, a.FirstName, textLimit)
	check(billingLastName, a.LastName, textLimit)
	check(billingAddress, a.Address, textLimit)
	check(billingCountry, a.Country, textLimit)
	check(billingCity, a.City, textLimit)
	check(billingZip, a.Zip, textLimit)
	wrong.bounded(billingState, a.State, textLimit)
	wrong.bounded(billingPhone, a.Phone, textLimit)
	if s.requireBilling && a.Country != "" && !isCountry(a.Country) {
		wrong.add(billingCountry, textInvalid)
	}
	if a != (billing{}) {
		kept.Billing = &a
	}
}

// isCountry tells whether code looks like an ISO 3166 alpha-2 code.
func isCountry(code string) bool {
	return len(code) == 2 && code[0] >= 'A' && code[0] <= 'Z' && code[1] >= 'A' && code[1] <= 'Z'
}
