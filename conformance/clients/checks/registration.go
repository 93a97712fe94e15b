package checks

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// registrationChecks are checks of client/registration: how a client comes by its ID (RFC 7591; MCP
// authorization, Client Registration Approaches).
func registrationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/registration/dynamic",
				Level:     check.Should,
				Revisions: []check.Revision{check.R20250326, check.R20250618},
				Reference: "MCP 2025-06-18 authorization, Dynamic Client Registration; RFC 7591 section 3.1",
				Sentence: "A client registers itself where the authorization server offers it, and uses the ID " +
					"that it gets.",
				Covers: []string{"client-dcr-supported", "client-dcr-optional"},
			},
			Run: judge(lab.Script{}, func(l *lab.Lab) error {
				made := l.Registrations(l.Authority())
				if len(made) == 0 {
					return l.Mismatch("a registration", "none")
				}
				if redirects, _ := made[0].JSON["redirect_uris"].([]any); len(redirects) == 0 {
					return l.Mismatch("redirect_uris in the registration", fmt.Sprint(made[0].JSON["redirect_uris"]))
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/issued-id",
				Level:     check.Must,
				Reference: "MCP 2026-07-28 authorization, Client Registration; OAuth 2.1-13 section 4.1.1",
				Sentence: "The client ID of an authorization request was issued by that authorization server, " +
					"configured, or is the URL of a client ID metadata document.",
				Covers: []string{"client-obtains-client-id"},
			},
			Run: judge(lab.Script{}, func(l *lab.Lab) error {
				issued, _ := l.ClientIDs(l.Authority())
				for _, one := range l.Authorizations(l.Authority()) {
					if id := one.Query.Get("client_id"); !slices.Contains(issued, id) &&
						!strings.HasPrefix(id, "https://") {
						return l.Mismatch("a client ID that was issued", fmt.Sprintf("%q", id))
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/application-type",
				Level:     check.Must,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Dynamic Client Registration",
				Sentence:  "A registration says which application_type the client is.",
				Covers:    []string{"client-dcr-application-type"},
			},
			Run: judge(lab.Script{}, registered(func(l *lab.Lab, asked map[string]any) error {
				if kind := asked["application_type"]; kind != "native" && kind != "web" {
					return l.Mismatch("application_type native or web", fmt.Sprint(kind))
				}
				return nil
			})),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/application-type-fits",
				Level:     check.Should,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Dynamic Client Registration",
				Sentence: "A client whose redirect URI is on loopback or has a scheme of its own does not register " +
					"as a web application.",
				Covers: []string{"client-dcr-application-type-fits"},
			},
			Run: judge(lab.Script{}, registered(func(l *lab.Lab, asked map[string]any) error {
				redirects, _ := asked["redirect_uris"].([]any)
				for _, one := range redirects {
					if text, _ := one.(string); asked["application_type"] == "web" &&
						!strings.HasPrefix(text, "https://") {
						return l.Mismatch("application_type native with "+text, "web")
					}
				}
				return nil
			})),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/refresh-grant",
				Level:     check.Should,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
				Sentence:  "A client that uses refresh tokens lists refresh_token among its grant_types.",
				Covers:    []string{"client-dcr-grant-types-refresh"},
			},
			Run: judge(lab.Script{Refresh: true, OldTokens: 1}, func(l *lab.Lab) error {
				if len(refreshes(l, lab.Issuer)) == 0 {
					return &check.NotApplicable{Reason: "the client does not refresh"}
				}
				return registered(func(l *lab.Lab, asked map[string]any) error {
					if kinds, _ := asked["grant_types"].([]any); !slices.Contains(kinds, any("refresh_token")) {
						return l.Mismatch("refresh_token among the grant_types", fmt.Sprint(kinds))
					}
					return nil
				})(l)
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/rejected",
				Level:     check.Must,
				Reference: "MCP 2026-07-28 authorization, Dynamic Client Registration; RFC 7591 section 3.2.2",
				Sentence: "A client that is not registered gives up after a few tries, and does not go on with an ID " +
					"that nobody issued.",
				Covers: []string{"client-dcr-rejection-handled", "client-dcr-retry-adjusted"},
			},
			Run: noHarm(lab.Script{}, triedToRegister, func(l *lab.Lab) string {
				if n := len(l.Registrations(l.Authority())); n > few {
					return fmt.Sprintf("%d registrations", n)
				}
				return sentToAuthorize(l)
			}, rejecting("invalid_redirect_uri"), rejecting("invalid_client_metadata")),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/rejection-told",
				Level:     check.Should,
				Reference: "MCP 2026-07-28 authorization, Dynamic Client Registration",
				Sentence:  "The user is told that the registration was rejected.",
				Covers:    []string{"client-dcr-rejection-surfaced"},
			},
			Run: registrationRejectionTold,
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/answer",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7591 section 3.2.1; OAuth 2.1-13 section 1.4",
				Sentence:  "An answer to a registration without a client ID that could be used is refused.",
				Covers:    []string{"CL-028"},
			},
			Run: noHarm(lab.Script{}, triedToRegister, sentToAuthorize,
				enrolling("no client_id", func(answer map[string]any) { delete(answer, "client_id") }),
				enrolling("an empty client_id", func(answer map[string]any) { answer["client_id"] = "" }),
				enrolling("a number as client_id", func(answer map[string]any) { answer["client_id"] = 7 }),
				enrolling(
					"a client_id with line breaks",
					func(answer map[string]any) { answer["client_id"] = "a\r\nX-Injected: 1" },
				)),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/pre-registered",
				Level:     check.Should,
				Reference: "MCP 2025-11-25 authorization, Preregistration",
				Sentence:  "A client ID that is configured is used, and goes before registration.",
				Covers:    []string{"client-prereg-supported", "client-registration-priority"},
			},
			Abilities: []bench.Ability{bench.Preregistered},
			Run:       registrationPreRegistered,
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/document",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Client ID Metadata Documents",
				Sentence: "Where the authorization server takes client ID metadata documents, a client that has one " +
					"uses it instead of registering.",
				Covers: []string{"client-cimd-supported", "client-registration-priority", "client-cimd-portable"},
			},
			Abilities: []bench.Ability{bench.ClientDocument},
			Run: stillWorks(lab.Script{}, func(l *lab.Lab) error {
				for _, one := range l.Authorizations(l.Authority()) {
					if id := one.Query.Get("client_id"); !strings.HasPrefix(id, "https://") {
						return l.Mismatch("an https URL as client_id", fmt.Sprintf("%q", id))
					}
				}
				return nil
			}, variant{"documents and registration", lab.Script{Metadata: takesDocuments(true)}}),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/document-flag",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Advertising CIMD Support",
				Sentence: "The URL of a client ID metadata document is not used where the authorization server does " +
					"not say that it takes such.",
				Covers: []string{"client-cimd-flag-checked"},
			},
			Abilities: []bench.Ability{bench.ClientDocument},
			Run: stillWorks(
				lab.Script{},
				func(l *lab.Lab) error {
					for _, one := range l.Authorizations(l.Authority()) {
						if strings.HasPrefix(one.Query.Get("client_id"), "https://") {
							return l.Mismatch("another client_id than a URL", one.Query.Get("client_id"))
						}
					}
					return nil
				},
				variant{"no word of documents", lab.Script{}},
				variant{"documents declined", lab.Script{Metadata: takesDocuments(false)}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/document-url",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP 2025-11-25 authorization, Client ID Metadata Documents, Implementation Requirements",
				Sentence: "The URL of a client ID metadata document is https, has a path, and has no fragment, user " +
					"information or dot segments.",
				Covers: []string{"client-cimd-url-shape"},
			},
			Abilities: []bench.Ability{bench.ClientDocument},
			Run: judge(lab.Script{Metadata: takesDocuments(true)}, func(l *lab.Lab) error {
				for _, one := range l.Authorizations(l.Authority()) {
					id := one.Query.Get("client_id")
					if !strings.Contains(id, "://") {
						continue
					}
					parsed, err := url.Parse(id)
					if err != nil || parsed.Scheme != "https" || strings.Trim(parsed.Path, "/") == "" ||
						strings.Contains(id, "#") || parsed.User != nil ||
						strings.Contains(parsed.EscapedPath()+"/", "/./") ||
						strings.Contains(parsed.EscapedPath()+"/", "/../") {
						return l.Mismatch(
							"an https URL with a path, and without fragment, user information and dot segments",
							fmt.Sprintf("%q", id),
						)
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/redirect-uri",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Open Redirection; OAuth 2.1-13 section 2.3.1",
				Sentence: "The redirect URI of an authorization request is one that was registered; the port of a " +
					"loopback address may differ.",
				Covers: []string{"client-redirect-uri-registered"},
			},
			Run: judge(lab.Script{}, registered(func(l *lab.Lab, asked map[string]any) error {
				redirects, _ := asked["redirect_uris"].([]any)
				for _, one := range l.Authorizations(l.Authority()) {
					used := one.Query.Get("redirect_uri")
					if used != "" &&
						!slices.ContainsFunc(
							redirects,
							func(each any) bool { text, _ := each.(string); return sameRedirect(text, used) },
						) {
						return l.Mismatch("one of the redirect URIs that were registered", used)
					}
				}
				return nil
			})),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/redirect-uri-safe",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Communication Security; RFC 8252 section 7.3",
				Sentence:  "A redirect URI is https, or http on a loopback address.",
				Covers:    []string{"client-redirect-uri-safe", "CL-010"},
			},
			Run: judge(lab.Script{}, func(l *lab.Lab) error {
				for _, one := range l.Authorizations(l.Authority()) {
					if used := one.Query.Get("redirect_uri"); used != "" && !safeRedirect(used) {
						return l.Mismatch("a redirect URI on https or loopback", used)
					}
				}
				return registeredOrNot(func(l *lab.Lab, asked map[string]any) error {
					redirects, _ := asked["redirect_uris"].([]any)
					for _, each := range redirects {
						if text, _ := each.(string); !safeRedirect(text) {
							return &check.Mismatch{
								Want:  "redirect URIs on https or loopback in the registration",
								Got:   text,
								Level: check.Should,
							}
						}
					}
					return nil
				})(l)
			}),
		},
	}
}

