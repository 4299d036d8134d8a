package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// exporter sends spans by OTLP over HTTP in its JSON form, which every
// collector takes. The official exporter brings gRPC with it, which would make
// the program half as large again.
type exporter struct {
	endpoint string
	header   http.Header
	client   *http.Client
}

// sendTimeout bounds one attempt to send spans.
const sendTimeout = 10 * time.Second

// sendPauses are the waits before spans are sent again that could not be taken.
var sendPauses = []time.Duration{time.Second, 3 * time.Second}

// newExporter returns an exporter to an endpoint. Headers are lists of
// name=value, separated by commas, values percent-encoded.
func newExporter(endpoint string, headers ...string) (*exporter, error) {
	to, err := url.Parse(endpoint)
	if err != nil || (to.Scheme != "http" && to.Scheme != "https") || to.Host == "" {
		return nil, fmt.Errorf("traces: %q is not the URL of an OTLP endpoint over HTTP", endpoint)
	}
	e := &exporter{endpoint: endpoint, header: http.Header{"Content-Type": {"application/json"}}, client: &http.Client{Timeout: sendTimeout}}
	for _, list := range headers {
		for pair := range strings.SplitSeq(list, ",") {
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				continue
			}
			plain, err := url.PathUnescape(strings.TrimSpace(value))
			if err != nil {
				return nil, fmt.Errorf("traces: the value of header %q is not percent-encoded", strings.TrimSpace(name))
			}
			e.header.Set(strings.TrimSpace(name), plain)
		}
	}
	return e, nil
}

// below is the path of traces below a base URL.
func below(base string) string { return strings.TrimRight(base, "/") + "/v1/traces" }

// ExportSpans sends spans. What cannot be sent is lost; nobody waits for it.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	body, err := json.Marshal(message(spans))
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		again, err := e.send(ctx, body)
		if err == nil || !again || attempt == len(sendPauses) {
			return err
		}
		pause := time.NewTimer(sendPauses[attempt])
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

// send makes one attempt, and tells whether another may do better.
func (e *exporter) send(ctx context.Context, body []byte) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.endpoint, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header = e.header.Clone()
	response, err := e.client.Do(request)
	if err != nil {
		return true, fmt.Errorf("traces: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	switch response.StatusCode {
	case http.StatusOK:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	return again, fmt.Errorf("traces: the collector answered %s", response.Status)
}

// Shutdown has nothing to do.
func (e *exporter) Shutdown(context.Context) error { return nil }

// The message, as opentelemetry-proto's JSON form has it.
type (
	tracesData struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   attributes   `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	attributes struct {
		Attributes []keyValue `json:"attributes,omitempty"`
	}
	scopeSpans struct {
		Scope struct {
			Name string `json:"name"`
		} `json:"scope"`
		Spans []wireSpan `json:"spans"`
	}
	wireSpan struct {
		TraceID      string     `json:"traceId"`
		SpanID       string     `json:"spanId"`
		ParentSpanID string     `json:"parentSpanId,omitempty"`
		Name         string     `json:"name"`
		Kind         int        `json:"kind"`
		Start        string     `json:"startTimeUnixNano"`
		End          string     `json:"endTimeUnixNano"`
		Attributes   []keyValue `json:"attributes,omitempty"`
		Status       status     `json:"status"`
	}
	status struct {
		Code int `json:"code,omitempty"`
	}
	keyValue struct {
		Key   string         `json:"key"`
		Value map[string]any `json:"value"`
	}
)

// message is the message of spans, which are all of one process.
func message(spans []sdk.ReadOnlySpan) tracesData {
	var scope scopeSpans
	scope.Scope.Name = spans[0].InstrumentationScope().Name
	for _, s := range spans {
		w := wireSpan{
			TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(), Name: s.Name(), Kind: int(s.SpanKind()),
			Start: nanoseconds(s.StartTime()), End: nanoseconds(s.EndTime()), Attributes: keyValues(s.Attributes()),
		}
		if s.Parent().IsValid() {
			w.ParentSpanID = s.Parent().SpanID().String()
		}
		if s.Status().Code != 0 {
			w.Status.Code = 2 // STATUS_CODE_ERROR; success is never set
		}
		scope.Spans = append(scope.Spans, w)
	}
	return tracesData{[]resourceSpans{{Resource: attributes{keyValues(spans[0].Resource().Attributes())}, ScopeSpans: []scopeSpans{scope}}}}
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func keyValues(list []attribute.KeyValue) []keyValue {
	out := make([]keyValue, 0, len(list))
	for _, a := range list {
		value := map[string]any{"stringValue": a.Value.Emit()}
		switch a.Value.Type() {
		case attribute.INT64:
			value = map[string]any{"intValue": strconv.FormatInt(a.Value.AsInt64(), 10)}
		case attribute.BOOL:
			value = map[string]any{"boolValue": a.Value.AsBool()}
		}
		out = append(out, keyValue{string(a.Key), value})
	}
	return out
}
