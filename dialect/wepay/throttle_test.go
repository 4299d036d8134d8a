package wepay

import (
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	var th throttle
	start := time.Unix(1_768_478_400, 0)
	for _, step := range []struct {
		at            time.Duration
		app, endpoint string
		limit         int
		want          bool
	}{
		{0, "1", "capture", 2, true},
		{time.Second, "1", "capture", 2, true},
		{2 * time.Second, "1", "capture", 2, false},
		{2 * time.Second, "1", "query", 2, true},       // endpoints count for themselves
		{2 * time.Second, "2", "capture", 2, true},     // so do applications
		{10*time.Second - 1, "1", "capture", 2, false}, // the first is still in the window
		{10 * time.Second, "1", "capture", 2, true},    // and has just left it
		{10 * time.Second, "1", "capture", 2, false},   // the second has not
		{11 * time.Second, "1", "capture", 2, true},    //
		{11 * time.Second, "1", "capture", 3, true},    // another limit starts anew
		{11 * time.Second, "1", "capture", 3, true},    //
		{11 * time.Second, "1", "capture", 3, true},    //
		{11*time.Second + 1, "1", "capture", 3, false}, //
		{30 * time.Second, "1", "capture", 3, true},    //
	} {
		if got := th.allow(step.app, step.endpoint, step.limit, start.Add(step.at)); got != step.want {
			t.Errorf("at %s %s %s of %d: %t, want %t", step.at, step.app, step.endpoint, step.limit, got, step.want)
		}
	}
}
