package checks

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/vocabulary"
)

// bypassChecks returns the checks of server/bypass about headers and parameters that a server
// trusts in place of a token. Each starts with a good request, and with the same request without a
// token.
func bypassChecks() []bench.Check {
	const reference = "MCP authorization, Access Token Usage; OAuth 2.1 section 5.2"
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/bypass/identities",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: reference,
				Sentence:  "No header that names a user, a role or a client certificate replaces a token.",
				Covers:    []string{"RS-011"},
			},
			Run: attack.WithAnyTrial(bypassIdentities),
		},
		{
			Rule: check.Rule{
				ID:        "server/bypass/addresses",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: reference,
				Sentence:  "No client address and no internal host that a header names replaces a token.",
				Covers:    []string{"RS-011"},
			},
			Run: attack.WithAnyTrial(bypassAddresses),
		},
		{
			Rule: check.Rule{
				ID:        "server/bypass/probes",
				Level:     check.Must,
				Severity:  check.High,
				Reference: reference,
				Sentence:  "A request of a health check, a monitor or a crawler needs a token like any other.",
				Covers:    []string{"RS-013"},
			},
			Run: attack.WithAnyTrial(bypassProbes),
		},
		{
			Rule: check.Rule{
				ID:        "server/bypass/internal",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: reference,
				Sentence: "No header or parameter that marks a request as internal, trusted or already checked " +
					"replaces a token.",
				Covers: []string{"RS-011"},
			},
			Run: attack.WithAnyTrial(bypassInternal),
		},
		{
			Rule: check.Rule{
				ID:        "server/bypass/callers",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: reference,
				Sentence: "No other header that describes a caller replaces a token, and no guessable token is " +
					"accepted.",
				Covers: []string{"RS-001", "RS-011"},
			},
			Run: attack.WithAnyTrial(bypassCallers),
		},
		{
			Rule: check.Rule{
				ID:        "server/bypass/rewrites",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: reference,
				Sentence:  "No header that names another path leads past the token check.",
				Covers:    []string{"RS-012"},
			},
			Run: attack.WithAnyTrial(bypassRewrites),
		},
		{
			Rule: check.Rule{
				ID:        "server/bypass/overrides",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: reference,
				Sentence:  "No header or parameter that names another method leads past the token check.",
				Covers:    []string{"RS-014"},
			},
			Run: attack.WithAnyTrial(bypassOverrides),
		},
	}
}

// runSweeps runs sweeps, and reports what each of them finds.
func runSweeps(ctx context.Context, p *bench.Probe, trial *bench.Trial, sweeps ...attack.Sweep) error {
	return inputs.TryAll(sweeps, func(sweep attack.Sweep) error { return sweep.Run(ctx, p, trial) })
}

// spelledHeader returns a claim in a header, and mutations of it: with underscores in the name,
// which CGI and WSGI take for hyphens, and behind a harmless value of the same name.
func spelledHeader(name, value string) []attack.Claim {
	underscored := strings.ReplaceAll(name, "-", "_")
	claims := []attack.Claim{attack.HeaderClaim(name, value)}
	if underscored != name {
		claims = append(claims, attack.HeaderClaim(underscored, value))
	}
	return append(claims, attack.Claim{
		Name: name + ": " + value + " in a second line",
		Slot: strings.ToLower(name),
		Add:  func(request *bench.Request, _ string) { request.Header[name] = []string{"unknown", value} },
	})
}

// bypassIdentities tries server/bypass/identities.
func bypassIdentities(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	var plain, mutated []attack.Claim
	for _, identity := range vocabulary.Of(vocabulary.Identity) {
		claims := spelledHeader(identity.Name, forged(identity.Value))
		plain = append(plain, claims[0])
		mutated = append(mutated, claims[1:]...)
	}
	// A server that wants several headers wants them from one product. They begin alike.
	slices.SortFunc(plain, func(a, b attack.Claim) int { return cmp.Compare(a.Name, b.Name) })
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	return runSweeps(
		ctx,
		p,
		trial,
		attack.Sweep{
			Claims: plain,
			Always: []attack.Claim{
				attack.HeaderClaim("X-Forwarded-For", "127.0.0.1"),
				attack.HeaderClaim("X-Real-IP", "127.0.0.1"),
			},
			Bases:    bases,
			Reported: []string{"X-Forwarded-User: admin", "X-Forwarded-Email: admin@example.com"},
		},
		attack.Sweep{
			Claims:   mutated,
			Bases:    bases[:1],
			Reported: []string{"X_Forwarded_User: admin", "X-Forwarded-User: admin in a second line"},
		},
	)
}

