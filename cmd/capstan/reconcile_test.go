package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/peer"
	"github.com/capstan-pay/capstan/processor/remote"
)

// TestReconcile: differences are listed, adopted and settled from the command
// line; a processor that cannot be asked is named as the reason.
func TestReconcile(t *testing.T) {
	p := peer.Run(t)
	s := capstantest.Run(t, capstantest.With(p.Cards))
	desk := httptest.NewServer(s.Admin())
	t.Cleanup(desk.Close)
	client, err := drive.New("intents", s.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := client.Authorize(t.Context(), 1000, "a"); err != nil || r.Verdict != drive.Done {
		t.Fatalf("%+v %v", r, err)
	}
	name := p.Effects(t)[0].ID
	of := strings.TrimSuffix(name, "1")
	for n, amount := range map[string]int64{"2": 300, "3": 400} {
		body, _ := json.Marshal(remote.Request{ID: of + n, Payment: name, Amount: amount, Currency: "USD"})
		answer, err := http.Post(p.URL+"/v1/capture", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
	for _, step := range []struct {
		code int
		want string // part of what is printed
		args []string
	}{
		{exitFailed, of + "2", nil},
		{exitFailed, "does not have it", []string{"adopt", of + "9", "--reason", "x"}},
		{exitOK, "", []string{"adopt", of + "2", "--reason", "from a backup"}},
		{exitFailed, "settled already", []string{"adopt", of + "2", "--reason", "again"}},
		{exitFailed, of + "3", nil},
		{exitOK, "", []string{"settle", of + "3", "--reason", "given back by the acquirer"}},
		{exitFailed, "settled already", []string{"settle", of + "3", "--reason", "again"}},
		{exitOK, "no differences", nil},
	} {
		var out bytes.Buffer
		code := run(t.Context(), append(append([]string{"reconcile"}, step.args...), "--admin", desk.URL), &out, &out)
		if code != step.code || !strings.Contains(out.String(), step.want) {
			t.Errorf("reconcile %q: exit code %d, %s", step.args, code, &out)
		}
	}
}

// TestReconcileWithoutAnswer: a processor that cannot be asked is named as the
// reason.
func TestReconcileWithoutAnswer(t *testing.T) {
	s := capstantest.Run(t, capstantest.With((&peer.Peer{URL: "http://127.0.0.1:1"}).Cards))
	desk := httptest.NewServer(s.Admin())
	t.Cleanup(desk.Close)
	var out bytes.Buffer
	if code := run(t.Context(), []string{"reconcile", "--admin", desk.URL}, &out, &out); code != exitFailed || !strings.Contains(out.String(), "processor card") {
		t.Errorf("exit code %d, %s", code, &out)
	}
}