// registrationRejectionTold tries client/registration/rejection-told.
func registrationRejectionTold(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	l := try(ctx, p, rejecting("invalid_client_metadata").script)
	if !triedToRegister(l) {
		return &check.NotApplicable{Reason: "the client does not register"}
	}
	if said := strings.ToLower(l.Output()); !strings.Contains(said, "regist") &&
		!strings.Contains(said, "invalid_client_metadata") && !strings.Contains(said, rejection) {
		return l.Mismatch(
			"a word about the registration, or what the server said",
			"none in what the client tells its user",
		)
	}
	return nil
}

// registrationPreRegistered tries client/registration/pre-registered.
func registrationPreRegistered(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	for _, script := range []lab.Script{
		{},
		{Metadata: func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
			delete(document, "registration_endpoint")
		}},
	} {
		l := try(ctx, p, script, preregistered("client-of-old", ""))
		for _, one := range l.Authorizations(l.Authority()) {
			if id := one.Query.Get("client_id"); id != "client-of-old" {
				return l.Mismatch("the client ID that is configured", fmt.Sprintf("%q", id))
			}
		}
		if len(l.Registrations(l.Authority())) > 0 {
			return l.Mismatch("no registration", "one")
		}
		if !l.Called() {
			return l.Mismatch("the client to call the tool", fmt.Sprintf("it does not: %v", ending(l)))
		}
	}
	return nil
}

