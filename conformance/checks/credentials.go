package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
)

// credentials: where a server looks for a token, and how strictly it reads what is there (RFC 6750 section 2, RFC 9110 section 11).
func credentials() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/credentials/other-places", Role: engine.Server, Level: engine.Policy, Severity: engine.Medium, Needs: good, Covers: []string{"RS-003"},
			Reference: "OAuth 2.1 section 5.1; RFC 6750 section 2",
			Sentence:  "A token in a cookie, in the JSON body, in a form or in another header counts for nothing.",
			Run: denied(unauthorized,
				vector{name: "a cookie", change: func(r *engine.Request, good string) { r.Header.Set("Cookie", "access_token="+good) }},
				vector{name: "X-Access-Token", change: func(r *engine.Request, good string) { r.Header.Set("X-Access-Token", good) }},
				vector{name: "the JSON body", change: func(r *engine.Request, good string) {
					r.Body = []byte(strings.Replace(string(r.Body), "{", `{"access_token":"`+good+`",`, 1))
				}},
				vector{name: "a form", want: []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusUnsupportedMediaType}, change: asForm},
			),
		},
		{
			ID: "server/credentials/two-places", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: good, Covers: []string{"RS-004"},
			Reference: "OAuth 2.1 section 5.1; RFC 6750 section 2",
			Sentence:  "A good token in the query or in a form does not make up for a bad one in the header.",
			Run: denied(badOrNot,
				vector{name: "bad in the header, good in the query", change: func(r *engine.Request, good string) {
					r.Header.Set("Authorization", "Bearer "+bad)
					r.Query = url.Values{"access_token": {good}}
				}},
				vector{name: "bad in the header, good in a form", want: []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusUnsupportedMediaType},
					change: func(r *engine.Request, good string) {
						asForm(r, good)
						r.Header.Set("Authorization", "Bearer "+bad)
					}},
			),
		},
		{
			ID: "server/credentials/two-headers", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Needs: good, Covers: []string{"RS-005"},
			Reference: "RFC 9110 section 5.3",
			Sentence:  "Two Authorization lines are refused, whichever of them is good: two readers could pick two different ones.",
			Run: denied(badOrNot,
				vector{name: "good, then bad", lines: func(good string) []string {
					return []string{"Authorization: Bearer " + good, "Authorization: Bearer " + bad}
				}},
				vector{name: "bad, then good", lines: func(good string) []string {
					return []string{"Authorization: Bearer " + bad, "Authorization: Bearer " + good}
				}},
				vector{name: "good, then Basic", lines: func(good string) []string {
					return []string{"Authorization: Bearer " + good, "Authorization: Basic eDp5"}
				}},
				vector{name: "good twice", lines: func(good string) []string {
					return []string{"Authorization: Bearer " + good, "authorization: Bearer " + good}
				}},
			),
		},
		{
			ID: "server/credentials/lists", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: good,
			Covers:    []string{"RS-006", "server-malformed-authorization"},
			Reference: "RFC 9110 section 11.6.2; OAuth 2.1 section 5.3.2",
			Sentence:  "Several credentials in one Authorization line are refused.",
			Run: denied(badOrNot,
				vector{name: "Bearer good, Bearer bad", change: authorization(func(good string) string { return "Bearer " + good + ", Bearer " + bad })},
				vector{name: "Bearer bad, Bearer good", change: authorization(func(good string) string { return "Bearer " + bad + ", Bearer " + good })},
				vector{name: "Bearer good,bad", change: authorization(func(good string) string { return "Bearer " + good + "," + bad })},
				vector{name: "Bearer good bad", change: authorization(func(good string) string { return "Bearer " + good + " " + bad })},
				vector{name: "Basic, then Bearer good", change: authorization(func(good string) string { return "Basic eDp5, Bearer " + good })},
			),
		},
		{
			ID: "server/credentials/blanks", Role: engine.Server, Level: engine.Must, Severity: engine.Low, Needs: good,
			Covers:    []string{"RS-008", "server-malformed-authorization"},
			Reference: "RFC 6750 section 2.1; RFC 9110 sections 5.5 and 11.4",
			Sentence:  "The credentials are the scheme, blanks, and a token: no token, a tab or quotes are refused; blanks before the token and at the end of the line are not.",
			Run:       blanks,
		},
		{
			ID: "server/credentials/other-schemes", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: good,
			Covers:    []string{"RS-009", "server-malformed-authorization"},
			Reference: "RFC 6750 section 2.1; RFC 9110 section 11.4",
			Sentence:  "A token under another scheme than Bearer counts for nothing.",
			Run: denied(badOrNot,
				vector{name: "no scheme", change: authorization(func(good string) string { return good })},
				vector{name: "Basic", change: authorization(func(good string) string { return "Basic " + good })},
				vector{name: "DPoP", change: authorization(func(good string) string { return "DPoP " + good })},
				vector{name: "Negotiate", change: authorization(func(good string) string { return "Negotiate " + good })},
				vector{name: "Token", change: authorization(func(good string) string { return "Token " + good })},
				vector{name: "Bearerx", change: authorization(func(good string) string { return "Bearerx " + good })},
				vector{name: "Bearer:", change: authorization(func(good string) string { return "Bearer:" + good })},
				vector{name: "foo", change: authorization(func(string) string { return "foo" })},
			),
		},
		{
			ID: "server/credentials/illegal-bytes", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: good, Covers: []string{"RS-010"},
			Reference: "RFC 6750 section 2.1; RFC 9110 section 5.5; RFC 9112 section 5.2",
			Sentence:  "A token with bytes that a token cannot have is refused, or the connection is closed; nothing of it gets into the answer.",
			Run:       illegalBytes,
		},
		{
			ID: "server/credentials/identity-headers", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good, Covers: []string{"RS-011"},
			Reference: "MCP authorization, Access Token Usage; OAuth 2.1 section 5.2",
			Sentence:  "Headers in which proxies pass identities on are no credentials.",
			Run: denied(unauthorized,
				vector{name: "X-Forwarded-User", change: header("X-Forwarded-User", "admin")},
				vector{name: "X-Forwarded-Email", change: header("X-Forwarded-Email", "admin@example.com")},
				vector{name: "X-Forwarded-Access-Token", change: func(r *engine.Request, good string) { r.Header.Set("X-Forwarded-Access-Token", good) }},
				vector{name: "X-MS-CLIENT-PRINCIPAL", change: func(r *engine.Request, _ string) {
					r.Header.Set("X-Ms-Client-Principal", "eyJhdXRoX3R5cCI6ImFhZCIsImNsYWltcyI6W119")
					r.Header.Set("X-Ms-Client-Principal-Id", "00000000-0000-0000-0000-000000000001")
				}},
				vector{name: "X-MS-TOKEN-AAD-ACCESS-TOKEN", change: func(r *engine.Request, good string) { r.Header.Set("X-Ms-Token-Aad-Access-Token", good) }},
				vector{name: "X-Original-Authorization", change: func(r *engine.Request, good string) { r.Header.Set("X-Original-Authorization", "Bearer "+good) }},
				vector{name: "X_Forwarded_User", change: func(r *engine.Request, _ string) { r.Header["X_Forwarded_User"] = []string{"admin"} }},
				vector{name: "Proxy-Authorization", change: func(r *engine.Request, good string) { r.Header.Set("Proxy-Authorization", "Bearer "+good) }},
			),
		},
		{
			ID: "server/credentials/path-variants", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good, Covers: []string{"RS-012"},
			Reference: "MCP authorization, Access Token Usage; RFC 3986 section 6",
			Sentence:  "No other spelling of the endpoint's path leads past the token check.",
			Run:       pathVariants,
		},
		{
			ID: "server/credentials/health-probes", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, Covers: []string{"RS-013"},
			Reference: "MCP authorization, Access Token Usage",
			Sentence:  "Who says that it is a health probe needs a token like anybody.",
			Run: denied(unauthorized,
				vector{name: "kube-probe", change: header("User-Agent", "kube-probe/1.30")},
				vector{name: "GoogleHC", change: header("User-Agent", "GoogleHC/1.0")},
				vector{name: "ELB-HealthChecker", change: header("User-Agent", "ELB-HealthChecker/2.0")},
				vector{name: "Edge Health Probe", change: header("User-Agent", "Edge Health Probe")},
			),
		},
		{
			ID: "server/credentials/method-override", Role: engine.Server, Level: engine.Must, Severity: engine.Low, Needs: good, Covers: []string{"RS-014"},
			Reference: "MCP authorization, Access Token Usage; WHATWG Fetch, CORS preflight",
			Sentence:  "A header or a parameter that names another method changes nothing, and a preflight request gives nothing away.",
			Run: denied(unauthorized,
				vector{name: "X-HTTP-Method-Override", change: header("X-HTTP-Method-Override", "OPTIONS")},
				vector{name: "X-HTTP-Method", change: header("X-HTTP-Method", "OPTIONS")},
				vector{name: "_method", change: func(r *engine.Request, _ string) { r.Query = url.Values{"_method": {"OPTIONS"}} }},
				vector{name: "OPTIONS with the message", want: append([]int{http.StatusOK, http.StatusNoContent}, engine.AnyRefusal()...), change: func(r *engine.Request, _ string) {
					r.Method = http.MethodOptions
					r.Header.Set("Origin", "https://elsewhere.example")
					r.Header.Set("Access-Control-Request-Method", http.MethodPost)
				}},
			),
		},
		{
			ID: "server/credentials/keep-alive", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good,
			Covers:    []string{"RS-015", "server-verify-every-request"},
			Reference: "MCP authorization, Token Requirements; OAuth 2.1 section 5.2",
			Sentence:  "A good token counts for its own request and not for the next one on the connection.",
			Run:       keepAlive,
		},
	}
}

