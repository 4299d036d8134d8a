package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/postgres"
	"github.com/capstan-pay/capstan/store/sqlite"
)

// onPostgres tells whether a --store is a database; else it is a file.
func onPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

// shown is a --store as it may be printed: without a password.
func shown(address string) string {
	if !onPostgres(address) {
		return address
	}
	u, err := url.Parse(address)
	if err != nil {
		return "postgres://..."
	}
	if q := u.Query(); q.Has("password") {
		q.Set("password", "xxxxx")
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

// openStore opens the store that --store names for serving.
func openStore(ctx context.Context, address string) (store.Store, error) {
	if onPostgres(address) {
		return postgres.Open(ctx, address, postgres.Options{MachineTime: clock.System{}.Now})
	}
	return sqlite.Open(ctx, address, sqlite.Options{})
}

// openReadOnly opens the store that --store names for reading, also beside live
// servers.
func openReadOnly(ctx context.Context, address string) (store.Store, error) {
	if onPostgres(address) {
		return postgres.OpenReadOnly(ctx, address)
	}
	return sqlite.OpenReadOnly(ctx, address)
}

// sealingKeys are the keys of a store. A file has its own beside it. A
// database has no such place: a sandbox there uses keys that everybody knows,
// since they guard nothing, and a live store wants --keys.
func sealingKeys(ctx context.Context, address, keys string, sandbox bool, st store.Store) (keyring.Sealing, error) {
	switch {
	case keys != "":
		return readKeys(ctx, keys, st)
	case !onPostgres(address):
		return readKeys(ctx, address+".keys", st)
	case sandbox:
		return keyring.Published(), nil
	}
	return keyring.Sealing{}, usageError(fmt.Sprintf("a live store in a database wants --keys: a file that every instance on %s has", shown(address)))
}
