package outbox_test

import (
	"testing"
	"time"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
)

func TestSchedule(t *testing.T) {
	s := outbox.Schedule{{Least: time.Minute}, {Least: time.Hour, Step: time.Second, Steps: 30}}
	most := func(n int) int { return n - 1 }
	for _, test := range []struct {
		failed int
		random func(int) int
		wait   time.Duration
		more   bool
	}{
		{0, most, 0, false},
		{1, most, time.Minute, true},
		{2, func(int) int { return 0 }, time.Hour, true},
		{2, most, time.Hour + 29*time.Second, true},
		{3, most, 0, false},
	} {
		if wait, more := s.Next(test.failed, test.random); wait != test.wait || more != test.more {
			t.Errorf("after %d failures %s, %t; want %s, %t", test.failed, wait, more, test.wait, test.more)
		}
	}
	if least, longest := s.Total(); least != time.Hour+time.Minute || longest != least+29*time.Second || s.Attempts() != 3 {
		t.Errorf("in all %s to %s with %d attempts", least, longest, s.Attempts())
	}
	if least, longest := outbox.Waits(time.Second, time.Minute).Total(); least != longest || least != time.Minute+time.Second {
		t.Errorf("without chance %s to %s", least, longest)
	}
}

// What follows a URL's path makes no other endpoint; all else does.
func TestLanes(t *testing.T) {
	lane := outbox.LaneOf(1, "test", "https://shop.test/hook?order=7#x")
	for _, same := range []string{"https://shop.test/hook", "https://shop.test/hook?order=8", "https://shop.test/hook#y"} {
		if outbox.LaneOf(1, "test", same) != lane {
			t.Errorf("%s is another lane", same)
		}
	}
	if outbox.LaneOf(2, "test", "https://shop.test/hook") == lane || outbox.LaneOf(1, "tes", "thttps://shop.test/hook") == lane ||
		outbox.LaneOf(1, "test", "https://shop.test/hooks") == lane || lane < 0 {
		t.Error("another endpoint is the same lane")
	}
}

// The lanes of a merchant follow each other, and among them those of a host:
// whatever the dialect, the scheme and the path.
func TestHostsAndMerchants(t *testing.T) {
	lane := outbox.LaneOf(1, "test", "https://shop.test:8443/hook")
	for endpoint, same := range map[string]bool{
		"https://shop.test:8443/another": true, "http://user:secret@SHOP.test:8443/hook?order=7": true, "https://shop.test:8443": true,
		"https://shop.test/hook": false, "https://shop.test:8443.evil.test/hook": false, "we_1": false,
	} {
		for _, dialect := range []string{"test", "another"} {
			other := outbox.LaneOf(1, dialect, endpoint)
			if lane.Host().Has(other) != same || !lane.Merchant().Has(other) {
				t.Errorf("%s in %s: of the host %t, of the merchant %t", endpoint, dialect, lane.Host().Has(other), lane.Merchant().Has(other))
			}
		}
	}
	if other := outbox.LaneOf(2, "test", "https://shop.test:8443/hook"); lane.Host().Has(other) || lane.Merchant().Has(other) {
		t.Error("another merchant's is among them")
	}
	host, merchant := lane.Host(), lane.Merchant()
	if host.Last-host.First != 1<<23-1 || merchant.Last-merchant.First != 1<<43-1 || !host.Has(lane) || !merchant.Has(host.First) || !merchant.Has(host.Last) {
		t.Errorf("host %v, merchant %v", host, merchant)
	}
}

func TestVersions(t *testing.T) {
	o := outbox.Occasion{After: &payment.Payment{Version: 5}, Events: make([]payment.Event, 2)}
	if o.Version(0) != 4 || o.Version(1) != 5 {
		t.Errorf("versions %d and %d, want 4 and 5", o.Version(0), o.Version(1))
	}
}
