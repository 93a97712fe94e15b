package checks

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/vocabulary"
)

// credentialsNamesChecks returns the checks of server/credentials that look for a token under the
// names that products use. Each has a good token that the server must not find.
func credentialsNamesChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/credentials/query-names",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 section 5.1; MCP authorization, Token Requirements",
				Sentence:  "A token in the query is ignored under every name, and with every method.",
				Covers:    []string{"RS-002", "server-query-token-ignored"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(credentialsQueryNames),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/cookie-names",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "RFC 6750 section 5.3",
				Sentence: "A token in a cookie is ignored under every name, because a browser sends cookies " +
					"for any page.",
				Covers: []string{"RS-003"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(credentialsCookieNames),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/header-names",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "MCP authorization, Token Requirements; RFC 6750 section 2.1",
				Sentence:  "A token in a header other than Authorization is ignored.",
				Covers:    []string{"RS-003", "RS-011"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(credentialsHeaderNames),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/scheme-names",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "MCP authorization, Token Requirements; RFC 6750 section 2.1",
				Sentence: "A token is ignored as the password of Basic, under another scheme, and encoded in " +
					"another way.",
				Covers: []string{"RS-009"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(credentialsSchemeNames),
		},
		{
			Rule: check.Rule{
				ID:        "server/credentials/body-names",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "MCP authorization, Token Requirements; OAuth 2.1 section 5.1",
				Sentence:  "A token in the message, in its parameters or in its path is ignored.",
				Covers:    []string{"RS-003"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(credentialsBodyNames),
		},
	}
}

// spelledToken is a way to write a token.
type spelledToken struct {
	name  string
	write func(token string) string
}

// spelledTokens are the ways in which products write a token outside the Authorization header.
func spelledTokens() []spelledToken {
	return []spelledToken{
		{"", func(token string) string { return token }},
		{" with Bearer", func(token string) string { return "Bearer " + token }},
		{" in base64", func(token string) string { return base64.StdEncoding.EncodeToString([]byte(token)) }},
	}
}

// tokenClaims makes a claim for each name and each way to write a token. The way gets a slot of its
// own, because the same name cannot have two values.
func tokenClaims(
	list vocabulary.List, ways []spelledToken, add func(request *bench.Request, name, value string),
) []attack.Claim {
	var claims []attack.Claim
	for _, way := range ways {
		for _, name := range vocabulary.Names(list) {
			claims = append(claims, attack.Claim{
				Name: name + way.name,
				Slot: name,
				Add:  func(request *bench.Request, token string) { add(request, name, way.write(token)) },
			})
		}
	}
	return claims
}

// credentialsQueryNames tries server/credentials/query-names.
func credentialsQueryNames(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	ways := spelledTokens()
	twice := spelledToken{" after a bad one", func(token string) string { return token }}
	return inputs.TryAll([]attack.Sweep{
		{
			Claims:   tokenClaims(vocabulary.Query, ways[:1], addQuery),
			Bases:    bases,
			Reported: []string{"access_token", "token"},
		},
		{Claims: tokenClaims(vocabulary.Query, ways[1:2], addQuery), Bases: bases[:1]},
		{Claims: tokenClaims(vocabulary.Query, []spelledToken{twice}, addQueryTwice)[:8], Bases: bases[:1]},
	}, func(sweep attack.Sweep) error {
		sweep.CarryToken = true
		return sweep.Run(ctx, p, trial)
	})
}

func addQuery(request *bench.Request, name, value string) {
	if request.Query == nil {
		request.Query = url.Values{}
	}
	request.Query.Set(name, value)
}

func addQueryTwice(request *bench.Request, name, value string) {
	addQuery(request, name, "x")
	request.Query.Add(name, value)
}

// credentialsCookieNames tries server/credentials/cookie-names.
func credentialsCookieNames(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	ways := []spelledToken{
		{" with Bearer", func(token string) string { return "Bearer%20" + token }},
		{" in JSON", func(token string) string {
			return url.QueryEscape(attack.JSON(map[string]string{"access_token": token}))
		}},
		{" in base64", func(token string) string { return base64.StdEncoding.EncodeToString([]byte(token)) }},
	}
	return inputs.TryAll([]attack.Sweep{
		{
			Claims:   tokenClaims(vocabulary.Cookie, spelledTokens()[:1], addCookie),
			Bases:    bases,
			Reported: []string{"access_token"},
		},
		{Claims: tokenClaims(vocabulary.Cookie, ways, addCookie), Bases: bases[:1]},
	}, func(sweep attack.Sweep) error {
		sweep.CarryToken = true
		return sweep.Run(ctx, p, trial)
	})
}

func addCookie(request *bench.Request, name, value string) {
	cookie := name + "=" + value
	if before := request.Header.Get("Cookie"); before != "" {
		cookie = before + "; " + cookie
	}
	request.Header.Set("Cookie", cookie)
}

// credentialsHeaderNames tries server/credentials/header-names.
func credentialsHeaderNames(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	reported := []string{
		"X-Access-Token",
		"X-Forwarded-Access-Token",
		"X-Ms-Token-Aad-Access-Token",
		"X-Original-Authorization with Bearer",
		"Proxy-Authorization with Bearer",
	}
	ways := spelledTokens()
	return inputs.TryAll([]attack.Sweep{
		{Claims: tokenClaims(vocabulary.TokenHeader, ways[:2], addHeader), Bases: bases},
		{Claims: tokenClaims(vocabulary.TokenHeader, ways[2:], addHeader)[:40], Bases: bases[:1]},
	}, func(sweep attack.Sweep) error {
		sweep.CarryToken = true
		sweep.Reported = reported
		return sweep.Run(ctx, p, trial)
	})
}

func addHeader(request *bench.Request, name, value string) { request.Header[name] = []string{value} }

// encoded matches a part of a value that is sent in base64.
var encoded = regexp.MustCompile(`\{base64:([^{}]*\{token\}[^{}]*)\}`)

// withToken replaces {token} in a value, and encodes the parts that want it.
func withToken(value, token string) string {
	value = encoded.ReplaceAllStringFunc(value, func(part string) string {
		inner := encoded.FindStringSubmatch(part)[1]
		return base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(inner, "{token}", token)))
	})
	return strings.ReplaceAll(value, "{token}", token)
}

// valueClaims makes a claim for each whole value of a header.
func valueClaims(list vocabulary.List, header string) []attack.Claim {
	var claims []attack.Claim
	for _, value := range vocabulary.Names(list) {
		claims = append(claims, attack.Claim{
			Name: header + ": " + value,
			Slot: header,
			Add: func(request *bench.Request, token string) {
				request.Header.Set(header, withToken(value, token))
			},
		})
	}
	return claims
}

// credentialsSchemeNames tries server/credentials/scheme-names.
func credentialsSchemeNames(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	anyScheme := bases[0].Make()
	anyScheme.Header.Set("Authorization", "Unknown "+trial.Token)
	if answer, err := p.Send(ctx, anyScheme); err != nil {
		return err
	} else if answer.Status != http.StatusUnauthorized && answer.Status != http.StatusBadRequest {
		return &check.Skipped{
			Of:     "server/credentials/other-schemes",
			Reason: "the server looks for a token under any scheme",
		}
	}
	sweep := attack.Sweep{
		Claims:     valueClaims(vocabulary.Scheme, "Authorization"),
		Bases:      bases[:1],
		CarryToken: true,
	}
	return sweep.Run(ctx, p, trial)
}

// credentialsBodyNames tries server/credentials/body-names.
func credentialsBodyNames(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	var claims []attack.Claim
	for _, place := range []struct{ name, before string }{
		{"beside the method", `{`},
		{"in params", `"params":{`},
		{"in arguments", `"arguments":{`},
		{"in _meta", `"_meta":{`},
	} {
		for _, name := range vocabulary.Names(vocabulary.BodyMember) {
			claims = append(claims, attack.Claim{
				Name: name + " " + place.name,
				Slot: place.before + name,
				Add: func(request *bench.Request, token string) {
					insertMember(request, place.before, name, token)
				},
			})
		}
	}
	paths, err := credentialsPaths(ctx, p, bases)
	if err != nil {
		return err
	}
	claims = append(claims, paths...)
	sweep := attack.Sweep{Claims: claims, Bases: bases[:min(2, len(bases))], CarryToken: true}
	return sweep.Run(ctx, p, trial)
}

// credentialsPaths returns claims that put a token into the path of the endpoint. A server that
// serves the path without a token is the finding of server/bypass/paths.
func credentialsPaths(ctx context.Context, p *bench.Probe, bases []attack.Base) ([]attack.Claim, error) {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	root := endpoint.Scheme + "://" + endpoint.Host
	path := strings.TrimSuffix(endpoint.EscapedPath(), "/")
	var claims []attack.Claim
	for _, segment := range []string{"/{token}", "/token/{token}", "/t/{token}", "/key/{token}", ";token={token}"} {
		pattern := root + "/" + strings.TrimPrefix(path+segment, "/")
		isOpen, err := servesPath(ctx, p, bases, strings.ReplaceAll(pattern, "{token}", "none"))
		if err != nil {
			return nil, err
		}
		if isOpen {
			continue
		}
		claims = append(claims, attack.Claim{
			Name: "the path " + segment,
			Slot: "path",
			Add: func(request *bench.Request, token string) {
				request.URL = strings.ReplaceAll(pattern, "{token}", token)
			},
		})
	}
	return claims, nil
}

// servesPath reports whether one of the requests succeeds at another URL.
func servesPath(ctx context.Context, p *bench.Probe, bases []attack.Base, address string) (bool, error) {
	for _, base := range bases {
		request := base.Make()
		request.URL = address
		answer, err := p.Send(ctx, request)
		if err != nil || answer.Status/100 == 2 {
			return err == nil, err
		}
	}
	return false, nil
}

// insertMember adds a member with a token to the message. A request of an older revision gets its
// _meta first.
func insertMember(request *bench.Request, before, name, token string) {
	body := string(request.Body)
	member := attack.JSON(name) + ":" + attack.JSON(token)
	if strings.Contains(before, "_meta") && !strings.Contains(body, before) {
		body = strings.Replace(body, `"params":{`, `"params":{`+before+member+`},`, 1)
	} else {
		body = strings.Replace(body, before, before+member+",", 1)
	}
	request.Body = []byte(body)
}
