# mcpentra: what a person types. `make` alone lists it.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
PROGRAMS    = ./server/cmd/mcp-entra-server ./client/cmd/mcp-entra-client ./fakeentra/cmd/fakeentra ./conformance/cmd/mcp-auth-conformance
FUZZTIME   ?= 10s

.PHONY: help
help:
	@echo 'make build     the four programs, in bin/'
	@echo 'make demo      fake issuer, server and client as three processes: 401 to tool call, each step printed'
	@echo 'make test      everything a machine with Go can check, offline'
	@echo 'make race      the same under the race detector, in random order'
	@echo 'make twins     every broken server and client against every check, which takes minutes'
	@echo 'make lint      gofmt, go vet, staticcheck'
	@echo 'make fuzz      every fuzz target for FUZZTIME=$(FUZZTIME)'
	@echo 'make interop   other people'"'"'s clients against ours (Node.js, npm and Chromium): MSAL, openid-client, the MCP SDK, MCP Inspector, the official suite'
	@echo "make wycheproof   Project Wycheproof's JWS and JWK vectors against our verifier"
	@echo 'make bench     the figures that have a goal, a line each'
	@echo 'make live      the flow against the tenant in .env, with your browser'
	@echo 'make rename-module MODULE=example.com/you/mcpentra   the path to publish it under'

.PHONY: build
build:
	@mkdir -p bin
	@echo 'building the four programs in bin/; the first time takes a minute or two, and names each package as it is compiled'
	@go build -v -o bin/ $(PROGRAMS)

.PHONY: demo
demo: build
	@testdata/demo/run bin

.PHONY: live
live: build
	@test -f .env || { echo 'make live: no .env here; copy .env.example and fill in your tenant (README.md, "Against your tenant")' >&2; exit 2; }
	@testdata/demo/run bin "$(CURDIR)/.env"

.PHONY: test
test:
	go test ./...

.PHONY: race
race:
	go test -race -shuffle=on -count=1 ./...

.PHONY: lint
lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	go vet ./... ./testdata/interop/...
	go run $(STATICCHECK) ./...

# Each broken server and client with every check: those that should find it do, and the others pass. Much of the time is waiting, so more run at once than there are cores.
.PHONY: twins
twins:
	TWIN_MATRIX=full go test -count=1 -timeout 30m -parallel 6 ./conformance/twins

# A fuzz run takes one target of one package at a time.
.PHONY: fuzz
fuzz:
	@grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file" | while read -r name; do \
			echo "$$(dirname "$$file") $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$(dirname "$$file")" || exit 1; \
		done || exit 1; \
	done

# Every test whose name begins with TestInterop. What it runs is installed from testdata/interop/package-lock.json.
.PHONY: interop
interop:
	@command -v node >/dev/null && command -v npm >/dev/null || { echo 'make interop: needs Node.js 20 or newer, and npm' >&2; exit 2; }
	@cd testdata/interop && npm ci --no-audit --no-fund --loglevel=error
	@cd testdata/interop/official && npm ci --no-audit --no-fund --loglevel=error
	MCPENTRA_INTEROP=1 go test -count=1 -run '^TestInterop' ./...

# The vectors are some 100 MB, so they stand in a module of their own that nobody fetches who does not ask for them.
.PHONY: wycheproof
wycheproof:
	cd server/token/wycheproof && go vet -mod=mod ./... && go test -mod=mod -count=1 -v ./...

.PHONY: bench
bench:
	@testdata/bench/figures

# Renames the module wherever its path stands: in imports, comments, READMEs and the modules below.
.PHONY: rename-module
rename-module:
	@test -n "$(MODULE)" || { echo 'make rename-module: say MODULE=example.com/you/mcpentra' >&2; exit 2; }
	@old=$$(sed -n 's/^module //p' go.mod) && pattern=$$(printf '%s' "$$old" | sed 's/[.]/\\./g') && \
		files=$$(git grep -lF "$$old" -- '*.go' '*.md' '*go.mod') && \
		sed -E -i.before -e "s#(^|[^A-Za-z0-9_./@-])$$pattern(/| =>| v0)#\1$(MODULE)\2#g" -e "s#^module $$pattern\$$#module $(MODULE)#" $$files && \
		rm $$(printf '%s.before\n' $$files) && gofmt -w $$(git ls-files '*.go') && \
		go list -deps -test ./... >/dev/null && echo "$$old is now $(MODULE)"