// forged fills in the value of an identity header.
func forged(value string) string {
	claims := attack.JSON(map[string]any{
		"sub":                "admin",
		"email":              "admin@example.com",
		"preferred_username": "admin",
		"iss":                "https://issuer.example",
		"exp":                4102444800,
	})
	principal := attack.JSON(map[string]any{
		"auth_typ": "aad",
		"name_typ": "name",
		"role_typ": "roles",
		"claims":   []map[string]string{{"typ": "name", "val": "admin"}, {"typ": "roles", "val": "admin"}},
	})
	return strings.NewReplacer(
		"{jwt}", attack.Base64(`{"alg":"none","typ":"JWT"}`)+"."+attack.Base64(claims)+".",
		"{claims}", claims,
		"{userinfo}", attack.Base64(claims),
		"{principal}", attack.Base64(principal),
		"{scopes}", "tools mcp admin",
	).Replace(value)
}

// bypassAddresses tries server/bypass/addresses.
func bypassAddresses(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	var plain, mutated []attack.Claim
	for i, address := range vocabulary.Names(vocabulary.Address) {
		address = strings.ReplaceAll(address, "{host}", endpoint.Hostname())
		for _, name := range vocabulary.Names(vocabulary.AddressHeader) {
			claims := spelledHeader(name, address)
			plain = append(plain, claims[0])
			if i == 0 {
				mutated = append(mutated, claims[1:]...)
			}
		}
	}
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	var hosts []attack.Claim
	for _, host := range vocabulary.Names(vocabulary.Host) {
		hosts = append(hosts, attack.Claim{
			Name: "Host: " + host,
			Slot: "host",
			Add:  func(request *bench.Request, _ string) { request.Host = host },
		})
	}
	return runSweeps(
		ctx,
		p,
		trial,
		attack.Sweep{Claims: plain, Bases: bases},
		attack.Sweep{Claims: mutated, Bases: bases[:1]},
		attack.Sweep{Claims: hosts, Bases: bases[:min(2, len(bases))]},
	)
}

// bypassProbes tries server/bypass/probes.
func bypassProbes(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	var agents, headers []attack.Claim
	for _, agent := range vocabulary.Names(vocabulary.ProbeAgent) {
		agents = append(agents, attack.HeaderClaim("User-Agent", agent))
	}
	for _, header := range vocabulary.Of(vocabulary.ProbeHeader) {
		headers = append(headers, attack.HeaderClaim(header.Name, header.Value))
	}
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	return runSweeps(
		ctx,
		p,
		trial,
		attack.Sweep{
			Claims: agents,
			Bases:  bases[:1],
			Reported: []string{
				"User-Agent: kube-probe/1.30",
				"User-Agent: GoogleHC/1.0",
				"User-Agent: ELB-HealthChecker/2.0",
				"User-Agent: Edge Health Probe",
			},
		},
		attack.Sweep{Claims: headers, Bases: bases},
	)
}

// bypassInternal tries server/bypass/internal.
func bypassInternal(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	var plain, mutated []attack.Claim
	for i, value := range vocabulary.Names(vocabulary.InternalValue) {
		for _, name := range vocabulary.Names(vocabulary.Internal) {
			claims := spelledHeader(name, value)
			plain = append(plain, claims[0])
			if i == 0 && strings.Contains(name, "-") {
				mutated = append(mutated, claims[1])
			}
		}
	}
	for _, value := range []string{"true", "1"} {
		for _, name := range vocabulary.Names(vocabulary.Flag) {
			plain = append(plain, attack.Claim{
				Name: name + "=" + value,
				Slot: "?" + name,
				Add:  func(request *bench.Request, _ string) { addQuery(request, name, value) },
			})
		}
	}
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	return runSweeps(
		ctx,
		p,
		trial,
		attack.Sweep{Claims: plain, Bases: bases},
		attack.Sweep{Claims: mutated, Bases: bases[:1]},
	)
}

