// Package scenario plays what goes wrong between a merchant, a server and a
// processor, over real HTTP on both sides, and holds the processor's journal
// against the books afterwards. It has only tests.
package scenario