// few is how often a client may try again.
const few = 3

// rejection is what an authorization server says to a registration that it rejects.
const rejection = "canary-of-a-rejected-registration"

func rejecting(code string) variant {
	return variant{"a rejection with " + code, lab.Script{Registration: func(_ *lab.Lab, _, answer map[string]any) int {
		clear(answer)
		answer["error"] = code
		answer["error_description"] = rejection
		return http.StatusBadRequest
	}}}
}

func enrolling(name string, change func(answer map[string]any)) variant {
	return variant{
		name,
		lab.Script{Registration: func(_ *lab.Lab, _, answer map[string]any) int { change(answer); return 0 }},
	}
}

func triedToRegister(l *lab.Lab) bool { return len(l.Registrations(l.Authority())) > 0 }

// registered judges each registration. A client that makes none has nothing to be judged.
func registered(judge func(l *lab.Lab, asked map[string]any) error) func(l *lab.Lab) error {
	return func(l *lab.Lab) error {
		if !triedToRegister(l) {
			return &check.NotApplicable{Reason: "the client does not register"}
		}
		return registeredOrNot(judge)(l)
	}
}

func registeredOrNot(judge func(l *lab.Lab, asked map[string]any) error) func(l *lab.Lab) error {
	return func(l *lab.Lab) error {
		for _, one := range l.Registrations(l.Authority()) {
			if err := judge(l, one.JSON); err != nil {
				return err
			}
		}
		return nil
	}
}

func preregistered(id, secret string) func(*bench.Task) {
	return func(task *bench.Task) {
		task.ClientID = id
		task.ClientSecret = secret
	}
}

func takesDocuments(yes bool) func(*lab.Lab, lab.Party, string, map[string]any) {
	return func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
		document["client_id_metadata_document_supported"] = yes
	}
}

func refreshes(l *lab.Lab, party lab.Party) []lab.Request {
	return slices.DeleteFunc(
		l.TokenRequests(party),
		func(r lab.Request) bool { return r.Form.Get("grant_type") != "refresh_token" },
	)
}

// sameRedirect compares redirect URIs; the port of a loopback address is nothing (RFC 8252 section
// 7.3).
func sameRedirect(registered, used string) bool {
	if registered == used {
		return true
	}
	a, err := url.Parse(registered)
	b, err2 := url.Parse(used)
	if err != nil || err2 != nil || !isLoopback(a.Hostname()) {
		return false
	}
	a.Host = a.Hostname()
	b.Host = b.Hostname()
	return a.String() == b.String()
}

func safeRedirect(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http" && isLoopback(parsed.Hostname()))
}

func isLoopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }
