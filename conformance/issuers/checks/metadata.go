package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// metadataChecks returns the checks of authorization-server/metadata: how the authorization server
// describes itself (RFC 8414, OpenID Connect Discovery).
func metadataChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/published",
				Level:     check.Must,
				Revisions: since(check.R20251125),
				Reference: "MCP 2025-11-25 authorization, Overview; RFC 8414 section 3; " +
					"OpenID Connect Discovery 1.0 section 4",
				Sentence: "Metadata is published where clients look for it.",
				Covers:   []string{"as-metadata-one-mechanism", "AS-064"},
			},
			Run: metadataPublished,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/rfc8414",
				Level:     check.Must,
				Revisions: []check.Revision{check.R20250618},
				Reference: "MCP 2025-06-18 authorization, Overview; RFC 8414 section 3.1",
				Sentence:  "For clients of 2025-06-18, metadata is at oauth-authorization-server.",
				Covers:    []string{"as-metadata-rfc8414", "AS-064"},
			},
			Run: metadataRFC8414,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/media-type",
				Level:     check.Must,
				Reference: "RFC 8414 section 3.2; OpenID Connect Discovery 1.0 section 4.2",
				Sentence:  "Metadata is application/json.",
				Covers:    []string{"as-metadata-status-and-type"},
			},
			Run: metadataMediaType,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/identical-issuer",
				Level:     check.Must,
				Reference: "RFC 8414 section 3.3; OpenID Connect Discovery 1.0 section 4.3",
				Sentence:  "The issuer in the metadata is the one for which it was requested.",
				Covers:    []string{"as-metadata-issuer-identical", "AS-064"},
			},
			Run: metadataIdenticalIssuer,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/issuer-form",
				Level:     check.Must,
				Reference: "RFC 8414 section 2",
				Sentence:  "The issuer has no query and no fragment.",
				Covers:    []string{"as-metadata-issuer-form"},
			},
			Run: metadataIssuerForm,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/https",
				Level:     check.Must,
				Reference: "RFC 8414 section 2; OAuth 2.1 draft-13 section 1.5",
				Sentence:  "The issuer and all endpoints are https, or http on loopback.",
				Covers:    []string{"as-https", "as-metadata-issuer-form", "AS-064"},
			},
			Run: metadataHTTPS,
		},
	}
}

// documents returns the locations with a document, and the first one. Without any, the rule does
// not apply.
func documents(ctx context.Context, p *bench.Probe) ([]bench.Location, *bench.Metadata, error) {
	first, err := p.Metadata(ctx)
	if err != nil {
		return nil, nil, err
	}
	locations, err := p.Locations(ctx)
	if err != nil {
		return nil, nil, err
	}
	found := slices.DeleteFunc(locations, func(l bench.Location) bool { return l.Metadata == nil })
	return found, first, nil
}

// metadataPublished tries authorization-server/metadata/published.
func metadataPublished(ctx context.Context, p *bench.Probe) error {
	locations, err := p.Locations(ctx)
	if err != nil {
		return err
	}
	var got []string
	for _, location := range locations {
		if location.Metadata != nil {
			return nil
		}
		if location.Answer.Status >= http.StatusInternalServerError || location.Answer.IsBusy() {
			return &check.CannotJudge{Reason: location.URL + " answers " + location.Answer.String()}
		}
		got = append(got, fmt.Sprintf("%d at %s", location.Answer.Status, location.URL))
	}
	return p.Mismatch("a metadata document at a well-known location", strings.Join(got, ", "))
}

// metadataRFC8414 tries authorization-server/metadata/rfc8414.
func metadataRFC8414(ctx context.Context, p *bench.Probe) error {
	locations, _, err := documents(ctx, p)
	if err != nil || !locations[0].IsOpenID {
		return err
	}
	want := "a document at /.well-known/oauth-authorization-server"
	if claimed := p.Target().Revisions; len(claimed) == 1 {
		return p.Mismatch(want, "one under OpenID Connect's name only")
	}
	// Later revisions allow OpenID Connect discovery alone.
	return p.MismatchAt(check.Should, want, "one under OpenID Connect's name only")
}

// metadataMediaType tries authorization-server/metadata/media-type.
func metadataMediaType(ctx context.Context, p *bench.Probe) error {
	locations, _, err := documents(ctx, p)
	if err != nil {
		return err
	}
	for _, location := range locations {
		got := location.Answer.Header.Get("Content-Type")
		if kind, _, err := mime.ParseMediaType(got); err != nil || kind != "application/json" {
			return p.Mismatch("application/json at "+location.URL, fmt.Sprintf("%q", got))
		}
	}
	return nil
}

// metadataIdenticalIssuer tries authorization-server/metadata/identical-issuer.
func metadataIdenticalIssuer(ctx context.Context, p *bench.Probe) error {
	locations, _, err := documents(ctx, p)
	if err != nil {
		return err
	}
	want := p.Target().URL
	for _, location := range locations {
		got := location.Metadata.Issuer
		switch {
		case got == want:
		case strings.EqualFold(strings.TrimSuffix(got, "/"), strings.TrimSuffix(want, "/")):
			// The document is right for its own issuer. The given URL may be the mistake.
			return p.MismatchAt(check.Should, want, got+" at "+location.URL)
		default:
			return p.Mismatch(want, got+" at "+location.URL)
		}
	}
	return nil
}

// metadataIssuerForm tries authorization-server/metadata/issuer-form.
func metadataIssuerForm(ctx context.Context, p *bench.Probe) error {
	_, first, err := documents(ctx, p)
	if err != nil {
		return err
	}
	issuer, err := url.Parse(first.Issuer)
	if err != nil || issuer.Host == "" || strings.ContainsAny(first.Issuer, "?#") {
		return p.Mismatch("an issuer without query and fragment", fmt.Sprintf("%q", first.Issuer))
	}
	return nil
}

// metadataHTTPS tries authorization-server/metadata/https.
func metadataHTTPS(ctx context.Context, p *bench.Probe) error {
	_, first, err := documents(ctx, p)
	if err != nil {
		return err
	}
	for name, value := range first.Members {
		var address string
		isAddress := name == "issuer" || name == "jwks_uri" || strings.HasSuffix(name, "_endpoint")
		if !isAddress || json.Unmarshal(value, &address) != nil {
			continue
		}
		if parsed, err := url.Parse(address); err != nil || !isSecure(parsed) {
			return p.Mismatch(name+" with https, or http on loopback", fmt.Sprintf("%q", address))
		}
	}
	return nil
}

// isSecure reports whether a URL is https, or http on loopback.
func isSecure(address *url.URL) bool {
	if address.Scheme == "https" && address.Host != "" {
		return true
	}
	host := strings.ToLower(address.Hostname())
	ip, err := netip.ParseAddr(host)
	isLoopback := err == nil && ip.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
	return address.Scheme == "http" && isLoopback
}
