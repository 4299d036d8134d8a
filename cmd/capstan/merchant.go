package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/explain"
)

type merchantCommand struct {
	Create  merchantCreate  `cmd:"" help:"Make a merchant with credentials, which are shown once."`
	List    merchantList    `cmd:"" help:"List the merchants."`
	Show    merchantShow    `cmd:"" help:"Show a merchant with his settings, keys and latest acts."`
	Set     merchantSet     `cmd:"" help:"Change a merchant's settings or name."`
	Disable merchantDisable `cmd:"" help:"Let a merchant in no more."`
	Enable  merchantEnable  `cmd:"" help:"Let a merchant in again."`
}

type merchantCreate struct {
	place
	Name     string   `required:"" help:"What he is called, in reports and on receipts."`
	Tenant   int64    `help:"The tenant he joins: a platform with its merchants. Default: one of his own."`
	Dialects []string `help:"The dialects in which he gets credentials. Default: all; none is none."`
	Set      []string `sep:"none" placeholder:"NAME=VALUE" help:"A setting, as merchant set takes it. May be repeated."`
	Out      string   `placeholder:"FILE" help:"Write the credentials to a new file, mode 0600, instead of showing them."`
	JSON     bool     `help:"Print JSON." name:"json"`
}

func (c merchantCreate) Help() string {
	return `Secrets are made fresh and shown this once: the store keeps digests, or sealed what it needs itself.
On a store that is not there yet a new one is made, for live mode.

Examples:
  capstan merchant create --name "Corner Shop" --out corner-shop.json
  capstan merchant create --name "Corner Shop" --dialects intents --set intents.capture_window_seconds=259200
  capstan merchant create --name "Corner Shop" --admin https://pay.example.com:8081 --admin-token-file token`
}

// Run makes a merchant.
func (c merchantCreate) Run(o *output) error {
	settings, err := assignments(c.Set)
	if err != nil {
		return err
	}
	if c.Out != "" {
		if _, err := os.Lstat(c.Out); err == nil {
			return fmt.Errorf("%s is there already", c.Out)
		}
	}
	created, err := administer(o, c.place, creates, func(a admin.Administrator) (admin.Created, error) {
		return a.CreateMerchant(o, admin.NewMerchant{Name: c.Name, Tenant: c.Tenant, Dialects: c.Dialects, Settings: settings})
	})
	if err != nil {
		return err
	}
	if c.Out != "" {
		file := map[string]any{"merchant": created.ID}
		for dialect, credentials := range created.Credentials {
			file[dialect] = credentials
		}
		if err := writeCredentials(c.Out, file); err != nil {
			return fmt.Errorf("merchant %s was made, but his credentials cannot be written: give him keys with capstan key create: %w", created.ID, err)
		}
		created.Credentials = nil
	}
	if c.JSON {
		return o.print(created)
	}
	fmt.Fprintf(o.out, "Merchant %s, %q, tenant %d\n", created.ID, created.Name, created.Tenant)
	switch {
	case c.Out != "":
		fmt.Fprintf(o.out, "Credentials are in %s\n", c.Out)
	case len(created.Credentials) > 0:
		fmt.Fprintln(o.out, "Credentials, shown this once:")
		return o.print(created.Credentials)
	}
	return nil
}

type merchantList struct {
	place
	JSON bool `help:"Print JSON." name:"json"`
}

func (c merchantList) Help() string { return "Example: capstan merchant list --store capstan.db" }

// Run lists the merchants.
func (c merchantList) Run(o *output) error {
	all, err := administer(o, c.place, reads, func(a admin.Administrator) ([]admin.Merchant, error) { return a.Merchants(o) })
	switch {
	case err != nil:
		return err
	case c.JSON:
		return o.print(all)
	}
	w := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MERCHANT\tTENANT\tSTATUS\tCREATED (UTC)\tNAME")
	for _, m := range all {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%q\n", m.ID, m.Tenant, statusOf(m), explain.Time(m.CreatedAt), m.Name)
	}
	return w.Flush()
}

func statusOf(m admin.Merchant) string {
	if m.Disabled {
		return "disabled"
	}
	return "active"
}

type merchantShow struct {
	Merchant string `arg:"" help:"The merchant."`
	place
	JSON bool `help:"Print JSON." name:"json"`
}

func (c merchantShow) Help() string {
	return "Example: capstan merchant show mer_3CfBQ2mWNPAC0dKtGiCVmfDj"
}

// Run shows a merchant.
func (c merchantShow) Run(o *output) error {
	m, err := administer(o, c.place, reads, c.see(o))
	switch {
	case err != nil:
		return err
	case c.JSON:
		return o.print(m)
	}
	fmt.Fprintf(o.out, "Merchant %s, %q, tenant %d, %s since %s\n", m.ID, m.Name, m.Tenant, statusOf(m.Merchant), explain.Time(m.CreatedAt))
	fmt.Fprintln(o.out, "\nSettings")
	for _, name := range slices.Sorted(maps.Keys(m.Settings)) {
		fmt.Fprintf(o.out, "  %s = %s\n", name, m.Settings[name])
	}
	if len(m.Settings) == 0 {
		fmt.Fprintln(o.out, "  all as they are by default")
	}
	fmt.Fprintln(o.out, "\nKeys")
	if err := writeKeys(o.out, m.Keys); err != nil {
		return err
	}
	fmt.Fprintln(o.out, "\nLatest acts of administration")
	return writeActs(o.out, m.Acts)
}

