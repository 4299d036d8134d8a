package wepay_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// transactionRecord is what a client reads of a transaction record.
type transactionRecord struct {
	ID, Type string
	Gross    int64 `json:"gross_amount"`
	Fee      int64 `json:"fee_amount"`
	Net      int64 `json:"net_amount"`
	Owner    struct{ ID, Resource string }
}

// records reads the whole listing, a page at a time.
func (c *client) records(query string, size int) (all []transactionRecord) {
	c.t.Helper()
	for path := "/transaction_records?page_size=" + fmt.Sprint(size) + query; path != ""; {
		var page struct {
			Next    *string
			Results []transactionRecord
		}
		r := c.do(http.MethodGet, path, "", "")
		if err := json.Unmarshal(r.body, &page); err != nil || r.status != http.StatusOK || len(page.Results) > size {
			c.t.Fatalf("%d %v %s", r.status, err, r.body)
		}
		all = append(all, page.Results...)
		if path = ""; page.Next != nil {
			path = *page.Next + "&page_size=" + fmt.Sprint(size)
		}
	}
	return all
}

// TestRecords: a completed payment has its two records, and so has a refund;
// what they say sums to the balances, and each can be read by its id.
func TestRecords(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s, s.Credentials)
	if got := c.records("", 10); len(got) != 0 {
		t.Errorf("before anything: %v", got)
	}
	withFee := c.authorize("1", `,"fee_amount":200`)
	c.capture(withFee.ID, `{"amounts":{"amount":1500,"currency":"USD","fee_amount":150}}`, "")
	if got := c.records("", 10); len(got) != 0 {
		t.Errorf("before it has settled: %v", got)
	}
	s.Advance(t, time.Second)
	without := c.authorize("2", "")
	c.capture(without.ID, "", "")
	c.authorize("3", "")
	s.Advance(t, time.Second)
	refund := c.do(http.MethodPost, "/refunds", fmt.Sprintf(`{"payment_id":%q,"refund_reason":"x","amounts":{"currency":"USD","total_amount":700,"fee_refund_amount":70}}`, withFee.ID), "4")
	s.Advance(t, time.Second)

	want := []string{
		"merchant_payment 2000 0 2000 accounts",
		"merchant_payment_refund -700 -70 -630 accounts", "app_fee_refund -70 0 -70 applications",
		"merchant_payment 1500 150 1350 accounts", "app_fee 150 0 150 applications",
	}
	for _, size := range []int{1, 2, 3, 50} {
		var got []string
		for _, r := range c.records("", size) {
			got = append(got, fmt.Sprint(r.Type, " ", r.Gross, " ", r.Fee, " ", r.Net, " ", r.Owner.Resource))
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q, want %q", size, got, want)
		}
	}
	sums := map[string]int64{}
	for _, r := range c.records("", 10) {
		sums[r.Owner.Resource] += r.Net
		one := c.do(http.MethodGet, "/transaction_records/"+r.ID, "", "")
		if one.status != http.StatusOK || one.ID != r.ID {
			t.Errorf("%d %s", one.status, one.body)
		}
		if foreign := another(t, s).do(http.MethodGet, "/transaction_records/"+r.ID, "", ""); foreign.status != http.StatusForbidden {
			t.Errorf("a stranger's: %d %s", foreign.status, foreign.body)
		}
	}
	books := s.Balances(t, "USD")
	if sums["accounts"] != books["merchant"] || sums["applications"] != books["platform_fees"] || sums["accounts"] != 2720 {
		t.Errorf("records sum to %v, books %v", sums, books)
	}
	if got := c.records("&account_id="+c.app.AccountID, 2); len(got) != 3 {
		t.Errorf("of the account: %v", got)
	}
	for _, query := range []string{"account_id=nobody", "account_id=" + another(t, s).app.AccountID, "payout_id=x"} {
		if r := c.do(http.MethodGet, "/transaction_records?"+query, "", ""); r.status != http.StatusForbidden || r.why() != "RESOURCE_NOT_ACCESSIBLE" {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}

	// The records that payments and refunds name are these.
	listed := map[string]string{}
	for _, r := range c.records("", 10) {
		listed[r.ID] = r.Type
	}
	for name, body := range map[string]string{"payment": string(c.get(withFee.ID).body), "refund": string(c.do(http.MethodGet, "/refunds/"+refund.ID, "", "").body)} {
		var named struct {
			Merchant struct{ ID string } `json:"txnr_merchant"`
			Fee      struct{ ID string } `json:"txnr_app_fee"`
		}
		if err := json.Unmarshal([]byte(body), &named); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(listed[named.Merchant.ID], "merchant_payment") || !strings.HasPrefix(listed[named.Fee.ID], "app_fee") {
			t.Errorf("%s names %s and %s", name, listed[named.Merchant.ID], listed[named.Fee.ID])
		}
	}
}
