package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// registrationChecks returns the checks of authorization-server/registration: how clients register
// themselves (RFC 7591).
func registrationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/offered",
				Level:     check.Should,
				Revisions: []check.Revision{check.R20250326, check.R20250618},
				Reference: "MCP 2025-06-18 authorization, Dynamic Client Registration",
				Sentence:  "Clients of 2025-06-18 and older can register themselves.",
				Covers:    []string{"as-dcr-supported", "server-legacy-dcr"},
			},
			Run: registrationOffered,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/response",
				Level:     check.Must,
				Reference: "RFC 7591 section 3.2.1",
				Sentence: "A registration is answered with 201, client_id, the registered metadata, and " +
					"client_secret_expires_at beside a secret.",
				Covers: []string{"as-dcr-response", "AS-074"},
			},
			Run: registrationResponse,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/errors",
				Level:     check.Must,
				Reference: "RFC 7591 section 3.2.2",
				Sentence:  "A refused registration is answered with 400 and an error code.",
				Covers:    []string{"as-dcr-errors"},
			},
			Run: registrationErrors,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/unknown-members",
				Level:     check.Must,
				Reference: "RFC 7591 section 2",
				Sentence:  "Client metadata that the server does not know is ignored.",
				Covers:    []string{"as-dcr-unknown-ignored", "AS-072"},
			},
			Run: registrationUnknownMembers,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/public-secret",
				Level:     check.Policy,
				Reference: "RFC 7591 section 2: a client of the method none uses no secret",
				Sentence:  "A public client gets no secret.",
				Covers:    []string{"AS-074"},
			},
			Run: registrationPublicSecret,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/registration/no-store",
				Level:     check.Should,
				Severity:  check.Low,
				Reference: "RFC 7591 section 3.2.1; RFC 6749 section 5.1",
				Sentence:  "No cache stores an answer with a client secret.",
				Covers:    []string{"AS-060"},
			},
			Run: registrationNoStore,
		},
	}
}

// registrationOffered tries authorization-server/registration/offered.
func registrationOffered(ctx context.Context, p *bench.Probe) error {
	metadata, err := p.Metadata(ctx)
	if err == nil && metadata.RegistrationEndpoint == "" {
		return p.Mismatch("registration_endpoint", "a document without it")
	}
	return err
}

// registrationResponse registers a client with a secret and one without.
func registrationResponse(ctx context.Context, p *bench.Probe) error {
	methods := []string{"none"}
	if members, err := p.WithSecret(ctx); err == nil {
		methods = append(methods, members["token_endpoint_auth_method"].(string))
	}
	for _, method := range methods {
		body := bench.Registration(bench.Members{"token_endpoint_auth_method": method})
		answer, registered, err := p.Register(ctx, body)
		switch {
		case err != nil:
			return err
		case answer.Status == http.StatusUnauthorized, answer.Status == http.StatusForbidden:
			return &check.NotApplicable{Reason: "a registration needs an initial access token"}
		case registered == nil && answer.Status/100 == 2:
			return p.Mismatch("an answer with client_id", answer.String()+" without one")
		case registered == nil && method == "none":
			return &check.CannotJudge{Reason: "a registration is answered with " + answer.String()}
		case registered == nil:
			continue // the server registers public clients only
		}
		if err := judgeRegistered(p, answer, registered); err != nil {
			return err
		}
	}
	return nil
}

func judgeRegistered(p *bench.Probe, answer *bench.Answer, registered *bench.Registered) error {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(answer.Body, &members)
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case answer.Status == http.StatusOK:
		// OpenID Connect registration has 201 as a recommendation only.
		return p.MismatchAt(check.Should, "status 201", answer.String())
	case answer.Status != http.StatusCreated:
		return p.Mismatch("status 201", answer.String())
	case err != nil || kind != "application/json":
		return p.Mismatch("application/json", fmt.Sprintf("%q", answer.Header.Get("Content-Type")))
	case members["redirect_uris"] == nil:
		return p.Mismatch("the registered redirect_uris", "a document without it")
	case registered.Secret != "" && members["client_secret_expires_at"] == nil:
		return p.Mismatch("client_secret_expires_at beside client_secret", "a document without it")
	}
	return nil
}

