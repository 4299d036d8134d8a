package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// API serves a desk as JSON over HTTP, below /api.
type API struct {
	Desk   *Desk
	Logger *slog.Logger

	// Open lets callers on the same machine in without a token: a sandbox
	// guards nothing.
	Open bool

	mux *http.ServeMux
}

// NewAPI returns the handler.
func NewAPI(desk *Desk, logger *slog.Logger, open bool) *API {
	a := &API{Desk: desk, Logger: logger, Open: open, mux: http.NewServeMux()}
	for pattern, h := range map[string]func(*Desk, *http.Request) (any, error){
		"GET /api/merchants": func(d *Desk, r *http.Request) (any, error) {
			all, err := d.Merchants(r.Context())
			return map[string]any{"merchants": all}, err
		},
		"POST /api/merchants": func(d *Desk, r *http.Request) (any, error) {
			var in NewMerchant
			if err := read(r, &in); err != nil {
				return nil, err
			}
			return d.CreateMerchant(r.Context(), in)
		},
		"GET /api/merchants/{merchant}": func(d *Desk, r *http.Request) (any, error) {
			return d.Merchant(r.Context(), r.PathValue("merchant"))
		},
		"PATCH /api/merchants/{merchant}": func(d *Desk, r *http.Request) (any, error) {
			var in Change
			if err := read(r, &in); err != nil {
				return nil, err
			}
			return d.ChangeMerchant(r.Context(), r.PathValue("merchant"), in)
		},
		"GET /api/merchants/{merchant}/keys": func(d *Desk, r *http.Request) (any, error) {
			all, err := d.Keys(r.Context(), r.PathValue("merchant"))
			return map[string]any{"keys": all}, err
		},
		"POST /api/merchants/{merchant}/keys": func(d *Desk, r *http.Request) (any, error) {
			var in NewKey
			if err := read(r, &in); err != nil {
				return nil, err
			}
			return d.AddKey(r.Context(), r.PathValue("merchant"), in)
		},
		"POST /api/merchants/{merchant}/keys/{key}/disable": func(d *Desk, r *http.Request) (any, error) {
			if err := read(r, &struct{}{}); err != nil {
				return nil, err
			}
			return d.DisableKey(r.Context(), r.PathValue("merchant"), r.PathValue("key"))
		},
		"GET /api/admin-keys": func(d *Desk, r *http.Request) (any, error) {
			all, err := d.AdminKeys(r.Context())
			return map[string]any{"keys": all}, err
		},
		"POST /api/admin-keys": func(d *Desk, r *http.Request) (any, error) {
			var in NewAdminKey
			if err := read(r, &in); err != nil {
				return nil, err
			}
			return d.AddAdminKey(r.Context(), in)
		},
		"POST /api/admin-keys/{key}/disable": func(d *Desk, r *http.Request) (any, error) {
			if err := read(r, &struct{}{}); err != nil {
				return nil, err
			}
			return d.DisableAdminKey(r.Context(), r.PathValue("key"))
		},
		"GET /api/risk": func(d *Desk, r *http.Request) (any, error) { return d.ServerRisk(r.Context()) },
		"PUT /api/risk": func(d *Desk, r *http.Request) (any, error) {
			var document json.RawMessage
			if err := read(r, &document); err != nil {
				return nil, err
			}
			if err := d.SetServerRisk(r.Context(), document); err != nil {
				return nil, err
			}
			return d.ServerRisk(r.Context())
		},
		"GET /api/merchants/{merchant}/deliveries": deliveries,
		"GET /api/merchants/{merchant}/reviews":    reviews,
		"POST /api/payments/{id}/review": func(d *Desk, r *http.Request) (any, error) {
			var in Verdict
			if err := read(r, &in); err != nil {
				return nil, err
			}
			return d.Review(r.Context(), r.PathValue("id"), in)
		},
		"POST /api/merchants/{merchant}/deliveries/repeat": func(d *Desk, r *http.Request) (any, error) {
			var in Redelivery
			if err := read(r, &in); err != nil {
				return nil, err
			}
			return d.Redeliver(r.Context(), r.PathValue("merchant"), in)
		},
		"POST /api/reconcile": func(d *Desk, r *http.Request) (any, error) {
			var in Since
			if err := read(r, &in); err != nil {
				return nil, err
			}
			all, err := d.Reconcile(r.Context(), in)
			return map[string]any{"findings": all}, err
		},
		"POST /api/reconcile/settle": func(d *Desk, r *http.Request) (any, error) {
			var in Settlement
			if err := read(r, &in); err != nil {
				return nil, err
			}
			return in, d.Settle(r.Context(), in)
		},
		"POST /api/reconcile/adopt": func(d *Desk, r *http.Request) (any, error) {
			var in Settlement
			if err := read(r, &in); err != nil {
				return nil, err
			}
			return in, d.Adopt(r.Context(), in)
		},
		"GET /api/log":           log,
		"GET /api/payments/{id}": func(d *Desk, r *http.Request) (any, error) { return d.Explain(r.Context(), r.PathValue("id")) },
	} {
		a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { a.answer(w, r, h) })
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { a.write(w, nil, missing("not found")) })
	return a
}

