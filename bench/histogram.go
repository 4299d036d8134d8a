package bench

import (
	"math"
	"math/bits"
	"time"
)

// histogram counts durations in buckets whose width is 1/64 of what they
// count, or less. It has a fixed size and never allocates.
type histogram struct {
	counts [buckets]uint32
	total  int
}

const (
	precision = 6  // bits that are kept below the leading one
	longest   = 40 // bits: 18 minutes in nanoseconds; more is counted as that
	buckets   = (longest - precision + 1) << precision
)

// add counts one duration.
func (h *histogram) add(d time.Duration) {
	h.counts[bucket(d)]++
	h.total++
}

// merge adds the counts of another histogram.
func (h *histogram) merge(o *histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
}

// quantile returns a duration that a share q of those counted do not exceed,
// and that is at most 1/64 above the smallest such; 0 when nothing was counted.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := min(max(int(math.Ceil(q*float64(h.total)-1e-6)), 1), h.total) // 0.99 of 100 is the 99th, whatever floats make of it
	for i, n := range h.counts {
		if rank -= int(n); rank <= 0 {
			return ceiling(i)
		}
	}
	return ceiling(buckets - 1)
}

// bucket is the bucket of a duration: one for every nanosecond up to 127, and
// then 64 for every power of two.
func bucket(d time.Duration) int {
	n := uint64(max(d, 0))
	shift := bits.Len64(n) - precision - 1
	if shift <= 0 {
		return int(n)
	}
	if shift > longest-precision-1 {
		return buckets - 1
	}
	return shift<<precision + int(n>>shift)
}

// ceiling is the longest duration that a bucket counts.
func ceiling(i int) time.Duration {
	shift := i>>precision - 1
	if shift <= 0 {
		return time.Duration(i)
	}
	return time.Duration((i-shift<<precision+1)<<shift - 1)
}
