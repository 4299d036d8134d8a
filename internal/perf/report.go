package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// report writes down what was measured, as Markdown.
func (m *measurements) report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s on: %s.\n", m.began.UTC().Format("2006-01-02"), machine())
	fmt.Fprintf(&b, "Medians of %d rounds; %d captures in all, %d errors. The load generator shared the cores; other processes used %.0f %% of them (median).\n\n",
		m.rounds, m.captures, m.errors, 100*m.others())
	b.WriteString(reportRatios(slices.Concat(m.ratios(), m.signingRatios())))
	b.WriteString("\n" + m.reportLoads(slices.Concat(loads, signedLoads)))
	fmt.Fprintf(&b, "\n%s4 KiB and fdatasync: %.2f ms.\n", m.signing.report(), median(m.syncing))
	b.WriteString(reportOverload(m.overloads))
	b.WriteString(m.postgres.report())
	return b.String()
}

// reportRatios is a table of ratios.
func reportRatios(all []ratio) string {
	var b strings.Builder
	b.WriteString("| ratio | measured | each round | goal | stretch |\n|---|---|---|---|---|\n")
	for _, r := range all {
		fmt.Fprintf(&b, "| %s | **%s** | %s | %s | %s |\n", r.name, r.format(median(r.rounds)), r.each(), r.goal, r.stretch)
	}
	return b.String()
}

// reportLoads is a table of loads: the medians of their samples.
func (m *measurements) reportLoads(all []load) string {
	var b strings.Builder
	b.WriteString("| load | requests/s | p50 ms | p90 ms | p99 ms | p99.9 ms | server CPU us | loader CPU us | KiB written |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, l := range all {
		of := func(get func(sample) float64) float64 { return median(m.series(l.name, get)) }
		fmt.Fprintf(&b, "| %s | %.0f | %.2f | %.2f | %.2f | %.2f | %.0f | %.0f | %.1f |\n", l.name,
			of(func(s sample) float64 { return s.PerSecond }), of(func(s sample) float64 { return s.P50 }),
			of(func(s sample) float64 { return s.P90 }), of(func(s sample) float64 { return s.P99 }),
			of(func(s sample) float64 { return s.P999 }), of(func(s sample) float64 { return s.server }),
			of(func(s sample) float64 { return s.loader }), of(func(s sample) float64 { return s.disk / 1024 }))
	}
	return b.String()
}

// ratio is one line of a table.
type ratio struct {
	name    string
	rounds  []float64
	unit    string
	goal    string
	stretch string
}

func (r ratio) format(v float64) string {
	if r.unit == "" {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.0f %s", v, r.unit)
}

func (r ratio) each() string {
	var all []string
	for _, v := range r.rounds {
		all = append(all, r.format(v))
	}
	if len(all) < 2 {
		return ""
	}
	return strings.Join(all, ", ")
}

// ratios are what can be compared with another machine.
func (m *measurements) ratios() []ratio {
	rate := func(s sample) float64 { return s.PerSecond }
	cpu := func(s sample) float64 { return s.server + s.loader }
	const mb = 1 << 20
	all := []ratio{
		{"intents against the no-op ceiling, 64 connections", m.over("intents, 64 connections", "no-op, 64 connections", rate), "", ">= 0.18", ">= 0.32"},
		{"intents against the no-op ceiling, 256 connections", m.over("intents, 256 connections", "no-op, 256 connections", rate), "", ">= 0.25", ">= 0.40"},
		{"intents against the no-op ceiling, 16 connections", m.over("intents, 16 connections", "no-op, 16 connections", rate), "", "", ""},
		{"CPU of a capture against that of a no-op, both with the load, 64 connections", m.over("intents, 64 connections", "no-op, 64 connections", cpu), "", "", ""},
		{"one shared merchant against 50 distinct ones, 64 connections", m.over("intents, 64 connections", "intents, 64 connections, 50 merchants", rate), "", ">= 0.9", "1.0"},
		{"p99 against p50, intents, 64 connections", over99(m.samples["intents, 64 connections"]), "", "<= 10", "<= 4"},
		{fmt.Sprintf("resident memory of serve after %d captures", m.captures), []float64{float64(m.memory.end) / mb}, "MB", "<= 200 MB after 10 million", "<= 120 MB"},
		{"bytes on disk for a capture alone, compacted", []float64{m.disk.capture}, "B", "<= 1500 B", "<= 800 B"},
		{"bytes on disk for the authorization before it", []float64{m.disk.authorization}, "B", "", ""},
	}
	if m.memory.millionCaptures > 0 {
		all = append(all, ratio{
			fmt.Sprintf("growth of resident memory over %d captures more", m.memory.millionCaptures),
			[]float64{float64(m.memory.million-m.memory.millionBefore) / mb}, "MB", "", "",
		})
	}
	return all
}

func over99(samples []sample) []float64 {
	var out []float64
	for _, s := range samples {
		out = append(out, s.P99/s.P50)
	}
	return out
}

// series is one figure of a load in each round.
func (m *measurements) series(name string, get func(sample) float64) []float64 {
	var out []float64
	for _, s := range m.samples[name] {
		out = append(out, get(s))
	}
	return out
}

// over is a figure of one load against that of another, in each round.
func (m *measurements) over(a, b string, get func(sample) float64) []float64 {
	out := m.series(a, get)
	for i, v := range m.series(b, get) {
		out[i] /= v
	}
	return out
}

func (m *measurements) others() float64 {
	var all []float64
	for _, samples := range m.samples {
		for _, s := range samples {
			all = append(all, s.others)
		}
	}
	return median(all)
}

// The lines of a document between which the report goes.
const (
	beginMark = "<!-- begin: written by make bench -->\n"
	endMark   = "<!-- end -->\n"
)

// rewrite puts the report between the marks of a document.
func rewrite(file, report string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	out, err := between(string(text), report)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(out), 0o644)
}

// between replaces what stands between the marks of a text.
func between(text, report string) (string, error) {
	before, rest, ok := strings.Cut(text, beginMark)
	_, after, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		return "", errors.New("the marks around the table are missing")
	}
	return before + beginMark + "\n" + report + "\n" + endMark + after, nil
}
