// Package simulator is a card acquirer as a process of its own: the peer of
// package processor/remote, for rehearsals. It performs each operation once,
// whatever is lost, late or doubled on the way, and keeps a journal of every
// effect that is on disk before it answers.
package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor/cardsim"
	"github.com/capstan-pay/capstan/processor/remote"
)

const (
	bodyLimit = 64 << 10
	pageSize  = 500 // operations of one list
)

var operations = []string{"authorize", "capture", "void", "refund", "payout"}

// Simulator is the acquirer. It is an http.Handler and safe for concurrent use.
type Simulator struct {
	clock   clock.Clock
	journal *journal
	mux     *http.ServeMux
	ended   chan struct{}

	mu       sync.Mutex
	steps    map[queue][]step
	known    map[string]*operation // by ID
	payments map[string]*account   // by the ID of the authorize operation
	listed   []remote.Effect       // in the order of the journal
}

// operation is what became of an operation.
type operation struct {
	answer  remote.Answer
	request string        // digest of what was asked; empty after a restart
	done    chan struct{} // closed when the answer is on disk
}

// account is what was moved for a payment.
type account struct {
	authorized, captured, refunded int64
	captures                       int
}

// Open returns a simulator that goes on with a journal.
func Open(path string, c clock.Clock) (*Simulator, error) {
	j, err := openJournal(path)
	if err != nil {
		return nil, err
	}
	s := &Simulator{
		clock: c, journal: j, ended: make(chan struct{}), steps: map[queue][]step{}, known: map[string]*operation{}, payments: map[string]*account{},
	}
	done := make(chan struct{})
	close(done)
	err = each(j.answers, func(r refused) {
		s.known[r.ID] = &operation{answer: remote.Answer{ID: r.ID, Outcome: r.Outcome, Reason: r.Reason}, request: r.Request, done: done}
	})
	if err == nil {
		err = each(j.effects, func(e remote.Effect) {
			s.known[e.ID] = &operation{answer: approved(e.ID, e.Amount), request: digestOf(e), done: done}
			s.book(e)
		})
	}
	if err != nil {
		_ = j.Close()
		return nil, err
	}
	s.mux = http.NewServeMux()
	for _, name := range operations {
		s.mux.HandleFunc("POST /v1/"+name, func(w http.ResponseWriter, r *http.Request) { s.perform(w, r, name) })
	}
	s.mux.HandleFunc("GET /v1/operations/{id}", s.inquire)
	s.mux.HandleFunc("POST /v1/operations/{id}/seal", s.seal)
	s.mux.HandleFunc("GET /v1/operations", s.list)
	s.mux.HandleFunc("POST /_sandbox/processor", s.control)
	return s, nil
}

// ServeHTTP answers the plugin protocol, and POST /_sandbox/processor.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close ends what waits, and closes the journal.
func (s *Simulator) Close() error {
	close(s.ended)
	return s.journal.Close()
}

// perform is POST /v1/{operation}.
func (s *Simulator) perform(w http.ResponseWriter, r *http.Request, name string) {
	var in remote.Request
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err := d.Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "the body is not JSON as agreed")
		return
	}
	key := r.Header.Get("Idempotency-Key")
	switch {
	case in.ID == "" || key != "" && key != in.ID:
		refuse(w, http.StatusBadRequest, "id must name the operation, as the header Idempotency-Key does")
		return
	case in.Payment == "" || in.Amount < 1 || in.Currency == "":
		refuse(w, http.StatusBadRequest, "payment, amount and currency are needed")
		return
	}
	effect := remote.Effect{Operation: name, ID: in.ID, Payment: in.Payment, Amount: in.Amount, Currency: in.Currency}
	if op := s.look(in.ID); op != nil {
		s.again(w, r, op, effect)
		return
	}
	step := s.take(in.Merchant, name)
	switch step.outcome {
	case late, pendingApproved:
		if step.outcome == pendingApproved {
			s.note(in.ID, effect)
		}
		time.AfterFunc(step.delay, func() { s.do(in, effect, "") })
		if step.outcome == late {
			cut(w)
			return
		}
		write(w, http.StatusOK, remote.Answer{ID: in.ID, Outcome: remote.Pending})
		return
	}
	if !s.pause(r, step.delay) {
		return
	}
	switch step.outcome {
	case timeout:
		cut(w)
	case failed:
		refuse(w, http.StatusInternalServerError, "as ordered")
	case lostThenApproved, failedApproved:
		if op := s.do(in, effect, ""); op != nil && step.outcome == failedApproved {
			refuse(w, http.StatusInternalServerError, "as ordered")
			return
		}
		cut(w)
	case decline, lostThenDeclined:
		reason := step.reason
		if reason == "" {
			reason = payment.GenericDecline
		}
		op := s.do(in, effect, reason)
		if step.outcome == lostThenDeclined {
			cut(w)
			return
		}
		tell(w, op)
	case contradict:
		if s.do(in, effect, "") != nil {
			write(w, http.StatusOK, remote.Answer{ID: in.ID, Outcome: remote.Declined, Reason: payment.GenericDecline})
			return
		}
		tell(w, nil)
	default:
		tell(w, s.do(in, effect, ""))
	}
}