// bypassCallers tries server/bypass/callers.
func bypassCallers(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	origin := endpoint.Scheme + "://" + endpoint.Host
	var claims []attack.Claim
	for _, header := range vocabulary.Of(vocabulary.Caller) {
		value := strings.ReplaceAll(header.Value, "{origin}", origin)
		claim := attack.HeaderClaim(header.Name, value)
		if header.Name == "Authorization" && strings.ToLower(value) != value {
			// A report would mask the token, although anyone can guess it.
			claim.Name = header.Name + ": " + strings.ToUpper(value) + ", in other letters"
		}
		claims = append(claims, claim)
	}
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	for _, base := range bases {
		answer, err := p.Send(ctx, attack.WithToken(attack.MalformedToken, base.Make()))
		if err != nil {
			return err
		}
		if answer.Status/100 == 2 {
			return &check.Skipped{Of: "server/token/garbage", Reason: "the server accepts any value as a token"}
		}
	}
	for _, name := range vocabulary.Names(vocabulary.ClientName) {
		claims = append(claims, attack.Claim{
			Name: "clientInfo.name: " + name,
			Slot: "clientInfo",
			Add:  func(request *bench.Request, _ string) { renameClient(request, name) },
		})
	}
	return runSweeps(ctx, p, trial, attack.Sweep{Claims: claims, Bases: bases})
}

// renameClient replaces the client's name in the first message.
func renameClient(request *bench.Request, name string) {
	request.Body = bytes.Replace(request.Body, []byte(`"mcp-auth-conformance"`), []byte(attack.JSON(name)), 1)
}

// bypassRewrites claims another path at the endpoint, and the endpoint's path at another one.
func bypassRewrites(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	origin := endpoint.Scheme + "://" + endpoint.Host
	var others, own []attack.Claim
	for _, header := range vocabulary.Names(vocabulary.RewriteHeader) {
		own = append(own, attack.HeaderClaim(header, endpoint.EscapedPath()))
	}
	for _, path := range vocabulary.Names(vocabulary.PublicPath) {
		for _, header := range vocabulary.Names(vocabulary.RewriteHeader) {
			others = append(others, attack.HeaderClaim(header, path))
		}
	}
	var elsewhere []attack.Base
	call := bases[0].Make
	for _, path := range vocabulary.Names(vocabulary.PublicPath)[:rewrittenPaths] {
		if path == endpoint.EscapedPath() {
			continue
		}
		for _, make := range []func() bench.Request{call, p.First} {
			elsewhere = append(elsewhere, attack.Base{
				Name: "a POST to " + path,
				Make: func() bench.Request { return at(make(), origin+path) },
			})
		}
	}
	return runSweeps(
		ctx,
		p,
		trial,
		attack.Sweep{Claims: others, Bases: bases[:min(2, len(bases))]},
		attack.Sweep{Claims: own, Bases: elsewhere},
	)
}

// rewrittenPaths is how many public paths are tried with the endpoint's path in a header.
const rewrittenPaths = 12

// at returns a request to another address.
func at(request bench.Request, address string) bench.Request {
	request.URL = address
	return request
}

// bypassOverrides claims another method, and POST with another one.
func bypassOverrides(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	call := bases[0].Make
	bases = bases[:min(2, len(bases))]
	methods := []string{
		http.MethodOptions,
		http.MethodHead,
		http.MethodGet,
		http.MethodPut,
		http.MethodDelete,
		http.MethodTrace,
		"options",
	}
	sweeps := []attack.Sweep{{
		Claims:   overrides(methods...),
		Bases:    bases,
		Reported: []string{"X-HTTP-Method-Override: OPTIONS", "X-HTTP-Method: OPTIONS", "_method=OPTIONS"},
	}}
	for _, method := range []string{http.MethodOptions, http.MethodGet, http.MethodHead, http.MethodPut} {
		sweeps = append(sweeps, attack.Sweep{
			Claims: overrides(http.MethodPost),
			Bases: []attack.Base{{
				Name: method + " with the message",
				Make: func() bench.Request { return withMethod(call(), method) },
			}},
		})
	}
	return runSweeps(ctx, p, trial, sweeps...)
}

func withMethod(request bench.Request, method string) bench.Request {
	request.Method = method
	return request
}

// overrides returns claims of methods in headers and in the query.
func overrides(methods ...string) []attack.Claim {
	var claims []attack.Claim
	for _, method := range methods {
		for _, header := range vocabulary.Names(vocabulary.MethodHeader) {
			claims = append(claims, attack.HeaderClaim(header, method))
		}
		for _, name := range vocabulary.Names(vocabulary.MethodParameter) {
			claims = append(claims, attack.Claim{
				Name: name + "=" + method,
				Slot: "?" + name,
				Add:  func(request *bench.Request, _ string) { addQuery(request, name, method) },
			})
		}
	}
	return claims
}
