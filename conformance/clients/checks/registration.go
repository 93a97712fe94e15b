package checks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// registrationChecks are checks of client/registration: where a client ID comes from (RFC 7591; MCP
// authorization, Client Registration Approaches).
func registrationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/registration/dynamic",
				Level:     check.Should,
				Revisions: []check.Revision{check.R20250326, check.R20250618},
				Reference: "MCP 2025-06-18 authorization, Dynamic Client Registration; RFC 7591 section 3.1",
				Sentence: "A client registers if the authorization server offers it, and uses the client ID " +
					"that it gets.",
				Covers: []string{"client-dcr-supported", "client-dcr-optional"},
			},
			Run: judge(lab.Script{}, wantRegistration),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/issued-id",
				Level:     check.Must,
				Reference: "MCP 2026-07-28 authorization, Client Registration; OAuth 2.1-13 section 4.1.1",
				Sentence: "The client ID in an authorization request was issued by that authorization " +
					"server, was configured, or is the URL of a client ID metadata document.",
				Covers: []string{"client-obtains-client-id"},
			},
			Needs: []bench.Need{bench.Registering},
			Run:   judge(lab.Script{}, wantIssuedID),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/application-type",
				Level:     check.Must,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Dynamic Client Registration",
				Sentence:  "A registration states the application_type.",
				Covers:    []string{"client-dcr-application-type"},
			},
			Needs: []bench.Need{bench.Registering},
			Run:   judge(lab.Script{}, eachRegistration(wantApplicationType)),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/application-type-fits",
				Level:     check.Should,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Dynamic Client Registration",
				Sentence: "A client with a redirect URI on loopback or with its own scheme does not register " +
					"as a web application.",
				Covers: []string{"client-dcr-application-type-fits"},
			},
			Needs: []bench.Need{bench.Registering},
			Run:   judge(lab.Script{}, eachRegistration(wantFittingType)),
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
			Needs: []bench.Need{bench.Calling, bench.Registering},
			Run:   judge(lab.Script{Refresh: true, ExpiredTokens: 1}, wantRefreshGrant),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/rejected",
				Level:     check.Must,
				Reference: "MCP 2026-07-28 authorization, Dynamic Client Registration; RFC 7591 section 3.2.2",
				Sentence: "A client whose registration is rejected gives up after a few tries, and does not " +
					"continue with an ID that was never issued.",
				Covers: []string{"client-dcr-rejection-handled", "client-dcr-retry-adjusted"},
			},
			Needs: []bench.Need{bench.Registering},
			Run: noHarm(
				lab.Script{},
				triedToRegister,
				wentOnUnregistered,
				rejectRegistration("invalid_redirect_uri"),
				rejectRegistration("invalid_client_metadata"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/rejection-told",
				Level:     check.Should,
				Reference: "MCP 2026-07-28 authorization, Dynamic Client Registration",
				Sentence:  "The client tells the user that the registration was rejected.",
				Covers:    []string{"client-dcr-rejection-surfaced"},
			},
			Needs: []bench.Need{bench.Registering},
			Run:   registrationRejectionTold,
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/answer",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "RFC 7591 section 3.2.1; OAuth 2.1-13 section 1.4",
				Sentence: "A registration response without a client ID is refused. That one is refused whose " +
					"client ID is not text that can be sent is a policy.",
				Covers: []string{"CL-028"},
			},
			Needs: []bench.Need{bench.Registering},
			Run: each(
				noHarm(lab.Script{}, triedToRegister, sentToAuthorize,
					registrationAnswer("no client_id", func(answer map[string]any) { delete(answer, "client_id") }),
					registrationAnswer(
						"an empty client_id",
						func(answer map[string]any) { answer["client_id"] = "" },
					)),
				graded(check.Policy, check.Low, noHarm(lab.Script{}, triedToRegister, sentToAuthorize,
					registrationAnswer(
						"a number as client_id",
						func(answer map[string]any) { answer["client_id"] = 7 },
					),
					registrationAnswer(
						"a client_id with line breaks",
						func(answer map[string]any) { answer["client_id"] = "a\r\nX-Injected: 1" },
					))),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/expired-secret",
				Level:     check.Policy,
				Severity:  check.Low,
				Reference: "RFC 7591 section 3.2.1",
				Sentence:  "The client does not authenticate with a secret that has expired.",
				Covers:    []string{"CL-028"},
			},
			Needs: []bench.Need{bench.Registering},
			Run: judgeAfter(
				lab.Script{AuthMethod: "client_secret_post"},
				expiredSecret(),
				wantNoExpiredSecret,
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/registration/pre-registered",
				Level:     check.Should,
				Reference: "MCP 2025-11-25 authorization, Preregistration",
				Sentence:  "A client with a configured client ID uses it and does not register.",
				Covers:    []string{"client-prereg-supported", "client-registration-priority"},
			},
			Abilities: []bench.Ability{bench.Preregistered},
			Run:       registrationPreRegistered,
		},
	}
}