// again answers a request for an operation that is known.
func (s *Simulator) again(w http.ResponseWriter, r *http.Request, op *operation, e remote.Effect) {
	select {
	case <-op.done:
	case <-r.Context().Done():
		return
	}
	if op.request != "" && op.request != digestOf(e) && op.answer.Outcome != remote.Sealed {
		refuse(w, http.StatusConflict, "the operation is known, and was another")
		return
	}
	tell(w, op)
}

// do performs an operation, or declines it for a reason, once. It returns nil
// when that could not be written.
func (s *Simulator) do(in remote.Request, e remote.Effect, reason payment.Reason) *operation {
	s.mu.Lock()
	if op := s.known[in.ID]; op != nil && op.answer.Outcome != remote.Pending {
		s.mu.Unlock()
		<-op.done
		return op
	}
	op := &operation{answer: remote.Answer{ID: in.ID, Outcome: remote.Declined, Reason: reason}, request: digestOf(e), done: make(chan struct{})}
	if reason == "" {
		op.answer = s.decide(in, e)
	}
	s.known[in.ID] = op
	performed := op.answer.Outcome == remote.Approved
	e.At = s.clock.Now().Format(time.RFC3339Nano)
	if performed {
		s.book(e)
	}
	s.mu.Unlock()
	var err error
	if performed {
		err = s.journal.effects.append(e)
	} else {
		err = s.journal.answers.append(refused{ID: in.ID, Outcome: op.answer.Outcome, Reason: op.answer.Reason, Request: op.request})
	}
	if err != nil {
		return nil // it is never answered: done stays open
	}
	close(op.done)
	return op
}

// decide says by the test card and by what is booked what becomes of an
// operation. The simulator's mutex is held.
func (s *Simulator) decide(in remote.Request, e remote.Effect) remote.Answer {
	declined := func(why payment.Reason, message string) remote.Answer {
		return remote.Answer{ID: in.ID, Outcome: remote.Declined, Reason: why, Message: message}
	}
	a := s.payments[in.Payment]
	switch e.Operation {
	case "capture", "void", "refund":
		if a == nil {
			return declined(payment.AuthorizationLapsed, "Unknown authorization")
		}
	}
	if e.Operation == "refund" && a.refunded+e.Amount > a.captured && a.captured > 0 {
		return declined(payment.GenericDecline, "More than was captured")
	}
	return byCard(in, e, a)
}

// kinds are the operations in the words of the simulated cards.
var kinds = map[string]payment.OperationKind{
	"authorize": payment.OpAuthorize, "capture": payment.OpCapture, "void": payment.OpVoid, "refund": payment.OpRefund, "payout": payment.OpPayout,
}

// byCard asks the simulated acquirer of the sandbox. The payer has always
// authenticated; what that one leaves to a call is approved.
func byCard(in remote.Request, e remote.Effect, a *account) remote.Answer {
	p := &payment.Payment{}
	if in.Card != nil {
		p.Method.Brand, p.Method.Simulate = in.Card.Brand, in.Card.Simulate
		if p.Method.Simulate == "" {
			p.Method.Simulate = cardsim.Behaviour(in.Card.Number)
		}
	}
	if a != nil {
		for range a.captures {
			p.Operations = append(p.Operations, payment.Operation{Kind: payment.OpCapture})
		}
	}
	said := cardsim.Processor{}.Decide(payment.Instruction{Payment: p, Kind: kinds[e.Operation], Amount: in.Amount, PayerDone: true}, nil)
	if said.Result == payment.Refused {
		return remote.Answer{ID: in.ID, Outcome: remote.Declined, Reason: said.Reason, Message: said.Message}
	}
	return approved(in.ID, in.Amount)
}

