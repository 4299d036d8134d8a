package rules

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every alert fires when it should, and is quiet just before.
func TestAlerts(t *testing.T) {
	tested := map[string][]bool{}
	for _, c := range []struct {
		alert, when string
		series      string
		after       time.Duration
		fires       bool
	}{
		{"CapstanUnknownOperation", "older than a quarter of an hour", `capstan_oldest_unknown_operation_seconds{job="capstan",instance="a"} 0+60x30`, 18 * time.Minute, true},
		{"CapstanUnknownOperation", "a quarter of an hour old", `capstan_oldest_unknown_operation_seconds{job="capstan",instance="a"} 0+60x15 0x10`, 25 * time.Minute, false},
		{"CapstanTimersOverdue", "late for minutes", `capstan_timers_overdue_seconds{job="capstan",instance="a"} 0+60x9`, 5 * time.Minute, true},
		{"CapstanTimersOverdue", "late for a moment", `capstan_timers_overdue_seconds{job="capstan",instance="a"} 0 90 0 0 0 0`, 3 * time.Minute, false},
		{"CapstanHoldsExpiringFast", "four times as much as in the week before", `capstan_holds_expiring_minor{job="capstan",currency="USD"} 1000x2880 4000x60
			capstan_holds_expiring{job="capstan",currency="USD"} 100x2940`, 2920 * time.Minute, true},
		{"CapstanHoldsExpiringFast", "of few holds", `capstan_holds_expiring_minor{job="capstan",currency="USD"} 1000x2880 4000x60
			capstan_holds_expiring{job="capstan",currency="USD"} 10x2940`, 2920 * time.Minute, false},
		{"CapstanHoldsExpiringFast", "twice as much", `capstan_holds_expiring_minor{job="capstan",currency="USD"} 1000x2880 2000x60
			capstan_holds_expiring{job="capstan",currency="USD"} 100x2940`, 2920 * time.Minute, false},
		{"CapstanRequestsFailing", "one in ten", `capstan_requests_total{job="capstan",dialect="intents",operation="capture",class="failed"} 0+60x30
			capstan_requests_total{job="capstan",dialect="intents",operation="capture",class="done"} 0+540x30`, 15 * time.Minute, true},
		{"CapstanRequestsFailing", "one in a thousand", `capstan_requests_total{job="capstan",dialect="intents",operation="capture",class="failed"} 0+1x30
			capstan_requests_total{job="capstan",dialect="intents",operation="capture",class="done"} 0+999x30`, 15 * time.Minute, false},
		{"CapstanRequestsFailing", "many are refused", `capstan_requests_total{job="capstan",dialect="intents",operation="capture",class="failed"} 0x30
			capstan_requests_total{job="capstan",dialect="intents",operation="capture",class="refused"} 0+999x30`, 15 * time.Minute, false},
		{"CapstanRequestsSlow", "one in ten takes two seconds", `capstan_request_duration_seconds_bucket{job="capstan",dialect="alipay",operation="capture",le="1"} 0+90x40
			capstan_request_duration_seconds_bucket{job="capstan",dialect="alipay",operation="capture",le="2"} 0+100x40
			capstan_request_duration_seconds_bucket{job="capstan",dialect="alipay",operation="capture",le="+Inf"} 0+100x40`, 20 * time.Minute, true},
		{"CapstanRequestsSlow", "one in a thousand does", `capstan_request_duration_seconds_bucket{job="capstan",dialect="alipay",operation="capture",le="1"} 0+999x40
			capstan_request_duration_seconds_bucket{job="capstan",dialect="alipay",operation="capture",le="2"} 0+1000x40
			capstan_request_duration_seconds_bucket{job="capstan",dialect="alipay",operation="capture",le="+Inf"} 0+1000x40`, 20 * time.Minute, false},
		{"CapstanOverloaded", "three quarters full", `capstan_engine_queue_depth{job="capstan",instance="a"} 3072x9
			capstan_engine_queue_capacity{job="capstan",instance="a"} 4096x9`, 5 * time.Minute, true},
		{"CapstanOverloaded", "half full", `capstan_engine_queue_depth{job="capstan",instance="a"} 2048x9
			capstan_engine_queue_capacity{job="capstan",instance="a"} 4096x9`, 5 * time.Minute, false},
		{"CapstanDeclinesRising", "most are declined", `capstan_engine_decisions_total{job="capstan",command="create",outcome="declined"} 0+60x60
			capstan_engine_decisions_total{job="capstan",command="create",outcome="done"} 0+20x60`, 40 * time.Minute, true},
		{"CapstanDeclinesRising", "most of very few", `capstan_engine_decisions_total{job="capstan",command="create",outcome="declined"} 0+2x60
			capstan_engine_decisions_total{job="capstan",command="create",outcome="done"} 0+1x60`, 40 * time.Minute, false},
		{"CapstanDeclinesRising", "a third", `capstan_engine_decisions_total{job="capstan",command="create",outcome="declined"} 0+60x60
			capstan_engine_decisions_total{job="capstan",command="create",outcome="done"} 0+120x60`, 40 * time.Minute, false},
		{"CapstanStoreRefusesWrites", "some are not written", `capstan_engine_decisions_total{job="capstan",instance="a",command="capture",outcome="unavailable"} 0+1x20`, 8 * time.Minute, true},
		{"CapstanStoreRefusesWrites", "all are written", `capstan_engine_decisions_total{job="capstan",instance="a",command="capture",outcome="unavailable"} 7x20
			capstan_engine_decisions_total{job="capstan",instance="a",command="capture",outcome="done"} 0+9x20`, 8 * time.Minute, false},
		{"CapstanCommitsSlow", "one in ten takes a second", `capstan_engine_commit_duration_seconds_bucket{job="capstan",instance="a",le="0.5"} 0+90x40
			capstan_engine_commit_duration_seconds_bucket{job="capstan",instance="a",le="1"} 0+100x40
			capstan_engine_commit_duration_seconds_bucket{job="capstan",instance="a",le="+Inf"} 0+100x40`, 20 * time.Minute, true},
		{"CapstanCommitsSlow", "none does", `capstan_engine_commit_duration_seconds_bucket{job="capstan",instance="a",le="0.5"} 0+100x40
			capstan_engine_commit_duration_seconds_bucket{job="capstan",instance="a",le="+Inf"} 0+100x40`, 20 * time.Minute, false},
		{"CapstanStoreGrowsFast", "a gigabyte an hour", `capstan_store_bytes{job="capstan",instance="a",part="data"} 5e9+17e6x500`, 480 * time.Minute, true},
		{"CapstanStoreGrowsFast", "small", `capstan_store_bytes{job="capstan",instance="a",part="data"} 1e6+1e5x500`, 480 * time.Minute, false},
		{"CapstanStoreGrowsFast", "slowly", `capstan_store_bytes{job="capstan",instance="a",part="data"} 5e9+1e4x500`, 480 * time.Minute, false},
		{"CapstanLogNotCheckpointed", "three gigabytes", `capstan_store_bytes{job="capstan",instance="a",part="log"} 3e9x30`, 20 * time.Minute, true},
		{"CapstanLogNotCheckpointed", "a quarter of one", `capstan_store_bytes{job="capstan",instance="a",part="log"} 2.6e8x30`, 20 * time.Minute, false},
		{"CapstanProcessorSilent", "half of the calls", `capstan_processor_call_duration_seconds_count{job="capstan",operation="capture",result="no_answer"} 0+5x40
			capstan_processor_call_duration_seconds_count{job="capstan",operation="capture",result="approved"} 0+5x40`, 20 * time.Minute, true},
		{"CapstanProcessorSilent", "one in a hundred", `capstan_processor_call_duration_seconds_count{job="capstan",operation="capture",result="no_answer"} 0+1x40
			capstan_processor_call_duration_seconds_count{job="capstan",operation="capture",result="approved"} 0+99x40`, 20 * time.Minute, false},
		{"CapstanOutboxLate", "minutes late", `capstan_outbox_lag_seconds{job="capstan",dialect="wepay"} 300x9`, 7 * time.Minute, true},
		{"CapstanOutboxLate", "a minute late", `capstan_outbox_lag_seconds{job="capstan",dialect="wepay"} 60x9`, 7 * time.Minute, false},
		{"CapstanDeliveriesGivenUp", "one was", `capstan_delivery_attempts_total{job="capstan",dialect="wepay",result="given_up"} 0x5 1x20`, 10 * time.Minute, true},
		{"CapstanDeliveriesGivenUp", "some have failed", `capstan_delivery_attempts_total{job="capstan",dialect="wepay",result="failed"} 0+1x20`, 10 * time.Minute, false},
		{"CapstanDown", "no answer to a scrape", `up{job="capstan",instance="a"} 1 1 0 0 0 0`, 4 * time.Minute, true},
		{"CapstanDown", "another job", `up{job="other",instance="a"} 0x9`, 4 * time.Minute, false},
		{"CapstanSurveyFails", "again and again", `capstan_survey_failed{job="capstan",instance="a"} 1x20`, 8 * time.Minute, true},
		{"CapstanSurveyFails", "once", `capstan_survey_failed{job="capstan",instance="a"} 0 1 0x20`, 8 * time.Minute, false},
	} {
		t.Run(c.alert+": "+c.when, func(t *testing.T) {
			fire := firing(t, c.series, c.after)
			if got := slices.Contains(fire, c.alert); got != c.fires {
				t.Errorf("fires: %t; firing are %v", got, fire)
			}
		})
		tested[c.alert] = append(tested[c.alert], c.fires)
	}
	page, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range alerts(t) {
		if !strings.Contains(string(page), a.Alert) {
			t.Errorf("docs/observability.md does not say what to do about %s", a.Alert)
		}
		if cases := tested[a.Alert]; !slices.Contains(cases, true) || !slices.Contains(cases, false) {
			t.Errorf("%s has no case in which it fires, or none in which it is quiet", a.Alert)
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" || a.Labels["severity"] == "" {
			t.Errorf("%s says too little", a.Alert)
		}
	}
}
