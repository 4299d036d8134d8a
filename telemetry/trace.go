package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/payment"
)

// Traces makes spans: of a request, below it of the engine's command, below
// that of the commit and of calls to processors, and of the deliveries that
// follow from it. It is an engine.Tracer. No span has anything in it that a
// client sent.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	remote   propagation.TraceContext
	made     marks
}

var _ engine.Tracer = (*Traces)(nil)

// TracesEndpoint is where spans are to be sent: below the endpoint that was
// given, else where the environment says (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
// OTEL_EXPORTER_OTLP_ENDPOINT). Empty is nowhere: no traces.
func TracesEndpoint(given string, environment func(string) string) string {
	switch {
	case given != "":
		return below(given)
	case environment("OTEL_SDK_DISABLED") == "true", environment("OTEL_TRACES_EXPORTER") == "none":
		return ""
	case environment("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "":
		return environment("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	case environment("OTEL_EXPORTER_OTLP_ENDPOINT") != "":
		return below(environment("OTEL_EXPORTER_OTLP_ENDPOINT"))
	}
	return ""
}

// NewTraces sends spans to an OTLP endpoint over HTTP, as JSON. Sampling,
// batching and further attributes are set by OpenTelemetry's own variables in
// the environment.
func NewTraces(endpoint, version string, logger *slog.Logger) (*Traces, error) {
	exporter, err := newExporter(endpoint, os.Getenv("OTEL_EXPORTER_OTLP_HEADERS"), os.Getenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS"))
	if err != nil {
		return nil, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("spans are lost", "error", err) }))
	return newTraces(version, sdk.WithBatcher(exporter))
}

func newTraces(version string, to sdk.TracerProviderOption) (*Traces, error) {
	about, err := resource.New(context.Background(),
		resource.WithAttributes(attribute.String("service.name", "capstan"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	provider := sdk.NewTracerProvider(to, sdk.WithResource(about))
	return &Traces{provider: provider, tracer: provider.Tracer("github.com/capstan-pay/capstan")}, nil
}

// Close sends what has not been sent, while ctx lasts. Nothing happens for nil.
func (t *Traces) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// span is the span of a request.
type span struct{ trace.Span }

// request begins the span of a request, below the client's own if it sent one.
// The span is nil when nobody wants it.
func (t *Traces) request(ctx context.Context, h http.Header) (context.Context, *span) {
	ctx = t.remote.Extract(ctx, propagation.HeaderCarrier(h))
	ctx, s := t.tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
	if !s.IsRecording() {
		return ctx, nil
	}
	return ctx, &span{s}
}

// end ends the span with what came of the request.
func (s *span) end(r request) {
	s.SetName(r.dialect + " " + r.operation)
	s.SetAttributes(
		attribute.String("capstan.dialect", r.dialect), attribute.String("capstan.operation", r.operation),
		attribute.String("capstan.outcome", r.class.String()), attribute.String("capstan.request_id", r.id),
		attribute.Int("http.response.status_code", r.status))
	if r.merchant != 0 {
		s.SetAttributes(attribute.Int64("capstan.merchant", r.merchant))
	}
	if r.class == dialect.Failed {
		s.SetStatus(codes.Error, "")
	}
	s.Span.End()
}

// Start implements engine.Tracer.
func (t *Traces) Start(ctx context.Context, name string) (context.Context, func(error)) {
	ctx, s := t.tracer.Start(ctx, name)
	if !s.IsRecording() {
		return ctx, nil
	}
	return ctx, func(err error) { ended(s, err) }
}

// ended ends a span. Of an error its type is told, and not its text.
func ended(s trace.Span, err error) {
	if err != nil {
		s.SetStatus(codes.Error, "")
		s.SetAttributes(attribute.String("error.type", fmt.Sprintf("%T", err)))
	}
	s.End()
}

// Mark implements engine.Tracer.
func (t *Traces) Mark(ctx context.Context, id payment.ID, version int) {
	if s := trace.SpanContextFromContext(ctx); s.IsSampled() {
		t.made.put(change{id, version}, s)
	}
}

// Following begins a span of what follows from a version of a payment: below
// the span of the command that made it, if that was made here and not long ago,
// else by itself.
func (t *Traces) Following(ctx context.Context, name string, id payment.ID, version int) (context.Context, func(error)) {
	if of, ok := t.made.get(change{id, version}); ok {
		ctx = trace.ContextWithSpanContext(ctx, of)
	}
	return t.Start(ctx, name)
}

// change is a version of a payment.
type change struct {
	payment payment.ID
	version int
}

// marks remembers the spans of the latest changes.
type marks struct {
	mu    sync.Mutex
	spans map[change]trace.SpanContext
	order []change // a ring, in the order they were made
	next  int
}

// marked is how many changes are remembered.
const marked = 4096

func (m *marks) put(c change, s trace.SpanContext) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.spans == nil {
		m.spans, m.order = map[change]trace.SpanContext{}, make([]change, marked)
	}
	delete(m.spans, m.order[m.next])
	m.spans[c], m.order[m.next] = s, c
	m.next = (m.next + 1) % marked
}

func (m *marks) get(c change) (trace.SpanContext, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.spans[c]
	return s, ok
}
