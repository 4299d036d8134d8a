package bench

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBucketsCoverEveryDuration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, 1<<longest-1).Draw(t, "d"))
		i := bucket(d)
		top := ceiling(i)
		if d > top || top-d > d/64 {
			t.Fatalf("%d ns is reported as %d ns", d, top)
		}
		if i > 0 && ceiling(i-1) >= d {
			t.Fatalf("%d ns belongs into the bucket before %d", d, i)
		}
	})
}

func TestBucketsAtTheEnds(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want int
	}{{-1, 0}, {0, 0}, {127, 127}, {128, 128}, {129, 128}, {1<<longest - 1, buckets - 1}, {1 << longest, buckets - 1}, {1<<63 - 1, buckets - 1}} {
		if got := bucket(c.d); got != c.want {
			t.Errorf("bucket(%d) = %d, want %d", c.d, got, c.want)
		}
	}
	if got := ceiling(buckets - 1); got != 1<<longest-1 {
		t.Errorf("the last bucket ends at %d", got)
	}
}

func TestQuantilesAgreeWithSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spans := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Minute)), 1, 2000).Draw(t, "spans")
		var whole, part histogram
		for i, d := range spans {
			if i%3 == 0 {
				part.add(time.Duration(d))
			} else {
				whole.add(time.Duration(d))
			}
		}
		whole.merge(&part)
		slices.Sort(spans)
		for _, permille := range []int{1, 500, 900, 990, 999, 1000} {
			exact := time.Duration(spans[(permille*len(spans)+999)/1000-1])
			got := whole.quantile(float64(permille) / 1000)
			if got < exact || got-exact > exact/64 {
				t.Fatalf("quantile %d/1000 of %d is %d, not %d", permille, len(spans), got, exact)
			}
		}
	})
}

func TestQuantileOfNothing(t *testing.T) {
	var h histogram
	if got := h.quantile(0.99); got != 0 {
		t.Errorf("got %s", got)
	}
}
