package rules

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// series are the label sets of a metric, as scraped.
type series map[string][]map[string]string

// Whatever the alerts and the dashboard ask for exists, with these labels, in
// what a server says that has just run the tour.
func TestQueriesMeetAScrape(t *testing.T) {
	scraped := scrapeTour(t)
	asked := map[string]string{}
	for _, a := range alerts(t) {
		asked["alert "+a.Alert] = a.Expr
	}
	for title, query := range dashboard(t) {
		asked["panel "+title] = query
	}
	if len(asked) < 30 {
		t.Fatalf("only %d queries", len(asked))
	}
	for of, query := range asked {
		expr, err := queries.ParseExpr(query)
		if err != nil {
			t.Errorf("%s: %v: %s", of, err, query)
			continue
		}
		parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
			if s, ok := n.(*parser.VectorSelector); ok {
				check(t, of, s, scraped)
			}
			return nil
		})
	}
}

// check looks for a series that a selector selects. Job and instance are what
// Prometheus adds.
func check(t *testing.T, of string, s *parser.VectorSelector, scraped series) {
	t.Helper()
	if s.Name == "up" { // Prometheus's own
		return
	}
	all, ok := scraped[s.Name]
	if !ok {
		t.Errorf("%s: nobody measures %s", of, s.Name)
		return
	}
	for _, have := range all {
		fits := true
		for _, m := range s.LabelMatchers {
			if m.Name != "job" && m.Name != "instance" && m.Name != labels.MetricName {
				fits = fits && m.Matches(have[m.Name])
			}
		}
		if fits {
			return
		}
	}
	t.Errorf("%s: there is no series %s", of, s)
}

var (
	adminURL = regexp.MustCompile(`admin on (http://[^ ,]+)`)
	line     = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? `)
	label    = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)
)

// scrapeTour runs "capstan tour --keep" and scrapes the server that it leaves.
func scrapeTour(t *testing.T) series {
	t.Helper()
	program := filepath.Join(t.TempDir(), "capstan")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/capstan")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	tour := exec.CommandContext(t.Context(), program, "tour", "--keep")
	tour.Cancel = func() error { return tour.Process.Signal(os.Interrupt) }
	tour.WaitDelay = 15 * time.Second
	out, err := tour.StdoutPipe()
	if err == nil {
		err = tour.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = tour.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		_ = tour.Wait()
	})
	admin := ""
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := adminURL.FindStringSubmatch(lines.Text()); m != nil {
			admin = m[1]
		}
		if strings.HasPrefix(lines.Text(), "The server stays") {
			break
		}
	}
	if admin == "" {
		t.Fatalf("the tour has not come to its end: %v", lines.Err())
	}
	response, err := http.Get(admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	all := series{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		m := line.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		have := map[string]string{}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			have[l[1]] = l[2]
		}
		all[m[1]] = append(all[m[1]], have)
	}
	return all
}

// dashboard returns the queries of the dashboard by the title of their panel,
// with its variables filled in.
func dashboard(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/capstan.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ H, W, X, Y int }
			Targets []struct{ Expr, RefID string }
		}
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	found, ids := map[string]string{}, map[int]bool{}
	fill := strings.NewReplacer("$job", "capstan", "$dialect", ".+", "$__rate_interval", "5m")
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q: its id is another's, it has no place, or it shows nothing", p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			found[p.Title+" "+target.RefID] = fill.Replace(target.Expr)
		}
	}
	for _, v := range d.Templating.List {
		if m := regexp.MustCompile(`^label_values\((.*), \w+\)$`).FindStringSubmatch(v.Query); m != nil {
			found["variable "+v.Name] = fill.Replace(m[1])
		}
	}
	return found
}