// seenMerchant is a merchant with all that is shown of him.
type seenMerchant struct {
	admin.Merchant
	Keys []admin.Key `json:"keys"`
	Acts []admin.Act `json:"acts"`
}

func (c merchantShow) see(ctx context.Context) func(admin.Administrator) (seenMerchant, error) {
	return func(a admin.Administrator) (m seenMerchant, err error) {
		if m.Merchant, err = a.Merchant(ctx, c.Merchant); err != nil {
			return m, err
		}
		if m.Keys, err = a.Keys(ctx, m.ID); err != nil {
			return m, err
		}
		m.Acts, err = a.Log(ctx, admin.LogQuery{Merchant: m.ID, Limit: 10})
		return m, err
	}
}

type merchantSet struct {
	Merchant string   `arg:"" help:"The merchant."`
	Settings []string `arg:"" optional:"" name:"name=value" help:"Settings: JSON, a bare word, or @FILE for a document."`
	place
	Unset []string `placeholder:"NAME" help:"A setting that is to have its default again. May be repeated."`
	Name  string   `help:"Another name."`
	JSON  bool     `help:"Print JSON." name:"json"`
}

func (c merchantSet) Help() string {
	return `Settings are listed in docs/settings.md. All are checked before any is changed. A running server takes a change
made through it at once; one made by another instance within five seconds.

Examples:
  capstan merchant set mer_3CfBQ2mWNPAC0dKtGiCVmfDj begateway.multi_capture=false wepay.fee_threshold_percent=10
  capstan merchant set mer_3CfBQ2mWNPAC0dKtGiCVmfDj risk=@risk.json
  capstan merchant set mer_3CfBQ2mWNPAC0dKtGiCVmfDj --unset risk --name "Corner Shop Ltd"`
}

// Run changes a merchant.
func (c merchantSet) Run(o *output) error {
	change := admin.Change{}
	var err error
	if change.Settings, err = assignments(c.Settings); err != nil {
		return err
	}
	for _, name := range c.Unset {
		change.Settings[name] = json.RawMessage("null")
	}
	if c.Name != "" {
		change.Name = &c.Name
	}
	if len(change.Settings) == 0 && change.Name == nil {
		return usageError("nothing is to be changed: give NAME=VALUE, --unset or --name")
	}
	return changeMerchant(o, c.place, c.Merchant, change, c.JSON)
}

func changeMerchant(o *output, p place, id string, change admin.Change, asJSON bool) error {
	m, err := administer(o, p, changes, func(a admin.Administrator) (admin.Merchant, error) { return a.ChangeMerchant(o, id, change) })
	switch {
	case err != nil:
		return err
	case asJSON:
		return o.print(m)
	}
	fmt.Fprintf(o.out, "Merchant %s, %q, is %s\n", m.ID, m.Name, statusOf(m))
	for _, name := range slices.Sorted(maps.Keys(m.Settings)) {
		fmt.Fprintf(o.out, "  %s = %s\n", name, m.Settings[name])
	}
	return nil
}

// assignments reads NAME=VALUE: JSON, a word, or what is in @FILE.
func assignments(texts []string) (map[string]json.RawMessage, error) {
	settings := map[string]json.RawMessage{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, usageError(fmt.Sprintf("%q is not NAME=VALUE", text))
		}
		raw := []byte(value)
		if path, isFile := strings.CutPrefix(value, "@"); isFile {
			var err error
			if raw, err = os.ReadFile(path); err != nil {
				return nil, err
			}
			if !json.Valid(raw) {
				return nil, fmt.Errorf("%s is not JSON", path)
			}
		} else if !json.Valid(raw) {
			raw, _ = json.Marshal(value)
		}
		settings[name] = raw
	}
	return settings, nil
}

type merchantDisable struct {
	Merchant string `arg:"" help:"The merchant."`
	place
	JSON bool `help:"Print JSON." name:"json"`
}

func (c merchantDisable) Help() string {
	return `None of the merchant's keys lets anybody in any more. What he has begun goes on: holds expire at their
deadline, scheduled captures and settlement take place, processors are asked for what they owe.

Example: capstan merchant disable mer_3CfBQ2mWNPAC0dKtGiCVmfDj`
}

// Run disables a merchant.
func (c merchantDisable) Run(o *output) error {
	yes := true
	return changeMerchant(o, c.place, c.Merchant, admin.Change{Disabled: &yes}, c.JSON)
}

type merchantEnable struct {
	Merchant string `arg:"" help:"The merchant."`
	place
	JSON bool `help:"Print JSON." name:"json"`
}

func (c merchantEnable) Help() string {
	return "Example: capstan merchant enable mer_3CfBQ2mWNPAC0dKtGiCVmfDj"
}

// Run enables a merchant.
func (c merchantEnable) Run(o *output) error {
	no := false
	return changeMerchant(o, c.place, c.Merchant, admin.Change{Disabled: &no}, c.JSON)
}
