package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// keysDiscoveryChecks returns the checks of server/keys about the discovery document, which says
// where the issuer's keys are (OpenID Connect Discovery 1.0 sections 3 and 4, RFC 8414 section 3).
func keysDiscoveryChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/keys/document-issuer",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OpenID Connect Discovery 1.0 section 4.3; RFC 8414 section 3.3",
				Sentence: "A discovery document of another issuer is not used, neither at the start nor in " +
					"place of a good one.",
				Covers: []string{"RS-067"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    keysDocumentIssuer,
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/document-address",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OpenID Connect Discovery 1.0 section 3; RFC 8414 section 2; RFC 9700 section 4.11",
				Sentence: "A discovery document whose jwks_uri is not an https URL is not used, and keys " +
					"are not fetched in the clear or from inside a network.",
				Covers: []string{"RS-067"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    keysDocumentAddress,
		},
		{
			Rule: check.Rule{
				ID:       "server/keys/document-outage",
				Level:    check.Must,
				Severity: check.High,
				Reference: "OpenID Connect Discovery 1.0 section 4.2; Microsoft identity platform, Signing " +
					"key rollover",
				Sentence: "While the discovery document is unavailable, a server without one refuses all " +
					"tokens, and a server with one keeps using it.",
				Covers: []string{"RS-067"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    keysDocumentOutage,
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/document-silence",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 15.6.4",
				Sentence: "An issuer that does not answer for its discovery document does not block a " +
					"caller forever.",
				Covers: []string{"RS-067"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    keysDocumentSilence,
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/document-redirect",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9700 section 4.11; OpenID Connect Discovery 1.0 section 4.2",
				Sentence:  "The server takes no discovery document from the target of a redirect.",
				Covers:    []string{"RS-067"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    keysDocumentRedirect,
		},
	}
}

// keysDocumentIssuer serves documents of other issuers.
func keysDocumentIssuer(ctx context.Context, p *bench.Probe) error {
	attacker := &attack.Attacker{}
	if err := attacker.TryDiscovery(ctx, p, controlFollows); err != nil {
		return err
	}
	for _, foreign := range []struct {
		name   string
		change func(issuer string) any
	}{
		{"another issuer", func(string) any { return "https://login.elsewhere.example/v2.0" }},
		{"another tenant", anotherTenant},
		{"an issuer with a slash more", func(issuer string) any { return issuer + "/" }},
		{"the issuer in capitals", func(issuer string) any { return strings.ToUpper(issuer) }},
		{"a longer issuer", func(issuer string) any { return issuer + ".elsewhere.example" }},
		{"a list of issuers", func(issuer string) any { return []string{issuer} }},
		{"no issuer", func(string) any { return attack.Absent }},
	} {
		err := attacker.TryDiscovery(ctx, p, func(ctx context.Context, d *attack.Discovery) error {
			var own struct {
				Issuer string `json:"issuer"`
			}
			_ = json.Unmarshal(d.Discovery(), &own)
			document := d.Edited(
				attack.Member("issuer", foreign.change(own.Issuer)),
				attack.Member("jwks_uri", d.AttackedKeysURL()),
			)
			return d.WantDistrusted(ctx, "a document of "+foreign.name, attack.ServeJSON(document))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func controlFollows(ctx context.Context, d *attack.Discovery) error { return d.ControlFollows(ctx) }

// anotherTenant returns an issuer with another GUID in its name, or with a longer path.
func anotherTenant(issuer string) any {
	const other = "9188040d-6c67-4c5b-b112-36a304b66dad"
	if changed := guids.ReplaceAllString(issuer, other); changed != issuer {
		return changed
	}
	return issuer + "/" + other
}

// guids matches the GUIDs in an issuer's name.
var guids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// keysDocumentAddress serves documents with a bad jwks_uri, and with one inside a network.
func keysDocumentAddress(ctx context.Context, p *bench.Probe) error {
	attacker := &attack.Attacker{}
	if err := attacker.TryDiscovery(ctx, p, controlFollows); err != nil {
		return err
	}
	for _, bad := range []struct {
		name    string
		address any
		level   check.Level // empty means the check's
	}{
		{"no jwks_uri", attack.Absent, ""},
		{"an empty jwks_uri", "", ""},
		{"a number as jwks_uri", 1, ""},
		{"a jwks_uri without a host", "/keys?more", ""},
		{"keys in the clear", "http://elsewhere.example/keys", ""},
		{"keys in a file", "file:///etc/hostname", ""},
		{"keys in the address itself", "data:application/json,%7B%22keys%22%3A%5B%5D%7D", ""},
		{"a name and password", "https://user:password@elsewhere.example/keys", check.Policy},
	} {
		err := attacker.TryDiscovery(ctx, p, func(ctx context.Context, d *attack.Discovery) error {
			document := d.Edited(attack.Member("jwks_uri", bad.address))
			err := d.WantDistrusted(ctx, "a document with "+bad.name, attack.ServeJSON(document))
			if outside := d.OutsideRequest(); err == nil && outside != "" {
				return d.Probe.Mismatch("no request for the keys of a document with "+bad.name, "one to "+outside)
			}
			return err
		})
		if err != nil {
			return inputs.Graded(err, bad.level, "")
		}
	}
	for _, inside := range []string{
		"https://169.254.169.254/keys",
		"https://10.0.0.1/keys",
		"https://[fd00:ec2::254]/keys",
		"https://0.0.0.0/keys",
	} {
		err := attacker.TryDiscovery(ctx, p, func(ctx context.Context, d *attack.Discovery) error {
			return tryInside(ctx, d, inside)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tryInside serves a document whose only flaw is a jwks_uri at a private address. The keys may be
// on any public host, but a private address is an SSRF attempt.
func tryInside(ctx context.Context, d *attack.Discovery, address string) error {
	d.ServeDocument(attack.ServeJSON(d.Edited(attack.Member("jwks_uri", address))))
	token, err := d.Probe.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	if _, err := d.Probe.Send(ctx, bench.Request{Header: bench.Bearer(token)}); err != nil {
		return err
	}
	if outside := d.OutsideRequest(); outside != "" {
		return d.Probe.MismatchAt(check.Policy, "no request to an address inside a network", "one to "+outside)
	}
	return nil
}

// keysDocumentOutage serves a document that is too long, and no document.
func keysDocumentOutage(ctx context.Context, p *bench.Probe) error {
	attacker := &attack.Attacker{}
	if err := attacker.TryDiscovery(ctx, p, tryLongDocument); err != nil {
		return err
	}
	for _, outage := range attack.Outages() {
		err := attacker.TryDiscovery(ctx, p, func(ctx context.Context, d *attack.Discovery) error {
			return d.WantDistrusted(ctx, "a document that is: "+outage.Name, outage.Serve)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tryLongDocument serves a document of 8 MiB. Only a server that reads all of it trusts the
// attacker's key.
func tryLongDocument(ctx context.Context, d *attack.Discovery) error {
	document := d.Edited(attack.Member("jwks_uri", d.AttackedKeysURL()))
	d.ServeDocument(attack.ServeJSON(strings.Repeat(" ", 8<<20) + document))
	answer, err := d.SendSigned(ctx)
	if err == nil && answer.Succeeded() {
		return d.Probe.MismatchAt(
			check.Policy,
			"a document of 8 MiB not to be read to its end",
			"the result of a token that only its end makes good",
		)
	}
	return err
}

// keysDocumentSilence serves no answer at all for the discovery document.
func keysDocumentSilence(ctx context.Context, p *bench.Probe) error {
	return (&attack.Attacker{}).TryDiscovery(ctx, p, func(ctx context.Context, d *attack.Discovery) error {
		ended := make(chan struct{})
		defer close(ended)
		d.ServeDocument(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			select {
			case <-request.Context().Done():
			case <-ended:
			}
		}))
		token, err := d.Probe.Token(ctx, bench.Good)
		if err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, d.Probe.Patience())
		defer cancel()
		answer, err := d.Probe.Send(bounded, bench.Request{Header: bench.Bearer(token)})
		switch {
		case bounded.Err() != nil && ctx.Err() == nil:
			return d.Probe.Mismatch(
				"an answer while the issuer is silent",
				fmt.Sprintf("none within %v", d.Probe.Patience()),
			)
		case err != nil:
			return err
		case d.Fetches.Load() == 0:
			return &check.NotApplicable{Reason: "the server does not fetch the discovery document when it needs it"}
		}
		return wantUnavailable(d.Probe, answer)
	})
}

// keysDocumentRedirect makes the issuer redirect to a document with the attacker's keys.
func keysDocumentRedirect(ctx context.Context, p *bench.Probe) error {
	return (&attack.Attacker{}).TryDiscovery(ctx, p, func(ctx context.Context, d *attack.Discovery) error {
		d.ServeOutside(attack.ServeJSON(d.Edited(attack.Member("jwks_uri", attack.AttackerKeysURL))))
		redirect := http.RedirectHandler("https://elsewhere.example/document", http.StatusFound)
		return d.WantDistrusted(ctx, "a document from the target of a redirect", redirect)
	})
}
