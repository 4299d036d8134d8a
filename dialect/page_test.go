package dialect_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// shelf is a merchant's payments, each with its number for an amount.
type shelf struct {
	dialect.Engine
	places []payment.Place // newest first
	reads  int
}

func newShelf(n int) *shelf {
	s := &shelf{}
	for i := range n {
		s.places = append(s.places, payment.Place{At: time.Unix(int64(n-i), 0), Payment: payment.ID(n - i)})
	}
	return s
}

func (s *shelf) List(_ context.Context, l payment.Listing) ([]payment.Place, error) {
	s.reads++
	rest := s.places
	if (l.After != payment.Place{}) {
		rest = rest[slices.Index(rest, l.After)+1:]
	}
	return rest[:min(l.Limit, len(rest))], nil
}

func (s *shelf) Payment(_ context.Context, _, _ int64, id payment.ID) (*payment.Payment, error) {
	p := &payment.Payment{ID: id}
	p.Amount = int64(id)
	return p, nil
}

func TestPage(t *testing.T) {
	tenth := func(f dialect.Found) bool { return f.Payment.Amount%10 == 0 }
	for _, c := range []struct {
		there, limit int
		wanted       func(dialect.Found) bool
		first        string
		pages        int
	}{
		{0, 10, nil, "[]", 1},
		{9, 10, nil, "[9 8 7 6 5 4 3 2 1]", 1},
		{10, 10, nil, "[10 9 8 7 6 5 4 3 2 1]", 1},
		{11, 10, nil, "[11 10 9 8 7 6 5 4 3 2]", 2},
		{30, 3, tenth, "[30 20 10]", 1},
		{45, 3, tenth, "[40 30 20]", 2},
		{1000, 100, tenth, "", 1},
		{1001, 99, tenth, "", 2},
		{999, 10, func(dialect.Found) bool { return false }, "[]", 1},
	} {
		t.Run(fmt.Sprintf("%d of %d", c.limit, c.there), func(t *testing.T) {
			s := newShelf(c.there)
			services := dialect.Services{Engine: s, Listings: s}
			var all, want []int64
			for n := c.there; n > 0; n-- {
				if c.wanted == nil || c.wanted(dialect.Found{Payment: &payment.Payment{Intake: payment.Intake{Amount: int64(n)}}}) {
					want = append(want, int64(n))
				}
			}
			l := payment.Listing{Limit: c.limit}
			for pages := 1; ; pages++ {
				page, more, err := services.Page(t.Context(), l, c.wanted)
				if err != nil || len(page) > c.limit {
					t.Fatal(len(page), err)
				}
				from := len(all)
				for _, f := range page {
					all = append(all, f.Payment.Amount)
				}
				if got := fmt.Sprint(all[from:]); pages == 1 && c.first != "" && got != c.first {
					t.Errorf("first page: %s", got)
				}
				if !more {
					if pages != c.pages {
						t.Errorf("%d pages", pages)
					}
					break
				}
				l.After = page[len(page)-1].Place
			}
			if !slices.Equal(all, want) {
				t.Errorf("got %v, want %v", all, want)
			}
		})
	}
}
