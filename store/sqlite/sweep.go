package sqlite

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/store"
)

// sweeper remembers where something is that will be over.
//
// Records have no index by expiry: it would cost every capture a row. They are
// read in chunks of neighbouring ids instead, and of each chunk the earliest
// expiry is remembered, so that it is read again when that has come. No row is
// added to a chunk behind which there are others: an id is used again only when
// it was the highest.
type sweeper struct {
	mu       sync.Mutex
	chunks   []int64 // earliest expiry in each chunk of records but the last; 0 is not known
	last     int64   // the highest id of a record when the last chunk was read
	earliest int64   // earliest expiry in it

	counters, grants pass
}

const (
	chunkSize     = 2048 // ids
	chunksAtATime = 2
	passSize      = 2048 // rows
)

// pass is a walk through a table from the beginning to the end.
type pass struct {
	tenant int64
	name   string // with tenant, the last row that was looked at
	under  bool   // the walk has begun and not ended
	due    int64  // when the next one begins
}

const passEvery = int64(time.Hour / time.Millisecond)

// Sweep implements store.Store.
func (s *Store) Sweep(ctx context.Context, over store.Over, limit int) (done store.Swept, err error) {
	if s.writer == nil {
		return done, ErrReadOnly
	}
	s.sweeper.mu.Lock()
	defer s.sweeper.mu.Unlock()
	before, grants := over.Before.UnixMilli(), over.Grants.UnixMilli()
	for _, step := range []func() error{
		func() error { return s.sweepRecords(ctx, before, limit, &done) },
		func() error {
			n, more, err := s.sweepPass(ctx, &s.sweeper.counters, "counters", "expires", before, limit-done.Rows())
			done.Counters, done.More = n, done.More || more
			return err
		},
		func() error {
			n, more, err := s.sweepPass(ctx, &s.sweeper.grants, "wallet_grants", "expires_at", grants, limit-done.Rows())
			done.Grants, done.More = n, done.More || more
			return err
		},
		func() error { return s.sweepDocuments(ctx, before, limit, &done) },
		func() error { return s.sweepNotices(ctx, over.Notices, limit, &done) },
	} {
		if done.Rows() >= limit {
			done.More = true
			break
		}
		if err := step(); err != nil {
			return done, err
		}
	}
	return done, nil
}

// sweepRecords reads a few chunks that have expired records, or of which that
// is not known, and deletes what is over.
func (s *Store) sweepRecords(ctx context.Context, before int64, limit int, done *store.Swept) error {
	w := &s.sweeper
	if lowest := s.writer.lowest.Swap(0); lowest != 0 {
		w.resize(min(lowest, int64(len(w.chunks))*chunkSize))
	}
	last, err := s.lastRecord(ctx)
	if err != nil {
		return err
	}
	w.resize(last)
	var ids []int64
	learned := map[int]int64{} // what the chunks that were read will have when ids are gone
	read := 0
	for i := range len(w.chunks) + 1 {
		if i < len(w.chunks) && w.chunks[i] > before || i == len(w.chunks) && w.last == last && w.earliest > before {
			continue
		}
		if read++; read > chunksAtATime || len(ids) >= limit {
			done.More = true
			break
		}
		found, earliest, err := s.expired(ctx, int64(i)*chunkSize, before)
		if err != nil {
			return err
		}
		if len(ids)+len(found) > limit {
			found, earliest, done.More = found[:limit-len(ids)], 0, true
		}
		ids = append(ids, found...)
		learned[i] = earliest
	}
	deleted, left := 0, last
	if len(ids) > 0 {
		if deleted, left, err = s.deleteRecords(ctx, ids, before); err != nil {
			return err
		}
		last = min(last, left) // what was added meanwhile was not read
	}
	done.Records += deleted
	for i, earliest := range learned {
		if i < len(w.chunks) {
			w.chunks[i] = earliest
		} else {
			w.last, w.earliest = last, earliest
		}
	}
	w.resize(last)
	return nil
}

// resize keeps what is known of the chunks behind which there are records.
func (w *sweeper) resize(last int64) {
	whole := int(last / chunkSize)
	if whole < len(w.chunks) {
		w.chunks = w.chunks[:whole]
	}
	w.chunks = append(w.chunks, make([]int64, whole-len(w.chunks))...)
}

func (s *Store) lastRecord(ctx context.Context) (last int64, err error) {
	err = s.read(ctx, func(r *reader) error {
		last, err = lastRecord(r.conn)
		return err
	})
	return last, err
}

func lastRecord(conn *sqlite.Conn) (last int64, err error) {
	err = each(conn.Prep(`SELECT ifnull(max(id), 0) FROM records`), func(row *sqlite.Stmt) error {
		last = row.ColumnInt64(0)
		return nil
	})
	return last, err
}

