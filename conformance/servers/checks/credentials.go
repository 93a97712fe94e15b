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

// credentialsChecks are checks of server/credentials: where a server looks for a token, and how
// strictly it reads what is there (RFC 6750 section 2, RFC 9110 section 11).
func credentialsChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/credentials/other-places",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 section 5.1; RFC 6750 section 2",
				Sentence:  "A token in a cookie, in the JSON body, in a form or in another header counts for nothing.",
				Covers:    []string{"RS-003"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesAll(attack.Unauthorized,
				attack.Vector{
					Name:   "a cookie",
					Change: func(r *bench.Request, good string) { r.Header.Set("Cookie", "access_token="+good) },
				},
				attack.Vector{
					Name:   "X-Access-Token",
					Change: func(r *bench.Request, good string) { r.Header.Set("X-Access-Token", good) },
				},
				attack.Vector{
					Name: "the JSON body",
					Change: func(r *bench.Request, good string) {
						r.Body = []byte(strings.Replace(string(r.Body), "{", `{"access_token":"`+good+`",`, 1))
					},
				},
				attack.Vector{
					Name:   "a form",
					Want:   []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusUnsupportedMediaType},
					Change: asForm,
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/two-places",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 section 5.1; RFC 6750 section 2",
				Sentence:  "A good token in the query or in a form does not make up for a bad one in the header.",
				Covers:    []string{"RS-004"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesAll(attack.BadOrNot,
				attack.Vector{
					Name: "bad in the header, good in the query",
					Change: func(r *bench.Request, good string) {
						r.Header.Set("Authorization", "Bearer "+bad)
						r.Query = url.Values{"access_token": {good}}
					},
				},
				attack.Vector{
					Name: "bad in the header, good in a form",
					Want: []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusUnsupportedMediaType},
					Change: func(r *bench.Request, good string) {
						asForm(r, good)
						r.Header.Set("Authorization", "Bearer "+bad)
					},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/two-headers",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 5.3",
				Sentence: "Two Authorization lines are refused, whichever of them is good: two readers could pick " +
					"two different ones.",
				Covers: []string{"RS-005"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesAll(attack.BadOrNot,
				attack.Vector{
					Name: "good, then bad",
					Lines: func(good string) []string {
						return []string{"Authorization: Bearer " + good, "Authorization: Bearer " + bad}
					},
				},
				attack.Vector{
					Name: "bad, then good",
					Lines: func(good string) []string {
						return []string{"Authorization: Bearer " + bad, "Authorization: Bearer " + good}
					},
				},
				attack.Vector{
					Name: "good, then Basic",
					Lines: func(good string) []string {
						return []string{"Authorization: Bearer " + good, "Authorization: Basic eDp5"}
					},
				},
				attack.Vector{
					Name: "good twice",
					Lines: func(good string) []string {
						return []string{"Authorization: Bearer " + good, "authorization: Bearer " + good}
					},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/lists",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 9110 section 11.6.2; OAuth 2.1 section 5.3.2",
				Sentence:  "Several credentials in one Authorization line are refused.",
				Covers:    []string{"RS-006", "server-malformed-authorization"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesAll(attack.BadOrNot,
				attack.Vector{
					Name: "Bearer good, Bearer bad",
					Change: attack.Authorization(func(good string) string {
						return "Bearer " + good + ", Bearer " + bad
					}),
				},
				attack.Vector{
					Name: "Bearer bad, Bearer good",
					Change: attack.Authorization(func(good string) string {
						return "Bearer " + bad + ", Bearer " + good
					}),
				},
				attack.Vector{
					Name:   "Bearer good,bad",
					Change: attack.Authorization(func(good string) string { return "Bearer " + good + "," + bad }),
				},
				attack.Vector{
					Name:   "Bearer good bad",
					Change: attack.Authorization(func(good string) string { return "Bearer " + good + " " + bad }),
				},
				attack.Vector{
					Name:   "Basic, then Bearer good",
					Change: attack.Authorization(func(good string) string { return "Basic eDp5, Bearer " + good }),
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/blanks",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "RFC 6750 section 2.1; RFC 9110 sections 5.5 and 11.4",
				Sentence: "The credentials are the scheme, blanks, and a token: no token, a tab or quotes are " +
					"refused; blanks before the token and at the end of the line are not.",
				Covers: []string{"RS-008", "server-malformed-authorization"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    blanks,
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/other-schemes",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 6750 section 2.1; RFC 9110 section 11.4",
				Sentence:  "A token under another scheme than Bearer counts for nothing.",
				Covers:    []string{"RS-009", "server-malformed-authorization"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesAll(attack.BadOrNot,
				attack.Vector{
					Name:   "no scheme",
					Change: attack.Authorization(func(good string) string { return good }),
				},
				attack.Vector{
					Name:   "Basic",
					Change: attack.Authorization(func(good string) string { return "Basic " + good }),
				},
				attack.Vector{
					Name:   "DPoP",
					Change: attack.Authorization(func(good string) string { return "DPoP " + good }),
				},
				attack.Vector{
					Name:   "Negotiate",
					Change: attack.Authorization(func(good string) string { return "Negotiate " + good }),
				},
				attack.Vector{
					Name:   "Token",
					Change: attack.Authorization(func(good string) string { return "Token " + good }),
				},
				attack.Vector{
					Name:   "Bearerx",
					Change: attack.Authorization(func(good string) string { return "Bearerx " + good }),
				},
				attack.Vector{
					Name:   "Bearer:",
					Change: attack.Authorization(func(good string) string { return "Bearer:" + good }),
				},
				attack.Vector{Name: "foo", Change: attack.Authorization(func(string) string { return "foo" })},
			),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/illegal-bytes",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 6750 section 2.1; RFC 9110 section 5.5; RFC 9112 section 5.2",
				Sentence: "A token with bytes that a token cannot have is refused, or the connection is closed; " +
					"nothing of it gets into the answer.",
				Covers: []string{"RS-010"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    illegalBytes,
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/identity-headers",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Access Token Usage; OAuth 2.1 section 5.2",
				Sentence:  "Headers in which proxies pass identities on are no credentials.",
				Covers:    []string{"RS-011"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesAll(attack.Unauthorized,
				attack.Vector{Name: "X-Forwarded-User", Change: attack.Header("X-Forwarded-User", "admin")},
				attack.Vector{
					Name:   "X-Forwarded-Email",
					Change: attack.Header("X-Forwarded-Email", "admin@example.com"),
				},
				attack.Vector{
					Name:   "X-Forwarded-Access-Token",
					Change: func(r *bench.Request, good string) { r.Header.Set("X-Forwarded-Access-Token", good) },
				},
				attack.Vector{
					Name: "X-MS-CLIENT-PRINCIPAL",
					Change: func(r *bench.Request, _ string) {
						r.Header.Set("X-Ms-Client-Principal", "eyJhdXRoX3R5cCI6ImFhZCIsImNsYWltcyI6W119")
						r.Header.Set("X-Ms-Client-Principal-Id", "00000000-0000-0000-0000-000000000001")
					},
				},
				attack.Vector{
					Name:   "X-MS-TOKEN-AAD-ACCESS-TOKEN",
					Change: func(r *bench.Request, good string) { r.Header.Set("X-Ms-Token-Aad-Access-Token", good) },
				},
				attack.Vector{
					Name: "X-Original-Authorization",
					Change: func(r *bench.Request, good string) {
						r.Header.Set("X-Original-Authorization", "Bearer "+good)
					},
				},
				attack.Vector{
					Name:   "X_Forwarded_User",
					Change: func(r *bench.Request, _ string) { r.Header["X_Forwarded_User"] = []string{"admin"} },
				},
				attack.Vector{
					Name:   "Proxy-Authorization",
					Change: func(r *bench.Request, good string) { r.Header.Set("Proxy-Authorization", "Bearer "+good) },
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/path-variants",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Access Token Usage; RFC 3986 section 6",
				Sentence:  "No other spelling of the endpoint's path leads past the token check.",
				Covers:    []string{"RS-012"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    pathVariants,
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/health-probes",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Access Token Usage",
				Sentence:  "Who says that it is a health probe needs a token like anybody.",
				Covers:    []string{"RS-013"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesAll(attack.Unauthorized,
				attack.Vector{Name: "kube-probe", Change: attack.Header("User-Agent", "kube-probe/1.30")},
				attack.Vector{Name: "GoogleHC", Change: attack.Header("User-Agent", "GoogleHC/1.0")},
				attack.Vector{Name: "ELB-HealthChecker", Change: attack.Header("User-Agent", "ELB-HealthChecker/2.0")},
				attack.Vector{Name: "Edge Health Probe", Change: attack.Header("User-Agent", "Edge Health Probe")},
			),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/method-override",
				Level:     check.Must,
				Severity:  check.Low,
				Reference: "MCP authorization, Access Token Usage; WHATWG Fetch, CORS preflight",
				Sentence: "A header or a parameter that names another method changes nothing, and a preflight " +
					"request gives nothing away.",
				Covers: []string{"RS-014"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run: attack.RefusesAll(attack.Unauthorized,
				attack.Vector{
					Name:   "X-HTTP-Method-Override",
					Change: attack.Header("X-HTTP-Method-Override", "OPTIONS"),
				},
				attack.Vector{Name: "X-HTTP-Method", Change: attack.Header("X-HTTP-Method", "OPTIONS")},
				attack.Vector{
					Name:   "_method",
					Change: func(r *bench.Request, _ string) { r.Query = url.Values{"_method": {"OPTIONS"}} },
				},
				attack.Vector{
					Name: "OPTIONS with the message",
					Want: append([]int{http.StatusOK, http.StatusNoContent}, bench.AnyRefusal()...),
					Change: func(r *bench.Request, _ string) {
						r.Method = http.MethodOptions
						r.Header.Set("Origin", "https://elsewhere.example")
						r.Header.Set("Access-Control-Request-Method", http.MethodPost)
					},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/keep-alive",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Token Requirements; OAuth 2.1 section 5.2",
				Sentence:  "A good token counts for its own request and not for the next one on the connection.",
				Covers:    []string{"RS-015", "server-verify-every-request"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    keepAlive,
		},
	}
}

// asForm sends the token in a form in place of the message.
func asForm(request *bench.Request, good string) {
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Body = []byte(url.Values{"access_token": {good}, "message": {string(request.Body)}}.Encode())
}

func blanks(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	err = attack.Deny(ctx, p, trial, attack.BadOrNot,
		attack.Vector{Name: "Bearer alone", Change: attack.Authorization(func(string) string { return "Bearer" })},
		attack.Vector{
			Name:  "Bearer and a blank",
			Lines: func(string) []string { return []string{"Authorization: Bearer "} },
		},
		attack.Vector{
			Name:   "a tab",
			Change: attack.Authorization(func(good string) string { return "Bearer\t" + good }),
		},
		attack.Vector{
			Name:   "quotes",
			Change: attack.Authorization(func(good string) string { return `Bearer "` + good + `"` }),
		},
		attack.Vector{
			Name:  "an empty Authorization",
			Lines: func(string) []string { return []string{"Authorization:"} },
		},
	)
	if err != nil {
		return err
	}
	for name, lenient := range map[string]struct {
		line  string
		level check.Level
	}{
		"two blanks before the token":       {"Authorization: Bearer  " + trial.Token, check.Policy},
		"a blank at the end of the line":    {"Authorization: Bearer " + trial.Token + " ", check.Should},
		"no blank behind the header's name": {"Authorization:Bearer " + trial.Token, check.Must},
	} {
		said, err := p.Raw(ctx, p.Wire(trial.Request(), lenient.line))
		if err != nil {
			return err
		}
		if len(said.Answers) != 1 || said.Answers[0].Status != http.StatusOK {
			return p.MismatchAt(lenient.level, "status 200 with "+name, attack.Describe(said))
		}
	}
	return nil
}

func illegalBytes(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	const injected = "X-Injected"
	for name, illegal := range map[string]string{
		"NUL":               "\x00",
		"CR":                "\r",
		"LF and a header":   "\n" + injected + ": 1\nX-Rest: ",
		"CRLF and a header": "\r\n" + injected + ": 1\r\nX-Rest: ",
		"a quote":           `"`,
		"a backslash":       `\`,
		"UTF-8":             "é",
		"0x80":              "\x80",
		"0xff":              "\xff",
		"a folded line":     "\r\n ",
	} {
		request := trial.Request()
		middle := len(trial.Token) / 2
		text := p.Wire(request, "Authorization: Bearer "+trial.Token[:middle]+illegal+trial.Token[middle:])
		said, err := trial.DeniedRaw(ctx, name+" in the token", request, text, attack.BadOrNot...)
		if err != nil {
			return err
		}
		for _, answer := range said.Answers {
			if answer.Header.Get(injected) != "" {
				return p.Insecure("nothing of the request in the answer's head", "a header that the token brought in")
			}
		}
		if len(said.Answers) == 0 && !said.Closed {
			return p.Mismatch("an answer or the end of the connection: "+name+" in the token", "silence")
		}
	}
	return nil
}

// pathVariants asks for the endpoint under other spellings of its path. What answers there may be
// anything but the endpoint.
func pathVariants(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL", Err: err}
	}
	origin := endpoint.Scheme + "://" + endpoint.Host
	path := "/" + strings.TrimPrefix(endpoint.EscapedPath(), "/")
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
	for _, variant := range variants {
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
		case answer.Status >= http.StatusInternalServerError:
			return p.Mismatch("a refusal at "+variant, fmt.Sprintf("status %d", answer.Status))
		}
	}
	return nil
}

// keepAlive follows a good request with a bare one on the same connection.
func keepAlive(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	with := trial.Request()
	without := trial.Request()
	text := p.Wire(with, "Authorization: Bearer "+trial.Token, "Connection: keep-alive")
	said, err := p.Raw(ctx, slices.Concat(text, p.Wire(without)))
	switch {
	case err != nil:
		return err
	case len(said.Answers) == 0 || said.Answers[0].Status != http.StatusOK:
		return &check.CannotJudge{
			Reason: "the control failed: on the connection a good token gets " + attack.Describe(said),
		}
	case trial.Ran(without):
		return p.Insecure("the tool not to run", attack.Describe(said)+", and the tool ran twice")
	case len(said.Answers) == 1:
		return nil // the server closed the connection, which is one way
	case said.Answers[1].Status/100 == 2:
		return p.Insecure("status 401 to the second request", attack.Describe(said))
	case said.Answers[1].Status != http.StatusUnauthorized:
		return p.Mismatch("status 401 to the second request", attack.Describe(said))
	}
	return nil
}
