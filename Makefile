# make test     what every change must pass; needs nothing but Go
# make lint     the same checks and golangci-lint's, which must be installed
# make bench    measure this machine and rewrite the table in docs/performance.md
# make smoke    a few seconds of load; fails on any error, never on a time
# make fuzz     every fuzz target for a short while: make fuzz FUZZTIME=5m
# make long     all tests with the race detector and the long forms of the tests

GO       ?= go
FUZZTIME ?= 10s

.PHONY: build test check lint bench smoke fuzz long

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o capstan ./cmd/capstan

test: check
	$(GO) test ./...

check:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not formatted:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...

lint: check
	$(GO) mod verify
	golangci-lint run

bench:
	$(GO) run ./internal/perf -write docs/performance.md

smoke:
	$(GO) run ./internal/perf -short

# go test runs one fuzz target of one package at a time.
fuzz:
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

long:
	CAPSTAN_LONG=1 $(GO) test -race -count=1 -timeout 60m ./...
