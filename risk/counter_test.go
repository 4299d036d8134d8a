package risk

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTallyCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Int64Min(0)
		want := Tally{Volume: number.Draw(t, "volume"), Count: number.Draw(t, "count"), HeldVolume: number.Draw(t, "held"), HeldCount: number.Draw(t, "held count")}
		for range rapid.IntRange(0, 5).Draw(t, "sightings") {
			at := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "at")).UTC()
			want.Seen = append(want.Seen, Sighting{at, rapid.Uint64().Draw(t, "who")})
		}
		b := want.Append(nil)
		if got, err := ParseTally(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v comes back as %+v, %v", want, got, err)
		}
		if _, err := ParseTally(b[:len(b)-1]); err == nil {
			t.Fatal("a shortened tally is read")
		}
		if _, err := ParseTally(append(b, 0)); err == nil {
			t.Fatal("a lengthened tally is read")
		}
	})
	if got, err := ParseTally(nil); err != nil || !reflect.DeepEqual(got, Tally{}) {
		t.Errorf("nothing is read as %+v, %v", got, err)
	}
	if _, err := ParseTally([]byte{2, 0, 0, 0, 0, 0}); err == nil {
		t.Error("another version is read")
	}
}

func FuzzTally(f *testing.F) {
	f.Add(Tally{Volume: 5, Count: 1, Seen: []Sighting{{noon, 3}}}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		tally, err := ParseTally(b)
		if err != nil {
			return
		}
		again, err := ParseTally(tally.Append(nil))
		if err != nil || !reflect.DeepEqual(again, tally) {
			t.Errorf("%x reads as %+v, and written again as %+v, %v", bytes.TrimSpace(b), tally, again, err)
		}
	})
}

func TestTally(t *testing.T) {
	var tally Tally
	tally.Hold(500, 1)
	tally.Hold(300, 1)
	tally.Hold(-500, -1)
	tally.Take(500, 1)
	if want := (Tally{Volume: 500, Count: 1, HeldVolume: 300, HeldCount: 1}); !reflect.DeepEqual(tally, want) {
		t.Errorf("got %+v, want %+v", tally, want)
	}
	tally.Hold(-900, -9) // its counter was forgotten meanwhile
	tally.Take(math.MaxInt64, 1)
	if want := (Tally{Volume: math.MaxInt64, Count: 2}); !reflect.DeepEqual(tally, want) {
		t.Errorf("got %+v, want %+v", tally, want)
	}
}

// A rule that counts says the same as somebody who remembers everything.
func TestWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, hours := rapid.IntRange(1, 4).Draw(t, "n"), rapid.IntRange(1, 3).Draw(t, "hours")
		holders := rapid.Bool().Draw(t, "holders")
		what := "Payment transaction count"
		if holders {
			what = "Unique CardHolder count"
		}
		config := Config{Rules: []Rule{
			{Level: ShopLevel, Alias: "a", Action: Reject, Condition: fmt.Sprintf("%s more than %d per card in %d hours", what, n, hours)},
			{Level: ShopLevel, Alias: "b", Action: Review, Condition: what + " more or equal than 3 per card in 2 hours"},
		}}
		checks, err := config.Compile(Setup{Names: Levels{"a", "b", "c"}})
		if err != nil {
			t.Fatal(err)
		}
		type seen struct {
			at   time.Time
			card string
			who  string
		}
		var all []seen
		usage, now := Usage{}, noon
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "minutes")) * time.Minute)
			in := Input{Type: Payment, Amount: 1, Currency: "USD", At: now, Card: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "card"), Holder: rapid.SampledFrom([]string{"Jane Doe", "Max", "Ann", "Bob", "Eve"}).Draw(t, "holder")}
			if rapid.IntRange(0, 4).Draw(t, "other") == 0 {
				in.Type = Capture
			} else {
				all = append(all, seen{now, in.Card, in.Holder})
			}
			count := func(hours int) int {
				names, number := map[string]bool{}, 0
				for _, s := range all {
					if s.card == in.Card && s.at.After(now.Add(-time.Duration(hours)*time.Hour)) {
						number++
						names[s.who] = true
					}
				}
				if holders {
					return len(names)
				}
				return number
			}
			v := checks.Evaluate(in, usage)
			checks.Note(in, usage)
			if want := count(hours) > n; v.Rejected != want {
				t.Fatalf("rejected %t with %d", v.Rejected, count(hours))
			}
			if want := count(2) >= 3; v.Review != want {
				t.Fatalf("review %t with %d", v.Review, count(2))
			}
			in.Again = true // judged once more: the same, and nothing is counted
			if again := checks.Evaluate(in, usage); again.Rejected != v.Rejected || again.Review != v.Review {
				t.Fatal("judged differently once more")
			}
			if changed := checks.Note(in, usage); changed != nil {
				t.Fatalf("noted once more: %v", changed)
			}
		}
		for name, tally := range usage {
			if keep := max(n+1, 3); len(tally.Seen) > keep {
				t.Fatalf("%s remembers %d", name, len(tally.Seen))
			}
		}
	})
}

// However many are asked at once, a limit is never exceeded: held operations
// count until they are answered.
func TestLimitHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checks, err := Config{Limits: []Limit{{Currency: "USD", Scope: PerMerchant, Period: Month, Volume: 1000, Count: 5}}}.Compile(Setup{Names: Levels{"a", "b", "c"}})
		if err != nil {
			t.Fatal(err)
		}
		usage := Usage{}
		var waiting []int64
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			in := Input{Type: Capture, Amount: rapid.Int64Range(1, 400).Draw(t, "amount"), Currency: "USD", At: noon}
			tally := usage["USD/2026-10"]
			switch step := rapid.IntRange(0, 3).Draw(t, "step"); {
			case step > 1 && len(waiting) > 0:
				tally.Hold(-waiting[0], -1)
				if step == 3 {
					tally.Take(waiting[0], 1)
				}
				waiting = waiting[1:]
			case checks.Evaluate(in, usage).Rejected:
			case step == 0:
				tally.Take(in.Amount, 1)
			default:
				tally.Hold(in.Amount, 1)
				waiting = append(waiting, in.Amount)
			}
			usage["USD/2026-10"] = tally
			if tally.Volume+tally.HeldVolume > 1000 || tally.Count+tally.HeldCount > 5 {
				t.Fatalf("%+v", tally)
			}
		}
	})
}
