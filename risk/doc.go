// Package risk judges operations before a processor hears of them: limits,
// lists and rules in, a verdict out.
//
// It is pure. A configuration is read with Parse and compiled once; Evaluate
// then needs the facts of one operation and the counters that Counters named.
// Whoever calls it loads the counters, writes them back with the operation,
// and sees to it that nobody else changes them in between. docs/risk.md has
// the configuration document and a worked example.
package risk
