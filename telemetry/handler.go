package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
)

// Watcher watches requests: it measures them, and logs and traces them where
// that was asked for.
type Watcher struct {
	Metrics  *Metrics
	Logger   *slog.Logger // of requests, and of faults that nobody else caught
	Requests Requests     // which requests are logged
	Traces   *Traces      // nil if nobody traces

	names names
}

// Handler serves what h does, and watches it. The label is the dialect's name,
// or what else it is. A nil watcher watches nothing.
func (w *Watcher) Handler(label string, h http.Handler) http.Handler {
	if w == nil {
		return h
	}
	inFlight := w.Metrics.requests.inFlight.WithLabelValues(label)
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		x := &exchange{began: clock.Ticks()}
		x.writer.ResponseWriter, x.context.Context, x.context.memo = out, r.Context(), &x.memo
		if w.Traces != nil {
			x.context.Context, x.span = w.Traces.request(r.Context(), r.Header)
		}
		inFlight.Inc()
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					inFlight.Dec()
					panic(p)
				}
				// Where it happened, not with what: that may be a part of a request.
				w.Logger.Error("panic while answering", "dialect", label, "kind", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
				x.memo.Class = dialect.Failed
				if x.writer.status == 0 {
					x.writer.WriteHeader(http.StatusInternalServerError)
				}
			}
			inFlight.Dec()
			w.ended(label, x)
		}()
		h.ServeHTTP(&x.writer, r.WithContext(&x.context))
	})
}

// exchange is a request on its way.
type exchange struct {
	writer  writer
	context carrier
	memo    dialect.Memo
	span    *span // nil if it is not traced
	began   time.Duration
}

// ended does what there is to do when a request was answered.
func (w *Watcher) ended(label string, x *exchange) {
	took := clock.Ticks() - x.began
	class := x.class()
	operation := x.memo.Operation
	if operation == "" {
		operation = unnamed
	}
	w.Metrics.requests.observe(endpoint{label, operation}, class, took)
	logged := w.Requests.wants(class)
	if !logged && x.span == nil {
		return
	}
	seen := request{
		dialect: label, operation: operation, class: class, status: x.writer.status, merchant: x.memo.Merchant, took: took,
		id: x.memo.RequestID, clientID: readable(x.memo.ClientID),
	}
	if seen.id == "" {
		if seen.id = seen.clientID; seen.id == "" {
			seen.id = w.names.next()
		}
	}
	if logged {
		seen.log(w.Logger)
	}
	if x.span != nil {
		x.span.end(seen)
	}
}

// class is what became of the request: what the dialect said, unless the answer
// is a fault that it did not speak of.
func (x *exchange) class() dialect.Class {
	status := x.writer.status
	if status == 0 {
		status = http.StatusOK
	}
	switch by := dialect.ClassOf(status); {
	case x.memo.Class == dialect.Unclassed:
		return by
	case by == dialect.Failed && x.memo.Class == dialect.Done:
		return dialect.Failed
	}
	return x.memo.Class
}

// writer notes the status of an answer.
type writer struct {
	http.ResponseWriter
	status int
}

// WriteHeader sends the header of the answer.
func (w *writer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the answer.
func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// carrier is the context of a request with its memo.
type carrier struct {
	context.Context
	memo *dialect.Memo
}

// Value returns what the context carries.
func (c *carrier) Value(key any) any {
	return dialect.WithMemo(c.Context, c.memo, key)
}
