package intents_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// listed is a list, or a page of a search, as tests look at it.
type listed struct {
	Object, URL string
	More        bool    `json:"has_more"`
	Next        *string `json:"next_page"`
	Data        []struct {
		ID, Object, Status string
		Charge             json.RawMessage `json:"latest_charge"`
	}
}

func (l *listed) ids() (ids []string) {
	for _, it := range l.Data {
		ids = append(ids, it.ID)
	}
	return ids
}

func (c *client) list(path string) (l listed) {
	c.t.Helper()
	c.into(&l, http.MethodGet, path, "")
	return l
}

// walk reads all pages as SDKs do: by the last id and has_more only.
func (c *client) walk(path string, limit int) (ids []string) {
	c.t.Helper()
	after := ""
	for range 100 {
		l := c.list(fmt.Sprintf("%s?limit=%d%s", path, limit, after))
		if ids = append(ids, l.ids()...); !l.More {
			return ids
		}
		after = "&starting_after=" + ids[len(ids)-1]
	}
	c.t.Fatal("the list does not end")
	return nil
}

// Lists are newest first, whole and without repeats whatever the page.
func TestListPages(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	var intents, charges, refunds []string
	for i := range 7 {
		p := c.pay("visa")
		r, _ := c.refund("payment_intent="+p.ID+"&amount=100", "")
		intents, charges, refunds = append(intents, p.ID), append(charges, *p.Charge), append(refunds, r.ID)
		if i%3 == 0 {
			s.Advance(t, time.Second)
		}
	}
	for path, want := range map[string][]string{"/v1/payment_intents": intents, "/v1/charges": charges, "/v1/refunds": refunds} {
		slices.Reverse(want)
		for _, limit := range []int{1, 2, 3, 7, 100} {
			if got := c.walk(path, limit); !slices.Equal(got, want) {
				t.Errorf("%s by %d: %v, want %v", path, limit, got, want)
			}
		}
		back := c.list(path + "?limit=2&ending_before=" + want[5])
		if !slices.Equal(back.ids(), want[3:5]) || !back.More {
			t.Errorf("%s before: %v, want %v", path, back.ids(), want[3:5])
		}
		if back := c.list(path + "?limit=10&ending_before=" + want[2]); !slices.Equal(back.ids(), want[:2]) || back.More {
			t.Errorf("%s before: %v, want %v", path, back.ids(), want[:2])
		}
		if l := c.list(path); l.Object != "list" || l.URL != path {
			t.Errorf("%+v", l)
		}
	}
}

// What lists can be narrowed to (section 10).
func TestListFilters(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	first := c.pay("visa")
	var at struct{ Created int64 }
	c.into(&at, http.MethodGet, "/v1/payment_intents/"+first.ID, "")
	s.Advance(t, 100*time.Second)
	declined := c.do(http.MethodPost, "/v1/payment_intents", "amount=10000&currency=usd&confirm=true&payment_method=pm_card_chargeDeclined", "").Error
	second := c.do(http.MethodPost, "/v1/payment_intents/"+declined.Intent.ID+"/confirm", "payment_method=pm_card_visa", "")
	late := at.Created + 100
	for query, want := range map[string][]string{
		"/v1/payment_intents?created=" + fmt.Sprint(at.Created):                         {first.ID},
		"/v1/payment_intents?created[gt]=" + fmt.Sprint(at.Created):                     {second.ID},
		"/v1/payment_intents?created[gte]=" + fmt.Sprint(at.Created):                    {second.ID, first.ID},
		"/v1/payment_intents?created[lt]=" + fmt.Sprint(late):                           {first.ID},
		"/v1/payment_intents?created[lte]=" + fmt.Sprint(late):                          {second.ID, first.ID},
		"/v1/payment_intents?created[gt]=" + fmt.Sprint(late):                           nil,
		"/v1/payment_intents?customer=cus_x":                                            nil,
		"/v1/charges?payment_intent=" + second.ID:                                       {*second.Charge, declined.Charge},
		"/v1/charges?limit=1&payment_intent=" + second.ID:                               {*second.Charge},
		"/v1/charges?payment_intent=" + second.ID + "&ending_before=" + declined.Charge: {*second.Charge},
		"/v1/charges": {*second.Charge, declined.Charge, *first.Charge},
		"/v1/refunds": nil,
	} {
		if got := c.list(query); !slices.Equal(got.ids(), want) {
			t.Errorf("%s: %v, want %v", query, got.ids(), want)
		}
	}
	if l := c.list("/v1/payment_intents?limit=1&expand[]=data.latest_charge"); !strings.HasPrefix(string(l.Data[0].Charge), "{") {
		t.Errorf("%s", l.Data[0].Charge)
	}
}

