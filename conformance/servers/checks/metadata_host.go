package checks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/vocabulary"
)

// metadataHostChecks returns the checks of server/metadata about hosts that a request claims.
func metadataHostChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/metadata/claimed-hosts",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since(check.R20250618),
				Reference: "RFC 9728 sections 2 and 7.3; RFC 9110 section 7.2",
				Sentence: "No host that a request claims gets into the authorization servers, the rest of " +
					"the metadata or the challenge.",
				Covers: []string{"RS-081"},
			},
			Run: metadataClaimedHosts,
		},
	}
}

// A hostClaim is a way to claim a host.
type hostClaim struct {
	name string
	// header is the name of a header. Empty means the Host header, or the request line.
	header string
	// write makes the header's value.
	write func(host string) string
	// isOwn says that server/metadata/own-name tries the claim for the resource and the challenge.
	isOwn bool
}

// hostClaims returns the claims in headers.
func hostClaims() []hostClaim {
	var claims []hostClaim
	for _, header := range vocabulary.Of(vocabulary.HostHeader) {
		claim := hostClaim{
			name:   header.Name,
			header: header.Name,
			write:  func(host string) string { return host },
			isOwn:  header.Name == "X-Forwarded-Host" || header.Value == "host={host};proto=https",
		}
		switch {
		case header.Value == "url":
			claim.write = func(host string) string { return "https://" + host + "/mcp" }
		case header.Value != "":
			claim.name = header.Name + ": " + header.Value
			claim.write = func(host string) string { return strings.ReplaceAll(header.Value, "{host}", host) }
		}
		claims = append(claims, claim)
	}
	return claims
}

// claimedDomain is the end of each claimed host. The server's own answers never have it.
const claimedDomain = "attacker.example"

// claimedHost finds a claimed host in a text, and the number of its claim.
var claimedHost = regexp.MustCompile(`(?i)claim([0-9]+)\.` + regexp.QuoteMeta(claimedDomain))

// numberedHost returns the host of a claim. Each has its own, so that an answer tells which claim
// it believes.
func numberedHost(number int) string { return fmt.Sprintf("claim%d.%s", number, claimedDomain) }

// A hostPlace is an answer that has URLs of the server.
type hostPlace struct {
	name string
	url  string // of a document; empty means the challenge
}

// metadataClaimedHosts claims other hosts in requests for the challenge and the metadata.
func metadataClaimedHosts(ctx context.Context, p *bench.Probe) error {
	before, _, err := attack.FindMetadata(ctx, p)
	if mismatch := (*check.Mismatch)(nil); errors.As(err, &mismatch) {
		return &check.Skipped{Of: "server/metadata/found", Reason: "the server publishes no metadata"}
	} else if err != nil {
		return err
	}
	trial := &hostTrial{probe: p, before: before, claims: hostClaims()}
	var tries []func() error
	for _, place := range hostPlaces(ctx, p, before) {
		for start := 0; start < len(trial.claims); start += hostsPerRequest {
			batch := make([]int, 0, hostsPerRequest)
			for number := start; number < min(start+hostsPerRequest, len(trial.claims)); number++ {
				batch = append(batch, number)
			}
			tries = append(tries, func() error { return trial.headers(ctx, place, batch) })
		}
		tries = append(
			tries,
			func() error { return trial.host(ctx, place, "a claimed Host", numberedHost(0)) },
			func() error { return trial.host(ctx, place, "a claimed Host with a port", numberedHost(0)+":8443") },
			func() error { return trial.target(ctx, place) },
		)
	}
	return inputs.TryAll(tries, func(try func() error) error { return try() })
}

// hostsPerRequest bounds the headers of a request.
const hostsPerRequest = 25

// hostPlaces returns the places that the server has.
func hostPlaces(ctx context.Context, p *bench.Probe, resource *attack.ProtectedResource) []hostPlace {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return nil
	}
	addresses := attack.WellKnown(p)
	if _, challenge, err := attack.Unauthenticated(ctx, p); err == nil {
		addresses = append(addresses, challenge["resource_metadata"])
	}
	for _, issuer := range resource.AuthorizationServers {
		if parsed, err := url.Parse(issuer); err == nil && parsed.Host == endpoint.Host {
			path := "/.well-known/oauth-authorization-server" + strings.TrimSuffix(parsed.EscapedPath(), "/")
			addresses = append(addresses, parsed.Scheme+"://"+parsed.Host+path)
		}
	}
	slices.Sort(addresses)
	places := []hostPlace{{name: "the challenge"}}
	for _, address := range slices.Compact(addresses) {
		parsed, err := url.Parse(address)
		if err != nil || parsed.Host != endpoint.Host {
			continue
		}
		answer, err := p.Send(ctx, bench.Request{Method: http.MethodGet, URL: address})
		if err == nil && answer.Status == http.StatusOK && json.Valid(answer.Body) {
			places = append(places, hostPlace{name: parsed.EscapedPath(), url: address})
		}
	}
	return places
}

