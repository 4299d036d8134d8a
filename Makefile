# make test     what every change must pass; needs Go and PostgreSQL's programs
# make lint     golangci-lint's checks, which must be installed
# make bench    measure this machine and rewrite the table in docs/performance.md
# make smoke    a few seconds of load; fails on any error, never on a time
# make fuzz     every fuzz target for a short while: make fuzz FUZZTIME=5m
# make long     all tests under the race detector, 10,000 races of each kind, 100,000 simulations, 100,000 payments paged through, 5,000 power cuts, 20,000 flipped bytes, and many rounds of kill -9

GO       ?= go
FUZZTIME ?= 10s
ROUNDS   ?= 200
SEEDS    ?= 100000
KILLS    ?= 1000

.PHONY: build test lint bench smoke fuzz long

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o capstan ./cmd/capstan

test:
	./scripts/test

lint:
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
	$(GO) test -race -count=1 -timeout 1h ./...
	$(GO) test -count=1 -timeout 1h ./engine -run TestRaces -races 10000
	$(GO) test -count=1 -timeout 6h ./engine -run 'TestSimulation$$' -seeds $(SEEDS)
	$(GO) test -count=1 -timeout 1h ./store/sqlite -run 'TestPowerIsLost$$' -cuts 5000
	$(GO) test -count=1 -timeout 1h ./verify -run TestEveryFlippedByteIsFound -flips 20000
	$(GO) test -count=1 -timeout 1h ./dialect/wepay -run TestPaging/sqlite -payments 100000
	$(GO) test -count=1 -timeout 1h ./internal/mutation -run TestSimulationNotices -all
	$(GO) test -count=1 -timeout 2h ./internal/crash -skip Notifications -rounds $(ROUNDS) -times 5 -long 30m
	$(GO) test -count=1 -timeout 2h ./internal/crash -run Notifications -rounds $(KILLS)
