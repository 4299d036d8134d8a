package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/explain"
)

type keyCommand struct {
	Create  keyCreate  `cmd:"" help:"Make another key for a merchant, or with --admin one for an administrator."`
	List    keyList    `cmd:"" help:"List a merchant's keys, or with --admin the administrators'."`
	Rotate  keyRotate  `cmd:"" help:"Make a new key and end the old ones a while later."`
	Disable keyDisable `cmd:"" help:"Disable a key for good, at once."`
}

// ofMerchant says which key is meant.
type ofMerchant struct {
	Merchant  string `placeholder:"MERCHANT" help:"The merchant."`
	Dialect   string `placeholder:"DIALECT" help:"The dialect of the key, or webhook for one that messages are signed with beside what dialects do."`
	Kind      string `help:"The kind of key: intents has secret_key and publishable_key, wepay token, alipay client_key and agent_token, begateway secret_key and signing_key. Default: the first of these."`
	PublicKey string `placeholder:"FILE" help:"Public key of a pair that the merchant has made (alipay), PEM or base64. Default: a pair is made."`
}

func (k ofMerchant) newKey() (admin.NewKey, error) {
	if k.Merchant == "" || k.Dialect == "" {
		return admin.NewKey{}, usageError("give --merchant and --dialect")
	}
	key := admin.NewKey{Dialect: k.Dialect, Kind: k.Kind}
	if k.PublicKey != "" {
		text, err := os.ReadFile(k.PublicKey)
		if err != nil {
			return admin.NewKey{}, err
		}
		key.PublicKey = string(text)
	}
	return key, nil
}

type keyCreate struct {
	place
	ofMerchant
	Name    string `help:"With --admin: whose key it is; the log of administration names him."`
	Expires span   `placeholder:"DURATION" help:"With --admin: how long it is good, such as 12h or 90d. Default: for ever."`
	JSON    bool   `help:"Print JSON." name:"json"`
}

func (c keyCreate) Help() string {
	return `The secret is shown this once. --admin alone makes a key for an administrator: in live mode the admin listener
wants one. On a store that is not there yet a new one is made, for live mode.

Examples:
  capstan key create --admin --name alice --expires 90d
  capstan key create --merchant mer_3CfBQ2mWNPAC0dKtGiCVmfDj --dialect intents
  capstan key create --merchant mer_3CfBQ2mWNPAC0dKtGiCVmfDj --dialect alipay --public-key client.pem
  CAPSTAN_ADMIN_TOKEN=... capstan key create --admin --name bob --admin https://pay.example.com:8081`
}

// Run makes a key.
func (c keyCreate) Run(o *output) error {
	if c.Admin.key {
		return c.forAdministrator(o)
	}
	key, err := c.newKey()
	if err != nil {
		return err
	}
	return issue(o, c.place, c.Merchant, key, c.JSON)
}

func (c keyCreate) forAdministrator(o *output) error {
	if c.Name == "" || c.Merchant != "" || c.Dialect != "" {
		return usageError("--admin goes with --name, and with neither --merchant nor --dialect")
	}
	c.Admin.key = false // it is understood
	key, err := administer(o, c.place, creates, func(a admin.Administrator) (admin.IssuedAdminKey, error) {
		return a.AddAdminKey(o, admin.NewAdminKey{Name: c.Name, Seconds: c.Expires.seconds()})
	})
	switch {
	case err != nil:
		return err
	case c.JSON:
		return o.print(key)
	}
	_, err = fmt.Fprintf(o.out, "Key %s of administrator %q%s. Its token, shown this once:\n%s\n", key.ID, key.Name, until(key.ExpiresAt), key.Token)
	return err
}

func until(t *time.Time) string {
	if t == nil {
		return ""
	}
	return ", good until " + explain.Time(*t) + " UTC"
}

// issue makes a key for a merchant and shows it.
func issue(o *output, p place, merchant string, key admin.NewKey, asJSON bool) error {
	issued, err := administer(o, p, changes, func(a admin.Administrator) (admin.Issued, error) { return a.AddKey(o, merchant, key) })
	switch {
	case err != nil:
		return err
	case asJSON:
		return o.print(issued)
	}
	fmt.Fprintf(o.out, "New %s of %s, shown this once:\n", issued.Kind, issued.Dialect)
	if err := o.print(issued.Credentials); err != nil {
		return err
	}
	for _, k := range issued.Ending {
		fmt.Fprintf(o.out, "%s %s ends %s UTC\n", k.ID, k.Hint, explain.Time(*k.ExpiresAt))
	}
	return nil
}

type keyList struct {
	place
	Merchant string `placeholder:"MERCHANT" help:"The merchant."`
	JSON     bool   `help:"Print JSON." name:"json"`
}

