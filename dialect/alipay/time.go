package alipay

import (
	"strconv"
	"time"
)

// appendTime appends an ISO 8601 time with offset and without fraction, the
// form of all times on this API.
func appendTime(b []byte, t time.Time, zone *time.Location) []byte {
	return t.In(zone).AppendFormat(b, "2006-01-02T15:04:05-07:00")
}

// parseTime reads an ISO 8601 time: a fraction, "Z" and an offset without
// colon are fine.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range [...]string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// parseRequestTime reads a Request-Time header: as parseTime, or milliseconds
// since 1970 as some SDKs send it.
func parseRequestTime(s string) (time.Time, bool) {
	if len(s) <= 15 {
		if ms, err := strconv.ParseUint(s, 10, 63); err == nil {
			return time.UnixMilli(int64(ms)).UTC(), true
		}
	}
	return parseTime(s)
}

// parseZone reads an offset such as "+08:00"; anything else is UTC.
func parseZone(s string) *time.Location {
	t, err := time.Parse("-07:00", s)
	if err != nil {
		return time.UTC
	}
	_, offset := t.Zone()
	return fixedZone(offset / 60)
}

// fixedZone is the zone that many minutes east of UTC.
func fixedZone(minutes int) *time.Location {
	if minutes == 0 {
		return time.UTC
	}
	return time.FixedZone("", minutes*60)
}

// minutesEast is how far a zone made by fixedZone is from UTC.
func minutesEast(zone *time.Location) int {
	_, offset := time.Time{}.In(zone).Zone()
	return offset / 60
}
