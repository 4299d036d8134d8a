package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/capstan-pay/capstan/internal/failpoint"
)

// rows are rows for a statement: an array for each column, cut into pieces
// that one statement can take.
type rows struct {
	*statement
	full [][]array // pieces that are full
	last []array
}

func (r *rows) reset(s *statement) {
	r.statement, r.full = s, nil
	if len(r.last) != len(s.columns) {
		r.last = make([]array, len(s.columns))
	}
	for i := range r.last {
		r.last[i].reset()
	}
}

// next returns the columns that the next row has to be added to, each once.
func (r *rows) next() []array {
	if r.last[0].n == perStatement {
		r.full = append(r.full, r.last)
		r.last = make([]array, len(r.columns))
	}
	return r.last
}

func (r *rows) empty() bool { return len(r.last) == 0 || r.last[0].n == 0 }

// trip is a round trip: statements that go to the database together. After one
// that fails the others are not run.
type trip struct {
	conn  *pgconn.PgConn
	known map[string]*pgconn.StatementDescription
	pipe  *pgconn.Pipeline
	reads []func(row) error
}

var binaryFormat = []int16{1}

// travel begins a round trip. Every trip must come home.
func travel(ctx context.Context, conn *pgx.Conn) *trip {
	known, _ := conn.PgConn().CustomData()[statementsKey].(map[string]*pgconn.StatementDescription)
	return &trip{conn: conn.PgConn(), known: known, pipe: conn.PgConn().StartPipeline(ctx)}
}

// do sends a statement with the parameters it takes; read, which may be nil,
// is called with every row of its result.
func (t *trip) do(s *statement, read func(row) error, parameters ...[]byte) {
	t.pipe.SendQueryStatement(t.known[s.name], parameters, binaryFormat, binaryFormat)
	t.reads = append(t.reads, read)
}

// send sends a statement with all rows there are for it, if there are any.
func (t *trip) send(r *rows, read func(row) error) {
	if r.empty() {
		return
	}
	for _, piece := range append(r.full, r.last) {
		parameters := make([][]byte, len(piece), len(piece)+1)
		for i := range piece {
			parameters[i] = piece[i].value(r.columns[i])
		}
		if r.counted {
			parameters = append(parameters, binary.BigEndian.AppendUint64(nil, uint64(piece[0].n)))
		}
		t.do(r.statement, read, parameters...)
	}
}

// errReading wraps what a reader of rows has returned, to tell it from what
// the database has.
type errReading struct{ error }

func (e errReading) Unwrap() error { return e.error }

// home sends what was collected and reads the results. It returns the first
// error there is, and the tag of the last statement.
func (t *trip) home() (tag pgconn.CommandTag, err error) {
	note := func(e error) {
		if err == nil {
			err = e
		}
	}
	if e := t.pipe.Sync(); e != nil {
		note(e)
	}
	failpoint.Reach("postgres.trip.sent")
	for _, read := range t.reads {
		result, e := t.pipe.GetResults()
		if e != nil {
			note(e)
			break
		}
		reader, ok := result.(*pgconn.ResultReader)
		if !ok {
			note(fmt.Errorf("postgres: unexpected %T", result))
			break
		}
		for reader.NextRow() {
			if read != nil && err == nil {
				if e := read(reader.Values()); e != nil {
					note(errReading{e})
				}
			}
		}
		var e2 error
		if tag, e2 = reader.Close(); e2 != nil {
			note(e2)
			break
		}
	}
	note(t.pipe.Close())
	return tag, err
}

const statementsKey = "capstan statements"

// prepare prepares the statements of a connection that writes, in one round
// trip. The plans are made once: those of a planner that knows nothing of the
// arrays' lengths, and may only walk indexes, are right for every length.
func prepare(ctx context.Context, conn *pgx.Conn, begin string) error {
	all := append([]*statement{{name: beginWork.name, query: begin}}, prepared...)
	pipe := conn.PgConn().StartPipeline(ctx)
	for _, s := range all {
		pipe.SendPrepare(s.name, s.query, nil)
	}
	err := pipe.Sync()
	known := make(map[string]*pgconn.StatementDescription, len(all))
	for _, s := range all {
		if err != nil {
			break
		}
		var result any
		if result, err = pipe.GetResults(); err != nil {
			err = fmt.Errorf("prepare %s: %w", s.name, err)
			break
		}
		d, ok := result.(*pgconn.StatementDescription)
		if !ok {
			err = fmt.Errorf("prepare %s: unexpected %T", s.name, result)
			break
		}
		d.Name = s.name
		known[s.name] = d
	}
	if err = errors.Join(err, pipe.Close()); err != nil {
		return err
	}
	conn.PgConn().CustomData()[statementsKey] = known
	return nil
}
