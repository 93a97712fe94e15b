package checks

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
	"mcpentra/conformance/loopback"
)

// callbackChecks are checks of client/callback: what a client makes of the answer to an
// authorization request (OAuth 2.1 section 4.1.2; RFC 9207).
func callbackChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/callback/closed",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 8252 section 8.3",
				Sentence:  "The listener at a redirect URI on loopback is closed when the answer has come.",
				Covers:    []string{"CL-010"},
			},
			Run: closedAfter,
		},
		{
			Rule: check.Rule{
				ID:        "client/callback/loopback",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "RFC 8252 section 8.3",
				Sentence:  "The listener at a redirect URI on loopback is on no other address of the machine.",
				Covers:    []string{"CL-010"},
			},
			Run: onLoopbackAlone,
		},
		{
			Rule: check.Rule{
				ID:        "client/callback/stray",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 8252 section 8.9; OAuth 2.1-13 section 7.9",
				Sentence:  "What comes to another path than that of the redirect URI is not an answer.",
				Covers:    []string{"CL-009"},
			},
			Run: noHarm(
				lab.Script{},
				authorized,
				firstRedeemed,
				variant{
					"an answer at another path",
					lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
						stray := a.Right()
						stray.Path = "/elsewhere"
						return []lab.Answer{stray, a.Right()}
					}},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/callback/undisturbed",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 8252 section 8.9",
				Sentence: "Who guesses the redirect URI's port cannot end the sign-in: after requests that are no " +
					"answer, the right one is used.",
				Covers: []string{"CL-009"},
			},
			Run: stillWorks(lab.Script{}, guessable,
				after(
					"an answer of somebody else's sign-in",
					1,
					lab.Answer{Params: url.Values{"code": {"another"}, "state": {"another"}}},
				),
				after(
					"an error of somebody else's sign-in",
					1,
					lab.Answer{Params: url.Values{"error": {"access_denied"}, "state": {"another"}}},
				),
				after("a request without a query", 1, lab.Answer{}),
				after(
					"a POST",
					1,
					lab.Answer{Method: http.MethodPost, Params: url.Values{"code": {"another"}, "state": {"another"}}},
				),
				after(
					"a query of a megabyte",
					1,
					lab.Answer{Params: url.Values{"state": {strings.Repeat("a", 1<<20)}}},
				),
				after(
					"fifty wrong answers",
					50,
					lab.Answer{Params: url.Values{"code": {"another"}, "state": {"another"}}},
				),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/callback/once",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 8252 section 8.9",
				Sentence:  "Of two answers one is used.",
				Covers:    []string{"CL-009"},
			},
			Run: noHarm(
				lab.Script{},
				authorized,
				func(l *lab.Lab) string {
					if got := l.Redeemed(l.Authority()); len(got) > 1 {
						return "both codes were redeemed"
					}
					return ""
				},
				variant{
					"two right answers",
					lab.Script{
						Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
							return []lab.Answer{a.Right(), a.Right()}
						},
					},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/callback/escaped",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "OWASP, Cross Site Scripting",
				Sentence:  "The page at the redirect URI shows nothing of the answer that a browser would run.",
				Covers:    []string{"CL-011"},
			},
			Run: noHarm(
				lab.Script{},
				authorized,
				func(l *lab.Lab) string {
					if slices.ContainsFunc(
						l.Replies(),
						func(reply string) bool { return strings.Contains(reply, "<script>alert") },
					) {
						return "the page has the script of the answer in it"
					}
					return ""
				},
				variant{
					"a script in the answer",
					lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
						const script = "<script>alert(1)</script>"
						return []lab.Answer{
							{Params: url.Values{"error": {script}, "error_description": {script}, "state": {script}}},
							{
								Params: url.Values{
									"error":             {script},
									"error_description": {script},
									"state":             {a.Params.Get("state")},
								},
							},
							a.Right(),
						}
					}},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/callback/secret",
				Level:     check.Policy,
				Severity:  check.Low,
				Reference: "OAuth 2.1-13 section 7.5; RFC 9700 section 4.3",
				Sentence:  "The page at the redirect URI does not repeat the code.",
				Covers:    []string{"CL-011"},
			},
			Run: callbackSecret,
		},
	}
}

