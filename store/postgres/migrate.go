package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/internal/failpoint"
)

// migrations are applied in the order of their names. One that was released is
// never changed.
//
//go:embed migrations/*.sql
var migrations embed.FS

// oldest is the oldest PostgreSQL that is good enough.
const oldest = 130000

// migrate applies what is pending in one transaction. Of several processes the
// first does it; the others wait for it and find nothing to do.
func migrate(ctx context.Context, config *pgx.ConnConfig) error {
	conn, err := pgx.ConnectConfig(ctx, config.Copy())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if version, err := schemaOf(ctx, conn); err != nil || version == latest() {
		return err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('capstan schema'), hashtext(current_schema()))`); err != nil {
			return err
		}
		version, err := schemaOf(ctx, conn)
		if err != nil {
			return err
		}
		if version == 0 {
			if _, err := tx.Exec(ctx, `CREATE TABLE capstan_schema (version integer NOT NULL); INSERT INTO capstan_schema VALUES (0)`); err != nil {
				return err
			}
		}
		names, err := fs.Glob(migrations, "migrations/*.sql")
		if err != nil {
			return err
		}
		for i, name := range names {
			if i < version {
				continue
			}
			script, err := migrations.ReadFile(name)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, string(script)); err != nil {
				return fmt.Errorf("apply %s: %w", name, err)
			}
			if _, err := tx.Exec(ctx, `UPDATE capstan_schema SET version = $1`, i+1); err != nil {
				return err
			}
		}
		failpoint.Reach("postgres.migrate.before")
		return nil
	})
	failpoint.Reach("postgres.migrate.after")
	return err
}

// schemaOf returns the version of the store's schema, 0 if there is none. A
// database that this program cannot work with is an error.
func schemaOf(ctx context.Context, conn *pgx.Conn) (version int, err error) {
	var server int
	var there, schema bool
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, to_regclass('capstan_schema') IS NOT NULL, current_schema() IS NOT NULL`).
		Scan(&server, &there, &schema)
	switch {
	case err != nil:
		return 0, err
	case server < oldest:
		return 0, fmt.Errorf("PostgreSQL %d is too old: %d or newer is wanted", server/10000, oldest/10000)
	case !schema:
		return 0, errors.New("no schema of the connection's search_path exists")
	case !there:
		return 0, nil
	}
	err = conn.QueryRow(ctx, `SELECT version FROM capstan_schema`).Scan(&version)
	if err == nil && version > latest() {
		err = fmt.Errorf("the store has schema %d, this version of Capstan knows up to %d", version, latest())
	}
	return version, err
}

// Schema returns which schema the store in a database has, 0 if there is none,
// and which one this version makes of it.
func Schema(ctx context.Context, address string) (has, knows int, err error) {
	config, err := parse(address)
	if err != nil {
		return 0, 0, err
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	has, err = schemaOf(ctx, conn)
	return has, latest(), err
}

// checkCurrent refuses a store that has to be migrated first.
func checkCurrent(ctx context.Context, conn *pgx.Conn) error {
	version, err := schemaOf(ctx, conn)
	switch {
	case err != nil:
		return err
	case version == 0:
		return errors.New("the database has no store of Capstan")
	case version != latest():
		return fmt.Errorf("the store has schema %d and has to be migrated to %d first", version, latest())
	}
	return nil
}

func latest() int {
	names, _ := fs.Glob(migrations, "migrations/*.sql")
	return len(names)
}
