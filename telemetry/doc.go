// Package telemetry shows what a server does: metrics for Prometheus, a log of
// requests, and traces. It watches from outside: nothing that happens to money
// depends on it, and nothing that a client sent goes into it unchecked.
package telemetry
