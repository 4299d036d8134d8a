package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// conn is one connection to the target, with one request on it at a time.
type conn struct {
	net.Conn
	mu      sync.Mutex // for who replaces or closes Conn while it may be closed
	buf     []byte     // what was received and is not consumed yet: buf[:n]
	n       int
	body    []byte // scratch for the first bytes of a body that comes in pieces
	closing bool   // the target will close it, or it is of no more use
	renewed time.Time
}

// answer is what is looked at of an answer. It is valid until the next
// exchange.
type answer struct {
	status int
	head   []byte // status line and headers
	body   []byte // at least its first prefix bytes, or all of it
}

const (
	bufferSize = 16 << 10
	prefix     = 2 << 10
)

var errFrame = errors.New("answer is not HTTP/1.1 as expected")

func dial(ctx context.Context, t target) (*conn, error) {
	c := &conn{buf: make([]byte, bufferSize), body: make([]byte, 0, prefix)}
	var d net.Dialer
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	c.Conn, err = d.DialContext(ctx, "tcp", t.address)
	return c, err
}

// restore dials again when the connection is of no more use: after a failed
// exchange, or when the target said that it closes.
func (c *conn) restore(ctx context.Context, t target, failed error) error {
	if failed == nil && !c.closing {
		return nil
	}
	fresh, err := dial(ctx, t)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.Close()
	c.Conn, c.closing, c.renewed = fresh.Conn, false, time.Time{}
	if ctx.Err() != nil { // hangUp may have been there before
		_ = c.Close()
	}
	return nil
}

// hangUp closes the connection, whatever it is doing.
func (c *conn) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.Close()
}

// keep moves the connection's deadline on, at most once a second.
func (c *conn) keep(now time.Time) {
	if now.Sub(c.renewed) > time.Second {
		c.renewed = now
		_ = c.SetDeadline(now.Add(patience))
	}
}

// exchange sends a request and reads the answer to it. After an error the
// connection cannot be used any more.
func (c *conn) exchange(request []byte) (answer, error) {
	c.n = 0
	if _, err := c.Write(request); err != nil {
		return answer{}, fmt.Errorf("send: %w", err)
	}
	head, err := c.receiveHead()
	if err != nil {
		return answer{}, err
	}
	a := answer{head: c.buf[:head]}
	frame, err := parseHead(a.head)
	if err != nil {
		return answer{}, err
	}
	a.status, c.closing = frame.status, frame.close
	switch {
	case frame.chunked:
		a.body, err = c.receiveChunks(head)
	case frame.length >= 0:
		a.body, err = c.receiveBody(head, frame.length)
	case a.status != 204:
		return answer{}, errFrame // the body would end with the connection
	}
	return a, err
}

// fill reads more into the buffer, which must have room.
func (c *conn) fill() error {
	n, err := c.Read(c.buf[c.n:])
	c.n += n
	switch {
	case n > 0:
		return nil
	case errors.Is(err, io.EOF):
		return errors.New("connection closed before the answer was complete")
	}
	return fmt.Errorf("receive: %w", err)
}

// receiveHead reads until the empty line and returns where the body begins,
// which is in the first half of the buffer.
func (c *conn) receiveHead() (int, error) {
	for seen := 0; ; {
		if seen > len(c.buf)/2 {
			return 0, errFrame
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
		if i := bytes.Index(c.buf[seen:c.n], []byte("\r\n\r\n")); i >= 0 {
			return seen + i + 4, nil
		}
		seen = max(c.n-3, 0)
	}
}

// receiveBody reads a body of a known length that begins at buf[at].
func (c *conn) receiveBody(at, length int) ([]byte, error) {
	kept := min(length, len(c.buf)-at)
	for c.n < at+kept {
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
	body := c.buf[at : at+kept]
	if rest := length - kept; rest > 0 {
		_, err := io.CopyN(io.Discard, c.Conn, int64(rest))
		return body, err
	}
	if c.n > at+length {
		return nil, errFrame
	}
	return body, nil
}

// receiveChunks reads a chunked body that begins at buf[at], and keeps its
// first bytes. The head before it stays where it is.
func (c *conn) receiveChunks(at int) ([]byte, error) {
	c.body = c.body[:0]
	start, pos := at, at // what is before pos has been dealt with
	for {
		line, next, err := c.line(start, pos)
		if err != nil {
			return nil, err
		}
		size, err := chunkSize(line)
		if err != nil {
			return nil, err
		}
		pos = next
		for left := size; left > 0; {
			if pos == c.n {
				c.n, pos = start, start
				if err := c.fill(); err != nil {
					return nil, err
				}
			}
			n := min(left, c.n-pos)
			if room := cap(c.body) - len(c.body); room > 0 {
				c.body = append(c.body, c.buf[pos:pos+min(n, room)]...)
			}
			pos, left = pos+n, left-n
		}
		// The line after the data is empty, and so is the one after the last
		// chunk: trailers are not expected.
		line, next, err = c.line(start, pos)
		if err != nil || len(line) != 0 {
			return nil, errors.Join(errFrame, err)
		}
		if pos = next; size == 0 {
			if pos != c.n {
				return nil, errFrame
			}
			return c.body, nil
		}
	}
}

// line returns the line at pos, without its end, and where the next begins. It
// makes room by dropping what lies between start and pos.
func (c *conn) line(start, pos int) ([]byte, int, error) {
	for {
		if i := bytes.IndexByte(c.buf[pos:c.n], '\n'); i > 0 && c.buf[pos+i-1] == '\r' {
			return c.buf[pos : pos+i-1], pos + i + 1, nil
		} else if i >= 0 || c.n-pos > 1<<10 {
			return nil, 0, errFrame
		}
		if pos > start {
			c.n = start + copy(c.buf[start:], c.buf[pos:c.n])
			pos = start
		}
		if c.n == len(c.buf) {
			return nil, 0, errFrame
		}
		if err := c.fill(); err != nil {
			return nil, 0, err
		}
	}
}
