package payment

import (
	"strconv"
	"sync"
	"time"
)

// ID is the internal name of a payment: 42 bits of milliseconds since idEpoch,
// 10 bits of instance, 11 bits of sequence. It grows with time, so rows that
// are ordered by it are appended. Zero is no payment.
//
// An ID never leaves the server as it is: dialects show renderings of it.
type ID int64

const (
	sequenceBits = 11
	instanceBits = 10
)

var idEpoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// String is the decimal form, for logs and the operator's tools.
func (id ID) String() string { return strconv.FormatInt(int64(id), 10) }

// Time returns the moment the ID was made, to the millisecond.
func (id ID) Time() time.Time {
	return idEpoch.Add(time.Duration(int64(id)>>(sequenceBits+instanceBits)) * time.Millisecond)
}

// FirstID returns the least ID that may be made at a moment.
func FirstID(at time.Time) ID {
	return ID(max(at.Sub(idEpoch).Milliseconds(), 0) << (sequenceBits + instanceBits))
}

// IDs makes payment IDs that are unique and growing within one instance, and
// unique across instances that have different numbers. It is safe for
// concurrent use.
type IDs struct {
	mu       sync.Mutex
	instance int64
	last     int64 // milliseconds<<sequenceBits | sequence
}

// NewIDs returns a maker of IDs for the instance with the given number, which
// must be in [0, 1024).
func NewIDs(instance int) *IDs {
	if instance < 0 || instance >= 1<<instanceBits {
		panic("payment: instance number out of range")
	}
	return &IDs{instance: int64(instance)}
}

// Next returns a new ID for something that happens at now. When the clock
// stands still or goes back, or one millisecond is used up, it runs ahead of
// the clock rather than repeat itself.
func (m *IDs) Next(now time.Time) ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = max(m.last+1, now.Sub(idEpoch).Milliseconds()<<sequenceBits)
	millis, sequence := m.last>>sequenceBits, m.last&(1<<sequenceBits-1)
	return ID(millis<<(sequenceBits+instanceBits) | m.instance<<sequenceBits | sequence)
}

// Skip leaves out the IDs of the next d. It is called when the last one turned
// out to be somebody's: the clock was set back, and others may be taken too.
func (m *IDs) Skip(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last += d.Milliseconds() << sequenceBits
}
