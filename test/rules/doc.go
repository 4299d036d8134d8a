// Package rules tests the alert rules and the dashboard in deploy/ with the
// code of Prometheus itself, in a module of its own so that nobody who uses
// Capstan as a library pulls it.
package rules
