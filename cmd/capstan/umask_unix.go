//go:build !windows

package main

import "syscall"

// private makes the files that are created from here on readable by their
// owner only: the store, its log and its keys are nobody else's business.
func private() { syscall.Umask(0o077) }
