package outbox

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// Lane is what deliveries to one endpoint of a merchant have in common: one
// lane does not wait for another. Two endpoints may share a lane by chance. The
// lanes of a merchant follow each other, and among them those of a host.
type Lane int64

// Lanes are those from the first to the last.
type Lanes struct{ First, Last Lane }

// A lane is 20 bits for the merchant, 20 for the host and 23 for the endpoint.
const (
	endpointBits = 23
	hostBits     = 20
	merchantBits = 20
)

// LaneOf returns the lane of an endpoint. What follows the path of a URL makes
// no other endpoint.
func LaneOf(merchant int64, dialect, endpoint string) Lane {
	if i := strings.IndexAny(endpoint, "?#"); i >= 0 {
		endpoint = endpoint[:i]
	}
	whose := binary.BigEndian.AppendUint64(nil, uint64(merchant))
	lane := bits(merchantBits, whose)
	lane = lane<<hostBits | bits(hostBits, whose, []byte(hostOf(endpoint)))
	return lane<<endpointBits | bits(endpointBits, whose, []byte(dialect), []byte{0}, []byte(endpoint))
}

// bits are the first bits of a digest.
func bits(n int, parts ...[]byte) Lane {
	sum := sha256.Sum256(slices.Concat(parts...))
	return Lane(binary.BigEndian.Uint64(sum[:8]) >> (64 - n))
}

// hostOf is the host of a URL with its port. An endpoint that is none is alone
// at its host: where it is only its dialect knows.
func hostOf(endpoint string) string {
	_, rest, isURL := strings.Cut(endpoint, "://")
	if !isURL {
		return endpoint
	}
	host, _, _ := strings.Cut(rest, "/")
	return strings.ToLower(host[strings.LastIndexByte(host, '@')+1:])
}

// Host are the lanes of the merchant's endpoints at the lane's host.
func (l Lane) Host() Lanes { return l.upTo(endpointBits) }

// Merchant are all lanes of the lane's merchant.
func (l Lane) Merchant() Lanes { return l.upTo(endpointBits + hostBits) }

func (l Lane) upTo(bits int) Lanes {
	first := l >> bits << bits
	return Lanes{first, first + 1<<bits - 1}
}

// Has tells whether a lane is one of them.
func (r Lanes) Has(l Lane) bool { return r.First <= l && l <= r.Last }

// Passed returns the last lane of those that are full and have l, and false
// if none has it.
func (c Claim) Passed(l Lane) (last Lane, full bool) {
	for _, r := range c.Full {
		if r.Has(l) {
			last, full = max(last, r.Last), true
		}
	}
	return last, full
}
