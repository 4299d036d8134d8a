package wepay_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/dialect/dialecttest"
	"github.com/capstan-pay/capstan/dialect/wepay"
	"github.com/capstan-pay/capstan/store/memory"
)

// TestWire plays the transcripts. X-Correlation-Id is random by design: that
// every answer has one is TestCorrelation's.
func TestWire(t *testing.T) {
	dialecttest.Play(t, "testdata", dialecttest.Options{
		Prepare: prepare, Described: checkWire, Ignore: []string{"x-correlation-id"}, Server: []capstantest.Option{inMemory},
	})
}

// TestEverySectionHasATranscript: the first line of a transcript says which
// sections of the dialect's document it is about.
func TestEverySectionHasATranscript(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	cited := map[string]int{}
	section := regexp.MustCompile(`sections? ([0-9]+(?:\.[0-9])?)(?:,[^;)]*?)?(?: and ([0-9]+(?:\.[0-9])?))?[,;)]`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		why, _, _ := strings.Cut(string(text), "\n")
		for _, found := range section.FindAllStringSubmatch(why, -1) {
			cited[found[1]]++
			cited[found[2]]++
		}
	}
	for _, s := range []string{"1", "2.1", "2.2", "2.3", "3", "4", "5", "6", "7", "8", "9", "10", "11"} {
		if cited[s] == 0 {
			t.Errorf("no transcript is about section %s: %v", s, cited)
		}
	}
}

// checkWire holds every reply against the description of the dialect.
func checkWire(r *dialecttest.Request, status int, header http.Header, body []byte) error {
	d, err := described()
	if err != nil || r.Method == http.MethodOptions && status == http.StatusOK {
		return err
	}
	return d.check(r.Method, r.Target, status, header, body)
}

// inMemory starts a server on a store of its own that keeps nothing.
var inMemory = capstantest.With(func(c *capstan.Config) { c.Store = memory.Open() })

// prepare adds the headers that nearly all requests have.
func prepare(s *capstantest.Server, r *dialecttest.Request) {
	var app wepay.Shown
	if err := json.Unmarshal(s.Credentials.WePay, &app); err != nil {
		panic(err)
	}
	r.Add("App-Id", app.AppID)
	r.Add("App-Token", app.AppToken)
	r.Add("Api-Version", "3.0")
	if len(r.Body) > 0 {
		r.Add("Content-Type", "application/json")
	}
}