// asForm sends the token in a form in place of the message.
func asForm(request *engine.Request, good string) {
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Body = []byte(url.Values{"access_token": {good}, "message": {string(request.Body)}}.Encode())
}

func blanks(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	err = deny(ctx, p, trial, badOrNot,
		vector{name: "Bearer alone", change: authorization(func(string) string { return "Bearer" })},
		vector{name: "Bearer and a blank", lines: func(string) []string { return []string{"Authorization: Bearer "} }},
		vector{name: "a tab", change: authorization(func(good string) string { return "Bearer\t" + good })},
		vector{name: "quotes", change: authorization(func(good string) string { return `Bearer "` + good + `"` })},
		vector{name: "an empty Authorization", lines: func(string) []string { return []string{"Authorization:"} }},
	)
	if err != nil {
		return err
	}
	for name, lenient := range map[string]struct {
		line  string
		level engine.Level
	}{
		"two blanks before the token":       {"Authorization: Bearer  " + trial.Token, engine.Policy},
		"a blank at the end of the line":    {"Authorization: Bearer " + trial.Token + " ", engine.Should},
		"no blank behind the header's name": {"Authorization:Bearer " + trial.Token, engine.Must},
	} {
		said, err := p.Raw(ctx, p.Wire(trial.Request(), lenient.line))
		if err != nil {
			return err
		}
		if len(said.Answers) != 1 || said.Answers[0].Status != http.StatusOK {
			return p.Lesser(lenient.level, "status 200 with "+name, describe(said))
		}
	}
	return nil
}

