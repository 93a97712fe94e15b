package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// credentialsBypassChecks returns the checks of server/credentials about requests that try to get
// past the token check.
func credentialsBypassChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/credentials/identity-headers",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Access Token Usage; OAuth 2.1 section 5.2",
				Sentence: "Headers in which proxies pass on identities do not count as credentials. A good token " +
					"in one of them is a note.",
				Covers: []string{"RS-011"},
			},
			Run: refusesBare(credentialsIdentityHeadersVectors()),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/path-variants",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Access Token Usage; RFC 3986 section 6",
				Sentence:  "No other spelling of the endpoint's path bypasses the token check.",
				Covers:    []string{"RS-012"},
			},
			Run: attack.WithAnyTrial(credentialsPathVariants),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/health-probes",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Access Token Usage",
				Sentence:  "A request that claims to be a health probe needs a token like any other.",
				Covers:    []string{"RS-013"},
			},
			Run: refusesBare(credentialsHealthProbesVectors()),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/method-override",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "MCP authorization, Access Token Usage; WHATWG Fetch, CORS preflight",
				Sentence: "A header or a parameter that names another method has no effect, and a preflight " +
					"request reveals nothing.",
				Covers: []string{"RS-014"},
			},
			Run: refusesBare(credentialsMethodOverrideVectors()),
		},
	}
}

// refusesBare makes the Run of a check that wants every vector refused with 401. Without a good
// token it leaves out the vectors that carry one, which have a level of their own.
func refusesBare(vectors []attack.Vector) func(ctx context.Context, p *bench.Probe) error {
	return attack.WithAnyTrial(func(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
		tried := slices.DeleteFunc(slices.Clone(vectors), func(vector attack.Vector) bool {
			return trial.IsBare() && vector.Level != ""
		})
		return attack.TryVectors(ctx, p, trial, attack.Unauthorized, tried...)
	})
}

func credentialsIdentityHeadersVectors() []attack.Vector {
	return []attack.Vector{
		{Name: "X-Forwarded-User", Change: attack.Header("X-Forwarded-User", "admin")},
		{
			Name:   "X-Forwarded-Email",
			Change: attack.Header("X-Forwarded-Email", "admin@example.com"),
		},
		{
			Name:     "X-Forwarded-Access-Token",
			Level:    check.Policy,
			Severity: check.Medium,
			Change:   func(r *bench.Request, good string) { r.Header.Set("X-Forwarded-Access-Token", good) },
		},
		{
			Name: "X-MS-CLIENT-PRINCIPAL",
			Change: func(r *bench.Request, _ string) {
				r.Header.Set("X-Ms-Client-Principal", "eyJhdXRoX3R5cCI6ImFhZCIsImNsYWltcyI6W119")
				r.Header.Set("X-Ms-Client-Principal-Id", "00000000-0000-0000-0000-000000000001")
			},
		},
		{
			Name:     "X-MS-TOKEN-AAD-ACCESS-TOKEN",
			Level:    check.Policy,
			Severity: check.Medium,
			Change:   func(r *bench.Request, good string) { r.Header.Set("X-Ms-Token-Aad-Access-Token", good) },
		},
		{
			Name:     "X-Original-Authorization",
			Level:    check.Policy,
			Severity: check.Medium,
			Change: func(r *bench.Request, good string) {
				r.Header.Set("X-Original-Authorization", "Bearer "+good)
			},
		},
		{
			Name:   "X_Forwarded_User",
			Change: func(r *bench.Request, _ string) { r.Header["X_Forwarded_User"] = []string{"admin"} },
		},
		{
			Name:     "Proxy-Authorization",
			Level:    check.Policy,
			Severity: check.Medium,
			Change:   func(r *bench.Request, good string) { r.Header.Set("Proxy-Authorization", "Bearer "+good) },
		},
	}
}

// credentialsPathVariants sends requests without a token to other spellings of the endpoint's path.
// Anything may answer there except the endpoint.
func credentialsPathVariants(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	origin := endpoint.Scheme + "://" + endpoint.Host
	for _, variant := range spellings("/" + strings.TrimPrefix(endpoint.EscapedPath(), "/")) {
		request := trial.Request()
		request.URL = origin + variant
		answer, err := p.Send(ctx, request)
		switch {
		case err != nil:
			return err
		case trial.Ran(request):
			return p.Insecure(
				"the tool not to run at "+variant,
				fmt.Sprintf("status %d, and the tool ran", answer.Status),
			)
		case answer.Succeeded():
			return p.Insecure("a refusal at "+variant, "the result of the request")
		case answer.Status >= http.StatusInternalServerError && answer.Status != http.StatusNotImplemented:
			return p.MismatchAt(check.Policy, "a refusal at "+variant, fmt.Sprintf("status %d", answer.Status))
		}
	}
	return nil
}

// spellings returns paths that a careless server could take for the same path.
func spellings(path string) []string {
	variants := []string{
		path + "/",
		"/" + path,
		strings.ToUpper(path),
		path + ";a",
		path + "/.",
		path + "/..;/",
		"/x/.." + path,
		"/.well-known/.." + path,
		path + "%23x",
		path + "?x",
		path + "%2f",
		path + "/x",
		"/." + path,
	}
	if last := strings.LastIndexByte(path, '/'); last+1 < len(path) && path[last+1] != '%' {
		variants = append(variants, fmt.Sprintf("%s%%%02x%s", path[:last+1], path[last+1], path[last+2:]))
	}
	return variants
}

func credentialsHealthProbesVectors() []attack.Vector {
	return []attack.Vector{
		{Name: "kube-probe", Change: attack.Header("User-Agent", "kube-probe/1.30")},
		{Name: "GoogleHC", Change: attack.Header("User-Agent", "GoogleHC/1.0")},
		{Name: "ELB-HealthChecker", Change: attack.Header("User-Agent", "ELB-HealthChecker/2.0")},
		{Name: "Edge Health Probe", Change: attack.Header("User-Agent", "Edge Health Probe")},
	}
}

func credentialsMethodOverrideVectors() []attack.Vector {
	return []attack.Vector{
		{
			Name:   "X-HTTP-Method-Override",
			Change: attack.Header("X-HTTP-Method-Override", "OPTIONS"),
		},
		{Name: "X-HTTP-Method", Change: attack.Header("X-HTTP-Method", "OPTIONS")},
		{
			Name:   "_method",
			Change: func(r *bench.Request, _ string) { r.Query = url.Values{"_method": {"OPTIONS"}} },
		},
		{
			Name: "OPTIONS with the message",
			Want: append([]int{http.StatusOK, http.StatusNoContent, http.StatusNotImplemented}, bench.AnyRefusal()...),
			Change: func(r *bench.Request, _ string) {
				r.Method = http.MethodOptions
				r.Header.Set("Origin", "https://elsewhere.example")
				r.Header.Set("Access-Control-Request-Method", http.MethodPost)
			},
		},
	}
}