// wantRegistration wants a registration with redirect_uris.
func wantRegistration(l *lab.Lab) error {
	made := l.Registrations(l.Authority())
	if len(made) == 0 {
		return l.Mismatch("a registration", "none")
	}
	if redirects, _ := made[0].JSON["redirect_uris"].([]any); len(redirects) == 0 {
		return l.Mismatch("redirect_uris in the registration", fmt.Sprint(made[0].JSON["redirect_uris"]))
	}
	return nil
}

// wantIssuedID wants a client ID that was issued, or the URL of a document.
func wantIssuedID(l *lab.Lab) error {
	issued, _ := l.ClientIDs(l.Authority())
	for _, request := range l.Authorizations(l.Authority()) {
		id := request.Query.Get("client_id")
		if !slices.Contains(issued, id) && !strings.HasPrefix(id, "https://") {
			return l.Mismatch("a client ID that was issued", fmt.Sprintf("%q", id))
		}
	}
	return nil
}

// wantApplicationType wants the application_type native or web.
func wantApplicationType(l *lab.Lab, asked map[string]any) error {
	if kind := asked["application_type"]; kind != "native" && kind != "web" {
		return l.Mismatch("application_type native or web", fmt.Sprint(kind))
	}
	return nil
}

// wantFittingType wants the application_type web with https redirect URIs only.
func wantFittingType(l *lab.Lab, asked map[string]any) error {
	if asked["application_type"] != "web" {
		return nil
	}
	redirects, _ := asked["redirect_uris"].([]any)
	for _, redirect := range redirects {
		if text, _ := redirect.(string); !strings.HasPrefix(text, "https://") {
			return l.Mismatch("application_type native with "+text, "web")
		}
	}
	return nil
}

// wantRefreshGrant wants refresh_token among the grant_types of a client that refreshes.
func wantRefreshGrant(l *lab.Lab) error {
	if len(refreshRequests(l, lab.Issuer)) == 0 {
		return &check.NotApplicable{Reason: "the client does not refresh"}
	}
	return eachRegistration(listsRefreshToken)(l)
}

// listsRefreshToken wants refresh_token among the grant_types.
func listsRefreshToken(l *lab.Lab, asked map[string]any) error {
	kinds, _ := asked["grant_types"].([]any)
	if !slices.Contains(kinds, any("refresh_token")) {
		return l.Mismatch("refresh_token among the grant_types", fmt.Sprint(kinds))
	}
	return nil
}

// wentOnUnregistered reports too many registrations, or a sign-in without one.
func wentOnUnregistered(l *lab.Lab) string {
	if n := len(l.Registrations(l.Authority())); n > maxTries {
		return fmt.Sprintf("%d registrations", n)
	}
	return sentToAuthorize(l)
}

// registrationRejectionTold tries client/registration/rejection-told.
func registrationRejectionTold(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	l := runClient(ctx, p, rejectRegistration("invalid_client_metadata").script)
	switch {
	case !triedToRegister(l):
		return &check.NotApplicable{Reason: "the client does not register"}
	case isSilent(l):
		return &check.NotApplicable{Reason: "needs a client with output"}
	}
	output := strings.ToLower(l.Output())
	namesReason := func(word string) bool { return strings.Contains(output, word) }
	if !slices.ContainsFunc([]string{"regist", "invalid_client_metadata", rejection}, namesReason) {
		return l.Mismatch(
			"a message about the registration, or the server's error",
			"neither in the output",
		)
	}
	return nil
}