// describe is what came of bytes on a connection, in words.
func describe(said *engine.Conversation) string {
	if len(said.Answers) == 0 {
		return "no answer"
	}
	var all []string
	for _, answer := range said.Answers {
		all = append(all, fmt.Sprintf("status %d", answer.Status))
	}
	return strings.Join(all, ", then ")
}

func illegalBytes(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	const injected = "X-Injected"
	for name, illegal := range map[string]string{
		"NUL": "\x00", "CR": "\r", "LF and a header": "\n" + injected + ": 1\nX-Rest: ", "CRLF and a header": "\r\n" + injected + ": 1\r\nX-Rest: ", "a quote": `"`, "a backslash": `\`,
		"UTF-8": "é", "0x80": "\x80", "0xff": "\xff", "a folded line": "\r\n ",
	} {
		request := trial.Request()
		middle := len(trial.Token) / 2
		text := p.Wire(request, "Authorization: Bearer "+trial.Token[:middle]+illegal+trial.Token[middle:])
		said, err := trial.DeniedRaw(ctx, name+" in the token", request, text, badOrNot...)
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

// pathVariants asks for the endpoint under other spellings of its path. What answers there may be anything but the endpoint.
func pathVariants(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &engine.CannotJudge{Reason: "the endpoint's URL", Err: err}
	}
	origin, path := endpoint.Scheme+"://"+endpoint.Host, "/"+strings.TrimPrefix(endpoint.EscapedPath(), "/")
	variants := []string{
		path + "/", "/" + path, strings.ToUpper(path), path + ";a", path + "/.", path + "/..;/", "/x/.." + path, "/.well-known/.." + path, path + "%23x", path + "?x", path + "%2f", path + "/x", "/." + path,
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
			return p.Insecure("the tool not to run at "+variant, fmt.Sprintf("status %d, and the tool ran", answer.Status))
		case answer.Succeeded():
			return p.Insecure("a refusal at "+variant, "the result of the request")
		case answer.Status >= http.StatusInternalServerError:
			return p.Mismatch("a refusal at "+variant, fmt.Sprintf("status %d", answer.Status))
		}
	}
	return nil
}

// keepAlive follows a good request with a bare one on the same connection.
func keepAlive(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	with, without := trial.Request(), trial.Request()
	text := p.Wire(with, "Authorization: Bearer "+trial.Token, "Connection: keep-alive")
	said, err := p.Raw(ctx, slices.Concat(text, p.Wire(without)))
	switch {
	case err != nil:
		return err
	case len(said.Answers) == 0 || said.Answers[0].Status != http.StatusOK:
		return &engine.CannotJudge{Reason: "the control failed: on the connection a good token gets " + describe(said)}
	case trial.Ran(without):
		return p.Insecure("the tool not to run", describe(said)+", and the tool ran twice")
	case len(said.Answers) == 1:
		return nil // the server closed the connection, which is one way
	case said.Answers[1].Status/100 == 2:
		return p.Insecure("status 401 to the second request", describe(said))
	case said.Answers[1].Status != http.StatusUnauthorized:
		return p.Mismatch("status 401 to the second request", describe(said))
	}
	return nil
}