func (c keyList) Help() string {
	return `Examples:
  capstan key list --merchant mer_3CfBQ2mWNPAC0dKtGiCVmfDj
  capstan key list --admin`
}

// Run lists keys.
func (c keyList) Run(o *output) error {
	if c.Admin.key == (c.Merchant != "") {
		return usageError("give either --merchant, or --admin alone for the keys of administrators")
	}
	c.Admin.key = false // it is understood
	keys, err := administer(o, c.place, reads, func(a admin.Administrator) ([]admin.Key, error) {
		if c.Merchant != "" {
			return a.Keys(o, c.Merchant)
		}
		return a.AdminKeys(o)
	})
	switch {
	case err != nil:
		return err
	case c.JSON:
		return o.print(keys)
	}
	return writeKeys(o.out, keys)
}

func writeKeys(to io.Writer, keys []admin.Key) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tDIALECT\tKIND\tSTATUS\tCREATED (UTC)\tEXPIRES (UTC)\tTO BE KNOWN BY")
	for _, k := range keys {
		dialect, hint := k.Dialect, k.Hint
		if dialect == "" {
			dialect, hint = "-", fmt.Sprintf("%s %q", k.Hint, k.Name)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, dialect, k.Kind, k.Status, at(k.CreatedAt), at(k.ExpiresAt), hint)
	}
	return w.Flush()
}

func at(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return explain.Time(*t)
}

type keyRotate struct {
	place
	ofMerchant
	Overlap *span `placeholder:"DURATION" help:"How long the old keys are good beside the new one, such as 2h or 7d; 0s ends them at once. Default: 1d."`
	Sealing bool  `help:"Instead of a merchant's key, replace the sealing key: seal everything in --store anew. No server may have the store open."`
	Forget  bool  `help:"With --sealing: take the old keys out of the key file afterwards. Backups made before need them: keep a copy of the old file."`
	JSON    bool  `help:"Print JSON." name:"json"`
}

func (c keyRotate) Help() string {
	return `Makes a new key and lets the others of its kind end after the overlap, by the server's clock. To end one sooner,
disable it. --sealing is about the key file; it may be stopped at any moment and called again. begateway's signing_key signs webhooks, and there is one at a time: the new one counts at once.

Examples:
  capstan key rotate --merchant mer_3CfBQ2mWNPAC0dKtGiCVmfDj --dialect intents --overlap 7d
  capstan key rotate --merchant mer_3CfBQ2mWNPAC0dKtGiCVmfDj --dialect begateway --kind signing_key
  capstan key rotate --merchant mer_3CfBQ2mWNPAC0dKtGiCVmfDj --dialect webhook --overlap 2d
  capstan key rotate --sealing --store capstan.db`
}

// Run replaces keys.
func (c keyRotate) Run(o *output) error {
	switch {
	case c.Forget && !c.Sealing:
		return usageError("--forget goes with --sealing")
	case c.Sealing && c.Admin.key:
		return adminAlone
	case c.Sealing:
		return c.sealing(o)
	}
	key, err := c.newKey()
	if err != nil {
		return err
	}
	key.Replace = true
	if c.Overlap != nil {
		seconds := c.Overlap.seconds()
		key.Overlap = &seconds
	}
	return issue(o, c.place, c.Merchant, key, c.JSON)
}

type keyDisable struct {
	Key string `arg:"" help:"The key, as key list shows it: key_... of a merchant, adm_... of an administrator."`
	place
	Merchant string `placeholder:"MERCHANT" help:"The merchant, of key_..."`
	JSON     bool   `help:"Print JSON." name:"json"`
}

func (c keyDisable) Help() string {
	return `The instance that is asked refuses the key at once, others within five seconds.

Examples:
  capstan key disable key_0f3c5d7e9a1b2c3d --merchant mer_3CfBQ2mWNPAC0dKtGiCVmfDj
  capstan key disable adm_5b1d3f7a9c2e`
}

// Run disables a key.
func (c keyDisable) Run(o *output) error {
	ofAdministrator := strings.HasPrefix(c.Key, "adm_")
	if ofAdministrator == (c.Merchant != "") {
		return usageError("a key of a merchant, key_..., goes with --merchant; one of an administrator, adm_..., stands alone")
	}
	key, err := administer(o, c.place, changes, func(a admin.Administrator) (admin.Key, error) {
		if ofAdministrator {
			return a.DisableAdminKey(o, c.Key)
		}
		return a.DisableKey(o, c.Merchant, c.Key)
	})
	switch {
	case err != nil:
		return err
	case c.JSON:
		return o.print(key)
	}
	_, err = fmt.Fprintf(o.out, "%s %s is disabled\n", key.ID, key.Hint)
	return err
}
