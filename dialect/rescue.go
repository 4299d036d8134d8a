package dialect

import (
	"fmt"
	"net/http"
	"runtime/debug"
)

// Rescue is deferred around the making of an answer: after a panic it logs
// where it happened, not with what, and calls answer, which puts the dialect's
// own generic failure in its place. One request's fault is not another's.
func (s Services) Rescue(name string, answer func()) {
	p := recover()
	switch {
	case p == nil:
		return
	case p == http.ErrAbortHandler:
		panic(p)
	}
	s.Logger.Error("panic while answering", "dialect", name, "kind", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	answer()
}