// A hostTrial claims hosts.
type hostTrial struct {
	probe  *bench.Probe
	before *attack.ProtectedResource
	claims []hostClaim
}

// request returns a request for a place.
func (t *hostTrial) request(place hostPlace) bench.Request {
	request := bench.Request{Header: http.Header{}}
	if place.url != "" {
		request.Method = http.MethodGet
		request.URL = place.url
	}
	return request
}

// headers sends several claims in headers, and then each that the answer believes alone.
func (t *hostTrial) headers(ctx context.Context, place hostPlace, numbers []int) error {
	answer, err := t.claim(ctx, place, numbers)
	if err != nil {
		return err
	}
	var believed []int
	for _, match := range claimedHost.FindAllStringSubmatch(t.text(place, answer), -1) {
		number, err := strconv.Atoi(match[1])
		if err == nil && number < len(t.claims) && !slices.Contains(believed, number) {
			believed = append(believed, number)
		}
	}
	return inputs.TryAll(believed, func(number int) error {
		claim := t.claims[number]
		answer, err := t.claim(ctx, place, []int{number})
		if err != nil {
			return err
		}
		if !claimedHost.MatchString(t.text(place, answer)) {
			answer, err = t.claim(ctx, place, numbers) // only several claims together have the effect
			if err != nil {
				return err
			}
		}
		return t.judge(place, answer, claim.name, claim)
	})
}

// claim sends claims in headers. Servers read some of them only with X-Forwarded-Proto.
func (t *hostTrial) claim(ctx context.Context, place hostPlace, numbers []int) (*bench.Answer, error) {
	request := t.request(place)
	request.Header["X-Forwarded-Proto"] = []string{"https"}
	for _, number := range numbers {
		claim := t.claims[number]
		request.Header[claim.header] = append(request.Header[claim.header], claim.write(numberedHost(number)))
	}
	return t.probe.Send(ctx, request)
}

// host claims a host in the Host header.
func (t *hostTrial) host(ctx context.Context, place hostPlace, name, host string) error {
	request := t.request(place)
	request.Host = host
	answer, err := t.probe.Send(ctx, request)
	if err != nil {
		return ctx.Err()
	}
	return t.judge(place, answer, name, hostClaim{isOwn: true})
}

// target claims a host in the request line.
func (t *hostTrial) target(ctx context.Context, place hostPlace) error {
	text := t.probe.Wire(t.request(place))
	method, rest, _ := bytes.Cut(text, []byte(" /"))
	text = slices.Concat(method, []byte(" http://"+numberedHost(0)+"/"), rest)
	conversation, err := t.probe.Raw(ctx, text)
	if err != nil || len(conversation.Answers) == 0 {
		return err
	}
	return t.judge(place, conversation.Answers[0], "a claimed host in the request line", hostClaim{})
}

// text returns the part of an answer that a client believes: the challenge, or a document.
func (t *hostTrial) text(place hostPlace, answer *bench.Answer) string {
	switch {
	case place.url == "" && answer.Status == http.StatusUnauthorized:
		return strings.Join(answer.Header.Values("WWW-Authenticate"), "\n")
	case place.url != "" && answer.Status == http.StatusOK && json.Valid(answer.Body):
		return string(answer.Body)
	}
	return ""
}

// judge reports an answer that has a claimed host. A server cannot be called under a foreign Host
// unless its owner lets it, so the URLs that follow the Host alone are a note, and authorization
// servers that do so a warning.
func (t *hostTrial) judge(place hostPlace, answer *bench.Answer, name string, claim hostClaim) error {
	text := t.text(place, answer)
	found := claimedHost.FindString(text)
	if found == "" {
		return nil
	}
	var document attack.ProtectedResource
	_ = json.Unmarshal([]byte(text), &document) // a challenge has no members
	namesIssuer := slices.ContainsFunc(document.AuthorizationServers, claimedHost.MatchString)
	if !namesIssuer && claim.isOwn && (place.url == "" || claimedHost.MatchString(document.Resource)) {
		return nil // server/metadata/own-name reports it
	}
	want := "no claimed host in " + place.name + ": " + name
	if namesIssuer {
		want = "no claimed host in authorization_servers of " + place.name + ": " + name
	}
	mismatch := t.probe.Insecure(want, found).(*check.Mismatch)
	switch {
	case claim.header != "":
	case namesIssuer && t.isIssuerItself():
		mismatch.Level = check.Should
	case !namesIssuer:
		mismatch.Level = check.Policy
		mismatch.Severity = check.Low
	}
	return mismatch
}

// isIssuerItself reports whether the server is its own authorization server.
func (t *hostTrial) isIssuerItself() bool {
	endpoint, err := url.Parse(t.probe.URL())
	return err == nil && slices.ContainsFunc(t.before.AuthorizationServers, func(issuer string) bool {
		parsed, err := url.Parse(issuer)
		return err == nil && parsed.Host == endpoint.Host
	})
}