// expired returns the records of a chunk that are over, and the earliest
// moment at which another one may be.
func (s *Store) expired(ctx context.Context, from, before int64) (ids []int64, earliest int64, err error) {
	earliest = math.MaxInt64
	err = s.read(ctx, func(r *reader) error {
		stmt := r.conn.Prep(`SELECT id, expires, pending FROM records WHERE id >= ? AND id < ? AND expires IS NOT NULL`)
		stmt.BindInt64(1, from)
		stmt.BindInt64(2, from+chunkSize)
		return each(stmt, func(row *sqlite.Stmt) error {
			switch expires := row.ColumnInt64(1); {
			case expires > before:
				earliest = min(earliest, expires)
			case row.ColumnBool(2):
				earliest = min(earliest, before+1) // it may be answered at any moment
			default:
				ids = append(ids, row.ColumnInt64(0))
			}
			return nil
		})
	})
	return ids, earliest, err
}

// deleteRecords deletes what is still over of some records. It returns how many
// that were, and the highest id of what is left.
func (s *Store) deleteRecords(ctx context.Context, ids []int64, before int64) (deleted int, last int64, err error) {
	err = s.change(ctx, func(conn *sqlite.Conn) error {
		stmt := conn.Prep(`DELETE FROM records WHERE id = ? AND pending IS NULL AND expires <= ?`)
		for _, id := range ids {
			stmt.BindInt64(1, id)
			stmt.BindInt64(2, before)
			if err := run(stmt); err != nil {
				return err
			}
			deleted += conn.Changes()
		}
		err := markSwept(conn, metaSwept, before)
		if err == nil {
			last, err = lastRecord(conn)
		}
		return err
	})
	return deleted, last, err
}

// markSwept tells audits what they must not miss.
func markSwept(conn *sqlite.Conn, name string, before int64) error {
	stmt := conn.Prep(`INSERT INTO meta (name, value, checksum) VALUES (?1, CAST(?2 AS BLOB), row_checksum(?1, CAST(?2 AS BLOB)))
		ON CONFLICT (name) DO UPDATE SET value = excluded.value, checksum = excluded.checksum WHERE CAST(CAST(value AS TEXT) AS INTEGER) < ?2`)
	stmt.BindText(1, name)
	stmt.BindInt64(2, before)
	return run(stmt)
}

// sweepPass walks on through a table that is ordered by tenant and name, and
// deletes what is over.
func (s *Store) sweepPass(ctx context.Context, p *pass, table, expires string, before int64, limit int) (deleted int, more bool, err error) {
	if !p.under {
		if before < p.due {
			return 0, false, nil
		}
		*p = pass{tenant: math.MinInt64, under: true, due: before + passEvery}
	}
	type row struct {
		tenant int64
		name   string
	}
	var over []row
	at, seen := row{p.tenant, p.name}, 0
	err = s.read(ctx, func(r *reader) error {
		stmt := r.conn.Prep(`SELECT tenant, name, ` + expires + ` FROM ` + table + ` WHERE (tenant, name) > (?, ?) ORDER BY tenant, name LIMIT ?`)
		stmt.BindInt64(1, p.tenant)
		stmt.BindText(2, p.name)
		stmt.BindInt64(3, passSize)
		return some(stmt, func(found *sqlite.Stmt) (bool, error) {
			seen++
			at = row{found.ColumnInt64(0), found.ColumnText(1)}
			if found.ColumnInt64(2) <= before {
				over = append(over, at)
			}
			return len(over) < limit, nil
		})
	})
	if err != nil {
		return 0, false, err
	}
	if len(over) > 0 {
		err = s.change(ctx, func(conn *sqlite.Conn) error {
			stmt := conn.Prep(`DELETE FROM ` + table + ` WHERE tenant = ? AND name = ? AND ` + expires + ` <= ?`)
			for _, r := range over {
				stmt.BindInt64(1, r.tenant)
				stmt.BindText(2, r.name)
				stmt.BindInt64(3, before)
				if err := run(stmt); err != nil {
					return err
				}
				deleted += conn.Changes()
			}
			return nil
		})
		if err != nil {
			return 0, false, err
		}
	}
	p.tenant, p.name = at.tenant, at.name
	p.under = seen == passSize || len(over) == limit
	return deleted, p.under, nil
}

// sweepDocuments deletes documents that are over: they have an index.
func (s *Store) sweepDocuments(ctx context.Context, before int64, limit int, done *store.Swept) error {
	limit -= done.Rows()
	var over []int64
	err := s.read(ctx, func(r *reader) error {
		stmt := r.conn.Prep(`SELECT serial FROM documents WHERE expires <= ? ORDER BY expires LIMIT ?`)
		stmt.BindInt64(1, before)
		stmt.BindInt64(2, int64(limit))
		return each(stmt, func(row *sqlite.Stmt) error {
			over = append(over, row.ColumnInt64(0))
			return nil
		})
	})
	if err != nil || len(over) == 0 {
		return err
	}
	slices.Sort(over)
	deleted := 0
	err = s.change(ctx, func(conn *sqlite.Conn) error {
		stmt := conn.Prep(`DELETE FROM documents WHERE serial = ? AND expires <= ?`)
		for _, serial := range over {
			stmt.BindInt64(1, serial)
			stmt.BindInt64(2, before)
			if err := run(stmt); err != nil {
				return err
			}
			deleted += conn.Changes()
		}
		return nil
	})
	if err == nil {
		done.Documents, done.More = deleted, done.More || len(over) == limit
	}
	return err
}
