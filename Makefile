# The commands of a contributor. `make` alone lists them, from the comments behind the targets.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
PROGRAMS    = ./server/cmd/mcp-entra-server ./client/cmd/mcp-entra-client ./fakeentra/cmd/fakeentra ./conformance/cmd/mcp-auth-conformance
SLOWEST     = ./server ./conformance/servers/internal/broken ./server/cmd/mcp-entra-server ./conformance/clients/internal/broken
FUZZTIME   ?= 10s

.PHONY: help
help: ## list the targets
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: ## the four programs, in bin/
	@mkdir -p bin
	@echo 'building the four programs in bin/; the first time takes a minute or two, and names each package as it is compiled'
	@go build -v -o bin/ $(PROGRAMS)

.PHONY: demo
demo: build ## fake, server and client as three processes, from 401 to tool call
	@testdata/demo/run bin

.PHONY: live
live: build ## the flow against the tenant in .env, with your browser
	@test -f .env || { echo 'make live: no .env here; copy .env.example and fill in your tenant (README.md, "Against your tenant")' >&2; exit 2; }
	@testdata/demo/run bin "$(CURDIR)/.env"

# The slowest tests wait for deadlines, so more tests and packages run at once than there are cores, and the slowest
# packages begin. The tests of programs share those of this build. The tests have little garbage, and collect it less
# often. `make lint` runs the whole of go vet.
.PHONY: test
test: build ## everything that needs only Go, offline
	MCPENTRA_PROGRAMS=$(CURDIR)/bin GOGC=400 go test -vet=off -p 4 -parallel 6 -timeout 30m $(SLOWEST) ./...

.PHONY: race
race: build ## the same under the race detector, in random order, with more checks of our own programs
	MCPENTRA_PROGRAMS=$(CURDIR)/bin CONFORMANCE=full GOGC=400 go test -race -shuffle=on -count=1 -parallel 4 -timeout 30m \
		$(SLOWEST) ./...

.PHONY: lint
lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	go vet ./... ./testdata/interop/... ./.ci/release
	go run $(STATICCHECK) ./... ./testdata/interop/... ./.ci/release

# The database of known vulnerabilities is on the network. Without it the target says so and succeeds, except in CI.
.PHONY: vulnerabilities
vulnerabilities: ## govulncheck; skips where its database cannot be reached
	@out=$$(go run $(GOVULNCHECK) ./... 2>&1); status=$$?; printf '%s\n' "$$out"; \
	if [ $$status -ne 0 ] && printf '%s' "$$out" | grep -q 'fetching vulnerabilities' && [ -z "$$CI" ]; then \
		echo 'make vulnerabilities: skipped, because the database cannot be reached'; exit 0; \
	fi; exit $$status

# Each broken server and client meets every check: the checks in the map find it, and the others pass. Most of the
# time is waiting, so more run at once than there are cores.
.PHONY: broken
broken: ## every broken server and client against every check; takes minutes
	BROKEN_MATRIX=full GOGC=400 go test -count=1 -timeout 30m -parallel 6 ./conformance/servers/internal/broken \
		./conformance/issuers/internal/broken ./conformance/clients/internal/broken

# Tests whose name has Crashes. In other runs they kill only a few times.
.PHONY: crashes
crashes: ## kill servers and databases under load, many times (PostgreSQL and Redis of the system)
	CRASHES=full go test -count=1 -timeout 30m -run Crashes ./server/...

# The tests of the stores, and then the tests of the broker at every store: 100,000 random histories, 10,000 races of
# 64 redemptions, linearizability, a search for secrets, and floods. It takes about half an hour on two free cores.
.PHONY: histories
histories: ## compare stores and broker with models, and let requests race (PostgreSQL and Redis of the system)
	HISTORIES=full go test -count=1 -timeout 30m -run 'Contract|Linear' ./server/store/... -rapid.checks=20000
	HISTORIES=full go test -count=1 -timeout 90m ./server/internal/acceptance -rapid.checks=50000

# A fuzz run takes one target of one package at a time.
.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME, 10s if not set
	@grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file" | while read -r name; do \
			echo "$$(dirname "$$file") $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$(dirname "$$file")" || exit 1; \
		done || exit 1; \
	done

# Every test whose name begins with TestInterop. What it runs is installed from testdata/interop/package-lock.json.
.PHONY: interop
interop: ## other projects' clients and suites against ours (Node.js, npm, Chromium)
	@command -v node >/dev/null && command -v npm >/dev/null || { echo 'make interop: needs Node.js 20 or newer, and npm' >&2; exit 2; }
	@cd testdata/interop && npm ci --no-audit --no-fund --loglevel=error
	@cd testdata/interop/official && npm ci --no-audit --no-fund --loglevel=error
	@cd testdata/interop/foreign && npm ci --no-audit --no-fund --loglevel=error
	@cd testdata/interop/reports && npm ci --no-audit --no-fund --loglevel=error
	MCPENTRA_INTEROP=1 go test -count=1 -timeout 30m -run '^TestInterop' ./...

# The vectors are about 100 MB. They are a module of their own, so no other target fetches them.
.PHONY: wycheproof
wycheproof: ## Project Wycheproof's JWS and JWK vectors against our verifier
	cd server/token/wycheproof && go vet -mod=mod ./... && go test -mod=mod -count=1 -v ./...

.PHONY: bench
bench: ## the figures that have a goal, one line each
	@testdata/bench/figures

.PHONY: release
release: ## archives of the programs for five platforms in dist/, with checksums and SBOMs; SIGN=COMMAND signs them
	@go tool release -source '$(CURDIR)' -out '$(CURDIR)/dist' $(if $(PLATFORMS),-platforms '$(PLATFORMS)')

# Renames the module wherever its path stands: in imports, comments, READMEs and the modules below.
.PHONY: rename-module
rename-module: ## set the path to publish under: MODULE=example.com/you/mcpentra
	@test -n "$(MODULE)" || { echo 'make rename-module: say MODULE=example.com/you/mcpentra' >&2; exit 2; }
	@printf '%s' "$(MODULE)" | grep -Eqx '[A-Za-z0-9][A-Za-z0-9._~-]*(/[A-Za-z0-9][A-Za-z0-9._~-]*)*' || { echo 'make rename-module: MODULE is a path such as example.com/you/mcpentra, without https://' >&2; exit 2; }
	@old=$$(sed -n 's/^module //p' go.mod) && pattern=$$(printf '%s' "$$old" | sed 's/[.]/\\./g') && \
		files=$$(git grep -lF "$$old" -- '*.go' '*.md' '*go.mod') && \
		sed -E -i.before -e "s#(^|[^A-Za-z0-9_./@-])$$pattern(/| =>| v0)#\1$(MODULE)\2#g" -e "s#^module $$pattern\$$#module $(MODULE)#" $$files && \
		rm $$(printf '%s.before\n' $$files) && gofmt -w $$(git ls-files '*.go') && \
		go list -deps -test ./... >/dev/null && echo "$$old is now $(MODULE)"