// What lists refuse.
func TestListRefusals(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	id := c.hold("")
	for query, want := range map[string]string{
		"payment_intents?limit=0":                                         "400 parameter_invalid_integer limit",
		"payment_intents?limit=101":                                       "400 parameter_invalid_integer limit",
		"payment_intents?limit=x":                                         "400 parameter_invalid_integer limit",
		"payment_intents?starting_after=pi_x":                             "400 resource_missing starting_after",
		"payment_intents?ending_before=pi_x":                              "400 resource_missing ending_before",
		"payment_intents?starting_after=" + id + "&ending_before=" + id:   "400  ending_before",
		"payment_intents?expand[]=data.nothing":                           "400  expand",
		"payment_intents?expand[]=latest_charge":                          "400  expand",
		"payment_intents?status=succeeded":                                "400 parameter_unknown status",
		"payment_intents?created=yesterday":                               "400 parameter_invalid_integer created",
		"charges?payment_intent=pi_x":                                     "400 resource_missing payment_intent",
		"charges?starting_after=ch_x":                                     "400 resource_missing starting_after",
		"refunds?charge=ch_x":                                             "400 resource_missing charge",
		"refunds?starting_after=re_x":                                     "400 resource_missing starting_after",
		"payment_intents/search":                                          "400 parameter_missing query",
		"payment_intents/search?query=status:'succeeded'&page=x":          "400  page",
		"payment_intents/search?query=status:'succeeded'&limit=0":         "400 parameter_invalid_integer limit",
		"payment_intents/search?query=amount>1+AND+amount<5+OR+amount:10": "400  query",
	} {
		a := c.do(http.MethodGet, "/v1/"+query, "", "")
		if got := fmt.Sprintf("%d %s %s", a.status, a.Error.Code, a.Error.Param); got != want {
			t.Errorf("%s: %s, want %s: %s", query, got, want, a.body)
		}
	}
}

// The search of section 10, page by page.
func TestSearch(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	var ids []string
	for i, body := range []string{
		"amount=100&currency=usd&metadata[order]=7",
		"amount=200&currency=eur&metadata[order]=8&metadata[shop]=Vilnius+old+town",
		"amount=300&currency=usd&confirm=true&payment_method=pm_card_visa",
		"amount=400&currency=jpy&metadata[o'clock]=5",
	} {
		a := c.do(http.MethodPost, "/v1/payment_intents", body, "")
		if a.status != http.StatusOK {
			t.Fatal(a.body)
		}
		ids = append(ids, a.ID)
		if i == 1 {
			s.Advance(t, time.Minute)
		}
	}
	for query, want := range map[string][]int{
		`amount>200`:            {3, 2},
		`amount>=200`:           {3, 2, 1},
		`amount<200`:            {0},
		`amount:300`:            {2},
		`amount="300"`:          {2},
		`-amount:300`:           {3, 1, 0},
		`currency:'usd'`:        {2, 0},
		`currency:"USD"`:        {2, 0},
		`status:'succeeded'`:    {2},
		`metadata['order']:'7'`: {0},
		`metadata["order"]:"8" AND currency:"eur"`:           {1},
		`metadata['order']:'7' OR amount>350`:                {3, 0},
		`metadata['order']:null`:                             {3, 2},
		`-metadata['order']:null`:                            {1, 0},
		`metadata['shop']~'OLD'`:                             {1},
		`metadata["o'clock"]:'5'`:                            {3},
		`metadata['o\'clock']:'5'`:                           {3},
		`currency:'usd' amount<200`:                          {0},
		`customer:'cus_x'`:                                   nil,
		`created>` + fmt.Sprint(capstantest.Epoch.Unix()+30): {3, 2},
	} {
		var wanted []string
		for _, i := range want {
			wanted = append(wanted, ids[i])
		}
		var got []string
		page := ""
		for {
			l := c.list("/v1/payment_intents/search?limit=1&query=" + url.QueryEscape(query) + page)
			if got = append(got, l.ids()...); l.Object != "search_result" || l.More != (l.Next != nil) {
				t.Fatalf("%+v", l)
			}
			if l.Next == nil {
				break
			}
			page = "&page=" + *l.Next
		}
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: %v, want %v", query, got, wanted)
		}
	}
}
