package rules

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

const ruleFile = "../../deploy/prometheus/capstan.rules.yml"

var queries = parser.NewParser(parser.Options{})

// alerts are all there are.
func alerts(t *testing.T) (all []rulefmt.Rule) {
	t.Helper()
	groups, errs := rulefmt.ParseFile(ruleFile, false, model.LegacyValidation, queries, slog.New(slog.DiscardHandler))
	if errs != nil {
		t.Fatal(errs)
	}
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// firing evaluates all alerts every minute, as Prometheus does, and returns
// those that fire at the end. Series are lines of a selector and its values by
// the minute, in the notation of promtool.
func firing(t *testing.T, series string, until time.Duration) (names []string) {
	t.Helper()
	stored := load(t, series)
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1_000_000, Timeout: time.Minute, Parser: queries})
	t.Cleanup(func() { _ = engine.Close() })
	for _, a := range alerts(t) {
		since := map[uint64]time.Duration{} // that a series of the alert is there
		fires := false
		for at := max(0, until-2*time.Hour); at <= until; at += time.Minute {
			q, err := engine.NewInstantQuery(t.Context(), stored, nil, a.Expr, time.UnixMilli(at.Milliseconds()))
			if err != nil {
				t.Fatalf("%s: %v", a.Alert, err)
			}
			found, err := q.Exec(t.Context()).Vector()
			if err != nil {
				t.Fatalf("%s: %v", a.Alert, err)
			}
			still := map[uint64]time.Duration{}
			fires = false
			for _, s := range found {
				id := s.Metric.Hash()
				still[id] = at
				if began, ok := since[id]; ok {
					still[id] = began
				}
				fires = fires || at-still[id] >= time.Duration(a.For)
			}
			since = still
			q.Close()
		}
		if fires {
			names = append(names, a.Alert)
		}
	}
	return names
}

// load reads series into a store.
func load(t *testing.T, text string) storage.Queryable {
	t.Helper()
	var all []*storage.SeriesEntry
	for line := range strings.Lines(text) {
		of, values, err := queries.ParseSeriesDesc(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		var samples []chunks.Sample
		for minute, v := range values {
			if !v.Omitted {
				samples = append(samples, sample{int64(minute) * time.Minute.Milliseconds(), v.Value})
			}
		}
		all = append(all, storage.NewListSeries(of, samples))
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			var selected []storage.Series
			for _, s := range all {
				if matches(s.Labels(), matchers) {
					selected = append(selected, s)
				}
			}
			return &set{series: selected}
		},
	}}
}

func matches(of labels.Labels, all []*labels.Matcher) bool {
	for _, m := range all {
		if !m.Matches(of.Get(m.Name)) {
			return false
		}
	}
	return true
}

// set walks through series.
type set struct {
	series []storage.Series
	next   int
}

func (s *set) Next() bool                        { s.next++; return s.next <= len(s.series) }
func (s *set) At() storage.Series                { return s.series[s.next-1] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// sample is a value at a moment, in milliseconds.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