// callbackSecret tries client/callback/secret.
func callbackSecret(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	l := try(
		ctx,
		p,
		lab.Script{
			Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer { return []lab.Answer{a.Right(), a.Right()} },
		},
	)
	switch {
	case slices.ContainsFunc(l.Replies(), func(reply string) bool { return strings.Contains(reply, "code-") }):
		return l.Insecure("a page without the code", "one with it")
	case len(l.Replies()) == 0:
		return &check.NotApplicable{Reason: "the client has no page at its redirect URI"}
	}
	return nil
}

// closedAfter calls at the redirect URI while the tool is called: the sign-in has ended by then.
func closedAfter(ctx context.Context, p *bench.Probe) error {
	var open atomic.Pointer[string]
	l, err := control(
		ctx,
		p,
		lab.Script{Intercept: func(l *lab.Lab, r *lab.Request, _ http.ResponseWriter, request *http.Request) bool {
			if r.RPC != "tools/call" || r.Bearer() == "" {
				return false
			}
			for _, one := range l.Authorizations(l.Authority()) {
				redirect, err := url.Parse(one.Query.Get("redirect_uri"))
				if err != nil || redirect.Scheme != "http" || !isLoopback(redirect.Hostname()) {
					continue
				}
				if answers(request.Context(), redirect.Host) {
					open.Store(&redirect.Host)
				}
			}
			return false
		}},
	)
	switch {
	case err != nil:
		return err
	case open.Load() != nil:
		return l.Mismatch("nobody at the redirect URI once there is a token", "a listener at "+*open.Load())
	}
	return nil
}

// onLoopbackAlone calls at the port of the redirect URI while the answer is waited for, on
// addresses that are not its own.
func onLoopbackAlone(ctx context.Context, p *bench.Probe) error {
	var met atomic.Bool
	var open atomic.Pointer[string]
	l, err := control(ctx, p, lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		redirect, err := url.Parse(a.Params.Get("redirect_uri"))
		if err == nil && redirect.Scheme == "http" && isLoopback(redirect.Hostname()) && answers(ctx, redirect.Host) {
			met.Store(true)
			for _, address := range otherAddresses() {
				if at := net.JoinHostPort(address, redirect.Port()); answers(ctx, at) {
					open.Store(&at)
				}
			}
		}
		return []lab.Answer{a.Right()}
	}})
	switch {
	case err != nil:
		return err
	case !met.Load():
		return &check.NotApplicable{Reason: "the client has no listener on loopback"}
	case open.Load() != nil:
		return l.Insecure(
			"nobody at the port of the redirect URI but on its loopback address",
			"a listener at "+*open.Load(),
		)
	}
	return nil
}

func answers(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	connection, err := loopback.Dial(ctx, "tcp", address)
	if err == nil {
		_ = connection.Close()
	}
	return err == nil
}

// otherAddresses are those of this machine that no redirect URI names: one of loopback that nobody
// uses, which a listener on every address has as well, and those of its networks.
func otherAddresses() []string {
	all := []string{"127.0.0.2"}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return all
	}
	for _, one := range addresses {
		if network, is := one.(*net.IPNet); is && network.IP.IsGlobalUnicast() {
			all = append(all, network.IP.String())
		}
	}
	return all
}

// guessable wants the redirect URI to be on loopback, where other programs and pages reach it.
func guessable(l *lab.Lab) error {
	for _, one := range l.Authorizations(l.Authority()) {
		if redirect, err := url.Parse(one.Query.Get("redirect_uri")); err != nil || redirect.Scheme != "http" ||
			!isLoopback(redirect.Hostname()) {
			return &check.NotApplicable{Reason: "the client has no listener on loopback"}
		}
	}
	return nil
}

// after is the right answer behind a number of others.
func after(name string, n int, stray lab.Answer) variant {
	return variant{name, lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		return append(slices.Repeat([]lab.Answer{stray}, n), a.Right())
	}}}
}
