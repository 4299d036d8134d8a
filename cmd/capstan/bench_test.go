package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

// benchServer starts a server and writes its credentials to a file.
func benchServer(t *testing.T) (file string) {
	t.Helper()
	s := capstantest.Run(t)
	text, err := json.Marshal(s.Credentials)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestBenchPrintsJSON(t *testing.T) {
	file := benchServer(t)
	var out, problems bytes.Buffer
	code := run(t.Context(), []string{"bench", "--credentials", file, "--dialect", "intents", "--connections", "4", "--payments", "30", "--merchants", "2", "--json"}, &out, &problems)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, &problems)
	}
	var got map[string]float64
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%s: %v", &out, err)
	}
	want := []string{"captures", "captures_per_second", "errors", "p50_ms", "p90_ms", "p999_ms", "p99_ms", "seconds"}
	if members := slices.Sorted(maps.Keys(got)); !slices.Equal(members, want) {
		t.Errorf("members are %v", members)
	}
	if got["captures"] != 30 || got["errors"] != 0 || got["seconds"] <= 0 || got["p50_ms"] <= 0 {
		t.Errorf("result is %v", got)
	}
}

func TestBenchPrintsText(t *testing.T) {
	file := benchServer(t)
	var out, problems bytes.Buffer
	code := run(t.Context(), []string{"bench", "--credentials", file, "--dialect", "alipay", "--connections", "2", "--payments", "6", "--duration", "30s"}, &out, &problems)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, &problems)
	}
	for _, line := range []string{"alipay, 2 connections", "captures     6 in ", "\nerrors       0\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("%q is missing in\n%s", line, &out)
		}
	}
}

func TestBenchRefuses(t *testing.T) {
	file := benchServer(t)
	other := filepath.Join(t.TempDir(), "other.json")
	if err := os.WriteFile(other, []byte(`{"base_url":"http://192.0.2.1:8080"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"no credentials":       {},
		"a file that is none":  {"--credentials", file + ".none"},
		"another machine":      {"--credentials", file, "--target", "http://192.0.2.1:8080"},
		"another base_url":     {"--credentials", other},
		"an unknown dialect":   {"--credentials", file, "--dialect", "smtp"},
		"no connections":       {"--credentials", file, "--connections", "0"},
		"no time":              {"--credentials", file, "--duration", "0s"},
		"a count that is none": {"--credentials", file, "--payments", "many"},
	} {
		var out, problems bytes.Buffer
		if code := run(t.Context(), append([]string{"bench"}, args...), &out, &problems); code != exitUsage {
			t.Errorf("%s: exit code %d: %s", name, code, &problems)
		}
	}
}

// What fails is told by the exit code too, and the result is still printed.
func TestBenchFails(t *testing.T) {
	s := capstantest.Run(t)
	file := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(file, []byte(`{"base_url":"`+s.URL+`","intents":{"secret_key":"sk_test_wrong"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	code := run(t.Context(), []string{"bench", "--credentials", file, "--payments", "20"}, &out, &problems)
	if code != exitFailed || strings.Contains(problems.String(), "sk_test_wrong") {
		t.Errorf("exit code %d: %s", code, &problems)
	}
}
