package checks

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// credentialsChecks returns the checks of server/credentials about where a server looks for a token
// (RFC 6750 section 2).
func credentialsChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/credentials/other-places",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 section 5.1; RFC 6750 sections 2 and 5.3",
				Sentence: "A token in a cookie (SHOULD), in the JSON body, in a form or in another header is " +
					"ignored.",
				Covers: []string{"RS-003"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesAll(attack.Unauthorized, credentialsOtherPlacesVectors()...),
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
			Run:    attack.RefusesAll(attack.Malformed, credentialsTwoPlacesVectors()...),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/two-headers",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 5.3",
				Sentence: "A request with two Authorization lines is refused, because two parsers could " +
					"pick different ones.",
				Covers: []string{"RS-005"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesAll(attack.Malformed, credentialsTwoHeadersVectors()...),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/keep-alive",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Token Requirements; OAuth 2.1 section 5.2",
				Sentence:  "A good token authorizes its own request, and not the next one on the connection.",
				Covers:    []string{"RS-015", "server-verify-every-request"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(credentialsKeepAlive),
		},
	}
}

func credentialsOtherPlacesVectors() []attack.Vector {
	return []attack.Vector{
		{
			Name:   "a cookie",
			Level:  check.Should,
			Change: func(r *bench.Request, good string) { r.Header.Set("Cookie", "access_token="+good) },
		},
		{
			Name:   "X-Access-Token",
			Change: func(r *bench.Request, good string) { r.Header.Set("X-Access-Token", good) },
		},
		{
			Name: "the JSON body",
			Want: attack.Malformed,
			Change: func(r *bench.Request, good string) {
				r.Body = []byte(strings.Replace(string(r.Body), "{", `{"access_token":"`+good+`",`, 1))
			},
		},
		{
			Name:   "a form",
			Want:   []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusUnsupportedMediaType},
			Change: inForm,
		},
	}
}

// inForm moves the message into a form, with the token beside it.
func inForm(request *bench.Request, good string) {
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Body = []byte(url.Values{"access_token": {good}, "message": {string(request.Body)}}.Encode())
}

func credentialsTwoPlacesVectors() []attack.Vector {
	return []attack.Vector{
		{
			Name: "bad in the header, good in the query",
			Change: func(r *bench.Request, good string) {
				r.Header.Set("Authorization", "Bearer "+attack.MalformedJWT)
				r.Query = url.Values{"access_token": {good}}
			},
		},
		{
			Name: "bad in the header, good in a form",
			Want: []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusUnsupportedMediaType},
			Change: func(r *bench.Request, good string) {
				inForm(r, good)
				r.Header.Set("Authorization", "Bearer "+attack.MalformedJWT)
			},
		},
	}
}

func credentialsTwoHeadersVectors() []attack.Vector {
	return []attack.Vector{
		{
			Name: "good, then bad",
			Lines: func(good string) []string {
				return []string{"Authorization: Bearer " + good, "Authorization: Bearer " + attack.MalformedJWT}
			},
		},
		{
			Name: "bad, then good",
			Lines: func(good string) []string {
				return []string{"Authorization: Bearer " + attack.MalformedJWT, "Authorization: Bearer " + good}
			},
		},
		{
			Name: "good, then Basic",
			Lines: func(good string) []string {
				return []string{"Authorization: Bearer " + good, "Authorization: Basic eDp5"}
			},
		},
		{
			Name: "good twice",
			Lines: func(good string) []string {
				return []string{"Authorization: Bearer " + good, "authorization: Bearer " + good}
			},
		},
	}
}

// credentialsKeepAlive sends a good request and then one without a token on the same connection.
func credentialsKeepAlive(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	with := trial.Request()
	without := trial.Request()
	text := p.Wire(with, "Authorization: Bearer "+trial.Token, "Connection: keep-alive")
	conversation, err := p.Raw(ctx, slices.Concat(text, p.Wire(without)))
	switch {
	case err != nil:
		return err
	case len(conversation.Answers) == 0 || conversation.Answers[0].Status != http.StatusOK:
		return &check.CannotJudge{
			Reason: "the control failed: on the connection a good token gets " + attack.Describe(conversation),
		}
	case trial.Ran(without):
		return p.Insecure("the tool not to run", attack.Describe(conversation)+", and the tool ran twice")
	case len(conversation.Answers) == 1:
		return nil // the server closed the connection
	case conversation.Answers[1].Status/100 == 2:
		return p.Insecure("status 401 to the second request", attack.Describe(conversation))
	case conversation.Answers[1].Status != http.StatusUnauthorized:
		return p.Mismatch("status 401 to the second request", attack.Describe(conversation))
	}
	return nil
}