func log(d *Desk, r *http.Request) (any, error) {
	q := LogQuery{Merchant: r.URL.Query().Get("merchant")}
	for name, set := range map[string]func(int64){"before": func(n int64) { q.Before = n }, "limit": func(n int64) { q.Limit = int(n) }} {
		text := r.URL.Query().Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return nil, invalid("%s is a number from 1", name)
		}
		set(n)
	}
	acts, err := d.Log(r.Context(), q)
	return map[string]any{"acts": acts}, err
}

func deliveries(d *Desk, r *http.Request) (any, error) {
	from := r.URL.Query()
	q := DeliveryQuery{Payment: from.Get("payment"), Message: from.Get("message"), State: from.Get("state")}
	if err := pageOf(from, &q.Since, &q.Before, &q.Limit); err != nil {
		return nil, err
	}
	all, err := d.Deliveries(r.Context(), r.PathValue("merchant"), q)
	return map[string]any{"deliveries": all}, err
}

func reviews(d *Desk, r *http.Request) (any, error) {
	var q ReviewQuery
	if err := pageOf(r.URL.Query(), &q.Since, &q.Before, &q.Limit); err != nil {
		return nil, err
	}
	all, err := d.Reviews(r.Context(), r.PathValue("merchant"), q)
	return map[string]any{"reviews": all}, err
}

// pageOf reads what part of a list is wanted.
func pageOf(from url.Values, since, before *time.Time, limit *int) error {
	for name, into := range map[string]*time.Time{"since": since, "before": before} {
		if from.Get(name) == "" {
			continue
		}
		var err error
		if *into, err = time.Parse(time.RFC3339, from.Get(name)); err != nil {
			return invalid("%s is a time such as 2026-01-15T12:00:00Z", name)
		}
	}
	if text := from.Get("limit"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return invalid("limit is a number from 1")
		}
		*limit = int(n)
	}
	return nil
}

// ServeHTTP answers a request of somebody who may make it.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.Guard(a.mux).ServeHTTP(w, r)
}

// Guard lets only administrators through to h, in live mode those with a
// token. It is for whatever else the admin listener serves.
func (a *API) Guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		by, err := a.admit(r)
		if err != nil {
			a.write(w, nil, err)
			return
		}
		h.ServeHTTP(w, r.WithContext(withName(r.Context(), by)))
	})
}

// admit returns who is asking.
func (a *API) admit(r *http.Request) (string, error) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		name, ok, err := a.Desk.Admit(r.Context(), strings.TrimSpace(token))
		if err != nil {
			return "", err
		}
		if ok {
			return "token:" + name, nil
		}
	} else if a.Open && local(r.RemoteAddr) && local(r.Host) {
		// The Host header keeps out web pages that have their name resolved to
		// this machine.
		return "sandbox", nil
	}
	return "", Problem{http.StatusUnauthorized, "an administrator's token is wanted: Authorization: Bearer capstan_admin_..."}
}

// local tells whether an address, with or without port, is this machine's own.
func local(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// answer calls h for whoever was admitted and writes what it returns.
func (a *API) answer(w http.ResponseWriter, r *http.Request, h func(*Desk, *http.Request) (any, error)) {
	if r.Method != http.MethodGet {
		// Also what makes a browser ask first before a foreign page may send it.
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || kind != "application/json" {
			a.write(w, nil, Problem{http.StatusUnsupportedMediaType, "the body has to be application/json"})
			return
		}
	}
	answer, err := h(a.Desk.As(nameOf(r.Context())), r)
	a.write(w, answer, err)
}

// write writes an answer, or what was wrong.
func (a *API) write(w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		var p Problem
		if !errors.As(err, &p) {
			a.Logger.Error("administration failed", "error", err)
			p = Problem{http.StatusInternalServerError, "internal error"}
		}
		status, answer = p.Status, map[string]string{"error": p.Text}
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		a.Logger.Error("administration failed", "error", err)
		http.Error(w, `{"error":"internal error"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the caller may be gone
}

// maxBody is the largest body: a risk document with long lists.
const maxBody = 1 << 20

// read decodes a JSON body and refuses members that it does not know.
func read(r *http.Request, into any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return invalid("the body cannot be read, or is larger than %d bytes", maxBody)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return invalid("the body is not what is wanted here: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return invalid("something follows the object")
	}
	return nil
}