// A registrationVector is a registration with a flaw.
type registrationVector struct {
	name string
	body []byte
}

// registrationErrors tries authorization-server/registration/errors. RFC 7591
// does not say how a body that is not JSON is refused.
func registrationErrors(ctx context.Context, p *bench.Probe) error {
	if _, err := p.MustRegister(ctx, nil); err != nil {
		return err
	}
	var found []*check.Mismatch
	for _, vector := range []registrationVector{
		{"redirect_uris that is a number", bench.Registration(bench.Members{"redirect_uris": 7})},
		{
			"a redirect URI with a fragment",
			bench.Registration(bench.Members{"redirect_uris": []string{bench.SiteRedirect + "#part"}}),
		},
		{"half a JSON object", []byte(`{"client_name":"x","redirect_uris":[`)},
	} {
		answer, registered, err := p.Register(ctx, vector.body)
		if err != nil {
			return err
		}
		isControl := slices.Contains([]int{
			http.StatusUnauthorized,
			http.StatusForbidden,
			http.StatusRequestEntityTooLarge,
			http.StatusTooManyRequests,
			http.StatusServiceUnavailable,
		}, answer.Status)
		isJSON := json.Valid(vector.body)
		switch {
		case registered != nil, isControl, answer.Status/100 == 4 && !isJSON:
		case answer.Status/100 == 4 && answer.Status != http.StatusBadRequest && answer.ErrorCode() != "":
			found = append(found, p.MismatchAt(check.Should, "status 400: "+vector.name, answer.String()))
		case answer.Status != http.StatusBadRequest:
			found = append(found, p.Mismatch("status 400: "+vector.name, answer.String()))
		case answer.ErrorCode() == "":
			found = append(found, p.Mismatch("a JSON object with error: "+vector.name, answer.String()))
		}
	}
	return bench.All(found...)
}

// registrationUnknownMembers tries authorization-server/registration/unknown-members.
func registrationUnknownMembers(ctx context.Context, p *bench.Probe) error {
	if _, err := p.MustRegister(ctx, nil); err != nil {
		return err
	}
	answer, registered, err := p.Register(ctx, bench.Registration(bench.Members{
		"x_conformance_text":   "text",
		"x_conformance_number": 7,
		"x_conformance_list":   []any{"a", true},
		"x_conformance_object": map[string]any{"a": map[string]any{"b": false}},
	}))
	switch {
	case err != nil:
		return err
	case registered == nil && (answer.IsBusy() || answer.Status == http.StatusRequestEntityTooLarge):
		return &check.CannotJudge{Reason: "a registration is answered with " + answer.String()}
	case registered == nil:
		return p.Mismatch("a registration that ignores unknown members", answer.String())
	}
	return nil
}

// registrationPublicSecret tries authorization-server/registration/public-secret.
func registrationPublicSecret(ctx context.Context, p *bench.Probe) error {
	registered, err := p.MustRegister(ctx, nil)
	if err == nil && registered.Secret != "" && (registered.Method == "" || registered.Method == "none") {
		return p.Mismatch("no client_secret for the method none", "a client_secret")
	}
	return err
}

// registrationNoStore tries authorization-server/registration/no-store.
func registrationNoStore(ctx context.Context, p *bench.Probe) error {
	members, err := p.WithSecret(ctx)
	if err != nil {
		return err
	}
	answer, registered, err := p.Register(ctx, bench.Registration(members))
	switch {
	case err != nil:
		return err
	case registered == nil || registered.Secret == "":
		return &check.NotApplicable{Reason: "no client with a secret can register"}
	case !isUncached(answer.Header):
		return p.Mismatch("Cache-Control: no-store", fmt.Sprintf("%q", answer.Header.Get("Cache-Control")))
	}
	return nil
}

// isUncached reports whether a header has no-store among the directives of Cache-Control.
func isUncached(header http.Header) bool {
	for _, line := range header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(directive), "no-store") {
				return true
			}
		}
	}
	return false
}