// isSilent reports whether the client printed nothing, and did not say why it ended.
func isSilent(l *lab.Lab) bool {
	says := l.Err() != nil && !errors.Is(l.Err(), lab.ErrTimeUp) && !errors.As(l.Err(), new(*exec.ExitError))
	return strings.TrimSpace(l.Printed()) == "" && !says
}

// registrationPreRegistered tries client/registration/pre-registered.
func registrationPreRegistered(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	closed := func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
		delete(document, "registration_endpoint")
	}
	for _, script := range []lab.Script{{}, {Metadata: closed}, {Metadata: acceptDocuments(true)}} {
		l := runClient(ctx, p, script, withClientID("client-of-old", ""))
		for _, request := range l.Authorizations(l.Authority()) {
			if id := request.Query.Get("client_id"); id != "client-of-old" {
				return l.Mismatch("the configured client ID", fmt.Sprintf("%q", id))
			}
		}
		if len(l.Registrations(l.Authority())) > 0 {
			return l.Mismatch("no registration", "one")
		}
		if !completed(p, l) {
			return l.Mismatch(goal(p), fmt.Sprintf("none: %v", ending(l)))
		}
	}
	return nil
}

// maxTries is how often a client may try the same thing.
const maxTries = 3

// rejection is the error_description of a rejected registration.
const rejection = "canary-of-a-rejected-registration"

// rejectRegistration returns a variant that rejects registrations with an error code.
func rejectRegistration(code string) variant {
	reject := func(_ *lab.Lab, _, answer map[string]any) int {
		clear(answer)
		answer["error"] = code
		answer["error_description"] = rejection
		return http.StatusBadRequest
	}
	return variant{"a rejection with " + code, lab.Script{Registration: reject}}
}

// registrationAnswer returns a variant with a changed registration response.
func registrationAnswer(name string, change func(answer map[string]any)) variant {
	changed := func(_ *lab.Lab, _, answer map[string]any) int {
		change(answer)
		return 0
	}
	return variant{name, lab.Script{Registration: changed}}
}

// expiredSecret is a lab that issues client secrets that expired in 2001.
func expiredSecret() lab.Script {
	expire := func(_ *lab.Lab, _, answer map[string]any) int {
		answer["client_secret_expires_at"] = 1_000_000_000
		return 0
	}
	return lab.Script{AuthMethod: "client_secret_post", Registration: expire}
}

// wantNoExpiredSecret wants no token request with a secret of the registration.
func wantNoExpiredSecret(l *lab.Lab) error {
	if !triedToRegister(l) {
		return &check.NotApplicable{Reason: "the client does not register"}
	}
	_, secrets := l.ClientIDs(l.Authority())
	for _, request := range l.TokenRequests(l.Authority()) {
		holds := func(secret string) bool { return request.Contains(secret) || hasBasic(&request, secret) }
		if slices.ContainsFunc(secrets, holds) {
			return l.Mismatch("another registration, or an error", "a token request with an expired secret")
		}
	}
	return nil
}

// triedToRegister reports whether the client made a registration request.
func triedToRegister(l *lab.Lab) bool { return len(l.Registrations(l.Authority())) > 0 }

// eachRegistration judges each registration request. A client without one is skipped.
func eachRegistration(verdict func(l *lab.Lab, asked map[string]any) error) func(l *lab.Lab) error {
	return func(l *lab.Lab) error {
		if !triedToRegister(l) {
			return &check.NotApplicable{Reason: "the client does not register"}
		}
		return eachRegistrationIfAny(verdict)(l)
	}
}

// eachRegistrationIfAny judges each registration request. A client without one passes.
func eachRegistrationIfAny(verdict func(l *lab.Lab, asked map[string]any) error) func(l *lab.Lab) error {
	return func(l *lab.Lab) error {
		for _, request := range l.Registrations(l.Authority()) {
			if err := verdict(l, request.JSON); err != nil {
				return err
			}
		}
		return nil
	}
}

// withClientID configures a client ID and a secret.
func withClientID(id, secret string) func(*bench.Task) {
	return func(task *bench.Task) {
		task.ClientID = id
		task.ClientSecret = secret
	}
}