// book counts what was performed. The simulator's mutex is held.
func (s *Simulator) book(e remote.Effect) {
	s.listed = append(s.listed, e)
	a := s.payments[e.Payment]
	if a == nil {
		a = &account{}
		s.payments[e.Payment] = a
	}
	switch e.Operation {
	case "authorize":
		a.authorized += e.Amount
	case "capture":
		a.captured += e.Amount
		a.captures++
	case "refund":
		a.refunded += e.Amount
	}
}

// note makes an operation known that has no final answer yet.
func (s *Simulator) note(id string, e remote.Effect) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := &operation{answer: remote.Answer{ID: id, Outcome: remote.Pending}, request: digestOf(e), done: make(chan struct{})}
	close(op.done)
	s.known[id] = op
}

func (s *Simulator) look(id string) *operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[id]
}

// inquire is GET /v1/operations/{id}.
func (s *Simulator) inquire(w http.ResponseWriter, r *http.Request) {
	op := s.look(r.PathValue("id"))
	if op == nil {
		refuse(w, http.StatusNotFound, "no such operation")
		return
	}
	select {
	case <-op.done:
		tell(w, op)
	case <-r.Context().Done():
	}
}

// seal is POST /v1/operations/{id}/seal.
func (s *Simulator) seal(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	s.mu.Lock()
	op := s.known[id]
	fresh := op == nil
	if fresh {
		op = &operation{answer: remote.Answer{ID: id, Outcome: remote.Sealed}, done: make(chan struct{})}
		s.known[id] = op
	}
	s.mu.Unlock()
	if fresh {
		if err := s.journal.answers.append(refused{ID: id, Outcome: remote.Sealed}); err != nil {
			tell(w, nil)
			return
		}
		close(op.done)
	}
	select {
	case <-op.done:
		tell(w, op)
	case <-r.Context().Done():
	}
}

// list is GET /v1/operations: what was performed, in the order of the journal.
func (s *Simulator) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var since time.Time
	if text := q.Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			refuse(w, http.StatusBadRequest, "since must be a time as in RFC 3339")
			return
		}
	}
	first := 0
	if text := q.Get("cursor"); text != "" {
		var err error
		if first, err = strconv.Atoi(text); err != nil || first < 0 {
			refuse(w, http.StatusBadRequest, "this cursor was not given by us")
			return
		}
	}
	s.mu.Lock()
	all := s.listed[:len(s.listed):len(s.listed)]
	s.mu.Unlock()
	page := remote.List{Operations: []remote.Effect{}}
	for i := min(first, len(all)); i < len(all); i++ {
		if at, err := time.Parse(time.RFC3339, all[i].At); err == nil && at.Before(since) {
			continue
		}
		if len(page.Operations) == pageSize {
			page.Next = strconv.Itoa(i)
			break
		}
		page.Operations = append(page.Operations, all[i])
	}
	write(w, http.StatusOK, page)
}

// pause waits; false is that nobody waits for the answer any more. What was not
// performed by then is not.
func (s *Simulator) pause(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-r.Context().Done():
	case <-s.ended:
	}
	return false
}

// approved is the answer to what was performed. It follows from the name and
// the amount, so it is the same after a restart.
func approved(id string, amount int64) remote.Answer {
	sum := sha256.Sum256([]byte(id))
	return remote.Answer{
		ID: id, Outcome: remote.Approved, Amount: amount, Reference: hex.EncodeToString(sum[:8]),
		AuthCode: fmt.Sprintf("%06d", (int(sum[8])<<16|int(sum[9])<<8|int(sum[10]))%1_000_000),
	}
}

// digestOf tells one operation from another under the same name.
func digestOf(e remote.Effect) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %q", e.Operation, e.ID, e.Payment, e.Amount, e.Currency))
	return hex.EncodeToString(sum[:8])
}

// tell answers with what became of an operation; nil is that it could not be
// written.
func tell(w http.ResponseWriter, op *operation) {
	if op == nil {
		refuse(w, http.StatusInternalServerError, "the journal cannot be written")
		return
	}
	write(w, http.StatusOK, op.answer)
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	panic(http.ErrAbortHandler)
}

func refuse(w http.ResponseWriter, status int, why string) {
	write(w, status, map[string]string{"error": why})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
