package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/postgres"
	"github.com/capstan-pay/capstan/store/storetest"
)

// colliding has one of so many statements that write, and of so many commits that
// wrote, fail as if another transaction had been in the way.
func colliding(t *testing.T, address string, code string, every int, happened *atomic.Int64) {
	t.Helper()
	conn, err := pgx.Connect(ctx, address)
	check(t, err)
	tables := texts(t, conn, `SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname <> 'capstan_schema'`)
	script := fmt.Sprintf(`CREATE SEQUENCE collisions MINVALUE 0; CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF random() * %d * (CASE TG_NAME WHEN 'collides' THEN 1 ELSE 400 END) < 1 THEN
			PERFORM nextval('collisions');
			RAISE EXCEPTION 'a collision' USING ERRCODE = '%s';
		END IF;
		RETURN NULL;
	END $$;`, every, code)
	for _, table := range tables {
		script += fmt.Sprintf(`CREATE TRIGGER collides BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT EXECUTE FUNCTION collide();
			CREATE CONSTRAINT TRIGGER collides_late AFTER INSERT ON %[1]s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION collide();`, table)
	}
	_, err = conn.Exec(ctx, script)
	check(t, err)
	t.Cleanup(func() {
		var n int64
		check(t, conn.QueryRow(ctx, `SELECT last_value FROM collisions`).Scan(&n))
		happened.Add(n)
		_, err := conn.Exec(ctx, `DROP FUNCTION collide() CASCADE; DROP SEQUENCE collisions`)
		for range 20 { // somebody may look at the tables to clean them
			if err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
			_, err = conn.Exec(ctx, `DROP FUNCTION collide() CASCADE; DROP SEQUENCE collisions`)
		}
		check(t, err)
		check(t, conn.Close(ctx))
	})
}

// insistent begins a batch anew, as the engine does, where one of the collisions
// has ended it before it was written, or has let it find out that there is not
// enough money without its locks.
type insistent struct{ *postgres.Store }

func (s insistent) Begin(ctx context.Context, touched store.Touched) (store.Batch, error) {
	b, err := s.Store.Begin(ctx, touched)
	return &insistentBatch{b, s, touched}, err
}

type insistentBatch struct {
	store.Batch
	s       insistent
	touched store.Touched
}

func (b *insistentBatch) Commit(ctx context.Context, changes []store.Change) error {
	for {
		err := b.Batch.Commit(ctx, changes)
		if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "look up") && !strings.Contains(err.Error(), "23514") {
			return err
		}
		if b.Batch, err = b.s.Store.Begin(ctx, b.touched); err != nil {
			return err
		}
	}
}

// Every promise is kept while the database gives up transactions all the time:
// they are sent again, and nobody hears of it.
func TestStoreThatCollides(t *testing.T) {
	for i, code := range []string{"40001", "40P01"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			var happened atomic.Int64
			storetest.Run(t, func(t *testing.T) store.Store {
				address := pgtest.StoreURL(t)
				if err := pgtest.OpenAt(t, address).Close(); err != nil { // the tables are there
					t.Fatal(err)
				}
				colliding(t, address, code, 30, &happened)
				return insistent{pgtest.OpenAt(t, address, at(levels[1+i]))}
			})
			if happened.Load() < 20 {
				t.Errorf("%d collisions prove nothing", happened.Load())
			}
		})
	}
}
