//go:build !failpoints

// Package failpoint names the places between which something becomes durable.
// A program built with the tag failpoints dies at one of them, as in a power
// cut, when CAPSTAN_FAILPOINT names it: "engine.commit.before:2" is the second
// time that it gets there. Any other program does nothing there.
package failpoint

// Reach is called where a process may die.
func Reach(string) {}
