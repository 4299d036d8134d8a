//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var (
	at, count = parse(os.Getenv("CAPSTAN_FAILPOINT"))
	reached   atomic.Int64
)

func parse(text string) (name string, count int64) {
	name, number, ok := strings.Cut(text, ":")
	count = 1
	if ok {
		var err error
		if count, err = strconv.ParseInt(number, 10, 64); err != nil {
			panic(err)
		}
	}
	return name, count
}

// Reach is called where a process may die.
func Reach(name string) {
	if name != at || reached.Add(1) != count {
		return
	}
	fmt.Fprintln(os.Stderr, "failpoint", name)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
