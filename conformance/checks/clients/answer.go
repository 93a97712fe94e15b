package clients

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mcpentra/conformance/engine"
	"mcpentra/conformance/lab"
)

// clientAnswer: what a client makes of the answer to an authorization request (OAuth 2.1 section 4.1.2; RFC 9207).
func clientAnswer() []engine.Check {
	const issTable = "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation"
	return []engine.Check{
		{
			ID: "client/state/verified", Role: engine.Client, Level: engine.Should, Severity: engine.Critical,
			Reference: "OAuth 2.1-13 sections 2.3.3 and 7.9; MCP 2025-06-18 authorization, Open Redirection",
			Sentence:  "An answer without the state of the request, or with another one, is not used.",
			Covers:    []string{"client-state-verified", "CL-009"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				l, err := control(ctx, p, lab.Script{})
				if err != nil {
					return err
				}
				for _, one := range l.Authorizations(l.Authority()) {
					if !one.Query.Has("state") {
						return &engine.NotApplicable{Reason: "the client sends no state"}
					}
				}
				old := l.Authorizations(l.Authority())[0].Query.Get("state")
				return spared(lab.Script{}, authorized, firstRedeemed, earlier("a changed state", "state", "another"), earlier("no state", "state", ""), earlier("the state of an older sign-in", "state", old))(ctx, p)
			},
		},
		{
			ID: "client/callback/closed", Role: engine.Client, Level: engine.Policy, Severity: engine.Medium,
			Reference: "RFC 8252 section 8.3",
			Sentence:  "The listener at a redirect URI on loopback is closed when the answer has come.",
			Covers:    []string{"CL-010"},
			RunClient: closedAfter,
		},
		{
			ID: "client/callback/loopback", Role: engine.Client, Level: engine.Should, Severity: engine.High,
			Reference: "RFC 8252 section 8.3",
			Sentence:  "The listener at a redirect URI on loopback is on no other address of the machine.",
			Covers:    []string{"CL-010"},
			RunClient: onLoopbackAlone,
		},
		{
			ID: "client/callback/stray", Role: engine.Client, Level: engine.Policy, Severity: engine.Medium,
			Reference: "RFC 8252 section 8.9; OAuth 2.1-13 section 7.9",
			Sentence:  "What comes to another path than that of the redirect URI is not an answer.",
			Covers:    []string{"CL-009"},
			RunClient: spared(lab.Script{}, authorized, firstRedeemed, variant{"an answer at another path", lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
				stray := a.Right()
				stray.Path = "/elsewhere"
				return []lab.Answer{stray, a.Right()}
			}}}),
		},
		{
			ID: "client/callback/undisturbed", Role: engine.Client, Level: engine.Policy, Severity: engine.Medium,
			Reference: "RFC 8252 section 8.9",
			Sentence:  "Who guesses the redirect URI's port cannot end the sign-in: after requests that are no answer, the right one is used.",
			Covers:    []string{"CL-009"},
			RunClient: works(lab.Script{}, guessable,
				after("an answer of somebody else's sign-in", 1, lab.Answer{Params: url.Values{"code": {"another"}, "state": {"another"}}}),
				after("an error of somebody else's sign-in", 1, lab.Answer{Params: url.Values{"error": {"access_denied"}, "state": {"another"}}}),
				after("a request without a query", 1, lab.Answer{}),
				after("a POST", 1, lab.Answer{Method: http.MethodPost, Params: url.Values{"code": {"another"}, "state": {"another"}}}),
				after("a query of a megabyte", 1, lab.Answer{Params: url.Values{"state": {strings.Repeat("a", 1<<20)}}}),
				after("fifty wrong answers", 50, lab.Answer{Params: url.Values{"code": {"another"}, "state": {"another"}}}),
			),
		},
		{
			ID: "client/callback/once", Role: engine.Client, Level: engine.Policy, Severity: engine.Medium,
			Reference: "RFC 8252 section 8.9",
			Sentence:  "Of two answers one is used.",
			Covers:    []string{"CL-009"},
			RunClient: spared(lab.Script{}, authorized, func(l *lab.Lab) string {
				if got := l.Redeemed(l.Authority()); len(got) > 1 {
					return "both codes were redeemed"
				}
				return ""
			}, variant{"two right answers", lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer { return []lab.Answer{a.Right(), a.Right()} }}}),
		},
		{
			ID: "client/answer/repeated", Role: engine.Client, Level: engine.Policy, Severity: engine.Low,
			Reference: "OAuth 2.1-13 section 3.1; RFC 9207 section 2.4",
			Sentence:  "An answer with two states or two codes is not used: nobody knows which one counts.",
			Covers:    []string{"CL-008", "CL-009"},
			RunClient: spared(lab.Script{}, authorized, firstRedeemed, twice("state"), twice("code"), twice("iss")),
		},
		{
			ID: "client/callback/escaped", Role: engine.Client, Level: engine.Policy, Severity: engine.High,
			Reference: "OWASP, Cross Site Scripting",
			Sentence:  "The page at the redirect URI shows nothing of the answer that a browser would run.",
			Covers:    []string{"CL-011"},
			RunClient: spared(lab.Script{}, authorized, func(l *lab.Lab) string {
				if slices.ContainsFunc(l.Replies(), func(reply string) bool { return strings.Contains(reply, "<script>alert") }) {
					return "the page has the script of the answer in it"
				}
				return ""
			}, variant{"a script in the answer", lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
				const script = "<script>alert(1)</script>"
				return []lab.Answer{
					{Params: url.Values{"error": {script}, "error_description": {script}, "state": {script}}},
					{Params: url.Values{"error": {script}, "error_description": {script}, "state": {a.Params.Get("state")}}}, a.Right(),
				}
			}}}),
		},
		{
			ID: "client/callback/secret", Role: engine.Client, Level: engine.Policy, Severity: engine.Low,
			Reference: "OAuth 2.1-13 section 7.5; RFC 9700 section 4.3",
			Sentence:  "The page at the redirect URI does not repeat the code.",
			Covers:    []string{"CL-011"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				if _, err := control(ctx, p, lab.Script{}); err != nil {
					return err
				}
				l := try(ctx, p, lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer { return []lab.Answer{a.Right(), a.Right()} }})
				switch {
				case slices.ContainsFunc(l.Replies(), func(reply string) bool { return strings.Contains(reply, "code-") }):
					return l.Insecure("a page without the code", "one with it")
				case len(l.Replies()) == 0:
					return &engine.NotApplicable{Reason: "the client has no page at its redirect URI"}
				}
				return nil
			},
		},
		{
			ID: "client/iss/accepted", Role: engine.Client, Level: engine.Must, Revisions: since20260728, Reference: issTable,
			Sentence: "An answer goes on whose iss is that of the authorization server, announced or not, and one without iss where none is announced.",
			Covers:   []string{"client-iss-match-accepted", "client-iss-unadvertised-compared", "client-iss-absent-accepted"},
			RunClient: works(lab.Script{}, nil,
				variant{"a right iss that was not announced", lab.Script{Metadata: announcing(false)}},
				variant{"no iss, and none announced", lab.Script{Metadata: announcing(false), Answers: without("iss")}},
				variant{"a right iss that has to be encoded", lab.Script{IssuerPath: "/tenant+1"}}),
		},
		{
			ID: "client/iss/foreign", Role: engine.Client, Level: engine.Must, Revisions: since20260728, Severity: engine.Critical, Reference: issTable,
			Sentence:  "An answer with another iss than that of the authorization server is not used.",
			Covers:    []string{"client-iss-mismatch-rejected", "client-iss-recorded", "CL-008"},
			RunClient: spared(lab.Script{}, authorized, firstRedeemed, earlier("a foreign iss", "iss", "https://login.example.com")),
		},
		{
			ID: "client/iss/missing", Role: engine.Client, Level: engine.Must, Revisions: since20260728, Severity: engine.High, Reference: issTable,
			Sentence:  "An answer without iss is not used where the authorization server has announced one.",
			Covers:    []string{"client-iss-missing-rejected", "CL-008"},
			RunClient: spared(lab.Script{}, authorized, firstRedeemed, earlier("no iss", "iss", "")),
		},
		{
			ID: "client/iss/unannounced", Role: engine.Client, Level: engine.Must, Revisions: since20260728, Severity: engine.High, Reference: issTable,
			Sentence:  "An iss that was not announced is compared all the same.",
			Covers:    []string{"client-iss-unadvertised-compared", "CL-008"},
			RunClient: spared(lab.Script{}, authorized, firstRedeemed, variant{"a foreign iss that was not announced", lab.Script{Metadata: announcing(false), Answers: with("iss", "https://login.example.com")}}),
		},
		{
			ID: "client/iss/identical", Role: engine.Client, Level: engine.Must, Revisions: since20260728, Severity: engine.Medium, Reference: issTable,
			Sentence: "The iss is compared character by character.",
			Covers:   []string{"client-iss-no-normalization", "CL-008"},
			RunClient: spared(lab.Script{}, authorized, firstRedeemed,
				altered("a slash at the end", func(iss string) string { return iss + "/" }),
				altered("another case", func(iss string) string { return strings.ToUpper(iss[:4]) + iss[4:] }),
				altered("a letter in percent-encoding", func(iss string) string { return strings.Replace(iss, "tenant", "%74enant", 1) })),
		},
		{
			ID: "client/iss/error", Role: engine.Client, Level: engine.Must, Revisions: since20260728, Severity: engine.Medium, Reference: issTable,
			Sentence: "What an answer with a foreign iss says of an error is not shown.",
			Covers:   []string{"client-iss-error-response", "CL-008"},
			RunClient: spared(lab.Script{}, authorized, func(l *lab.Lab) string {
				if strings.Contains(l.Output(), "canary-of-a-foreign-error") {
					return "the user was shown the foreign description"
				}
				return ""
			}, variant{"an error of a foreign issuer", lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
				return []lab.Answer{{Params: url.Values{
					"error": {"access_denied"}, "error_description": {"canary-of-a-foreign-error"}, "state": {a.Params.Get("state")}, "iss": {"https://login.example.com"},
				}}, a.Right()}
			}}}),
		},
		{
			ID: "client/flow/mixed-up", Role: engine.Client, Level: engine.Must, Severity: engine.Critical, Abilities: []engine.Ability{engine.KeepsState},
			Reference: "RFC 9700 section 4.4; MCP 2026-07-28 authorization, Authorization Response Validation",
			Sentence:  "With two sign-ins under way at once each code goes to the authorization server that it came from.",
			Covers:    []string{"client-code-to-same-issuer", "client-iss-recorded", "CL-012"},
			RunClient: mixedUp,
		},
	}
}

// closedAfter calls at the redirect URI while the tool is called: the sign-in has ended by then.
func closedAfter(ctx context.Context, p *engine.ClientProbe) error {
	var open atomic.Pointer[string]
	l, err := control(ctx, p, lab.Script{Intercept: func(l *lab.Lab, r *lab.Request, _ http.ResponseWriter, request *http.Request) bool {
		if r.RPC != "tools/call" || r.Bearer() == "" {
			return false
		}
		for _, one := range l.Authorizations(l.Authority()) {
			redirect, err := url.Parse(one.Query.Get("redirect_uri"))
			if err != nil || redirect.Scheme != "http" || !loopback(redirect.Hostname()) {
				continue
			}
			if answers(request.Context(), redirect.Host) {
				open.Store(&redirect.Host)
			}
		}
		return false
	}})
	switch {
	case err != nil:
		return err
	case open.Load() != nil:
		return l.Mismatch("nobody at the redirect URI once there is a token", "a listener at "+*open.Load())
	}
	return nil
}

// onLoopbackAlone calls at the port of the redirect URI while the answer is waited for, on addresses that are not its own.
func onLoopbackAlone(ctx context.Context, p *engine.ClientProbe) error {
	var met atomic.Bool
	var open atomic.Pointer[string]
	l, err := control(ctx, p, lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		redirect, err := url.Parse(a.Params.Get("redirect_uri"))
		if err == nil && redirect.Scheme == "http" && loopback(redirect.Hostname()) && answers(ctx, redirect.Host) {
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
		return &engine.NotApplicable{Reason: "the client has no listener on loopback"}
	case open.Load() != nil:
		return l.Insecure("nobody at the port of the redirect URI but on its loopback address", "a listener at "+*open.Load())
	}
	return nil
}

func answers(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	connection, err := engine.Dial(ctx, "tcp", address)
	if err == nil {
		_ = connection.Close()
	}
	return err == nil
}

// otherAddresses are those of this machine that no redirect URI names: one of loopback that nobody uses, which a listener on every address has as well, and those of its networks.
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

// mixedUp has two sign-ins under way at once: neither is answered before both have begun.
func mixedUp(ctx context.Context, p *engine.ClientProbe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	begun := make(chan struct{}, 2)
	both := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(both)
		for range 2 {
			select {
			case <-begun:
			case <-ctx.Done():
				return
			}
		}
	}()
	script := lab.Script{Revision: p.Revision, Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		select {
		case begun <- struct{}{}:
		default:
		}
		select {
		case <-both:
		case <-ctx.Done():
		}
		return []lab.Answer{a.Right()}
	}}
	labs := []*lab.Lab{lab.New(script), lab.New(script)}
	ended := make(chan struct{})
	for _, l := range labs {
		defer l.Close()
		go func() { l.Run(ctx, p); ended <- struct{}{} }()
	}
	<-ended
	select {
	case <-both: // The other one gets to its end as well: it may be the one that goes astray.
	default:
		cancel() // A client that signs in one after the other never has two under way: the first to end lets the other go on.
	}
	<-ended
	for i, l := range labs {
		foreign := l.Find(func(r *lab.Request) bool { return strings.HasPrefix(r.Form.Get("code"), "code-") && r.Status >= 400 })
		if len(foreign) > 0 {
			return l.Insecure("the codes of each authorization server to come back to it", fmt.Sprintf("a code of server %d came to server %d", 2-i, 1+i))
		}
	}
	return nil
}

// earlier is a variant where an answer with something wrong comes before the right one. A client that takes neither is as good as one that waits on.
func earlier(name, parameter, value string) variant {
	return variant{"an answer with " + name, lab.Script{Answers: with(parameter, value)}}
}

// with has an answer with a parameter changed, or taken away, come before the right one.
func with(parameter, value string) func(*lab.Lab, *lab.Authorization) []lab.Answer {
	return func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		return []lab.Answer{a.With(parameter, value), a.Right()}
	}
}

func altered(name string, change func(iss string) string) variant {
	return variant{"an iss with " + name, lab.Script{IssuerPath: "/tenant1", Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		return []lab.Answer{a.With("iss", change(a.Issuer)), a.Right()}
	}}}
}

// twice is a variant where an answer has a parameter twice, the right one first.
func twice(parameter string) variant {
	return variant{"an answer with " + parameter + " twice", lab.Script{Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		odd := a.Right()
		if !odd.Params.Has(parameter) {
			odd.Params.Set(parameter, a.Issuer)
		}
		odd.Params.Add(parameter, "another")
		return []lab.Answer{odd, a.Right()}
	}}}
}

func announcing(yes bool) func(*lab.Lab, lab.Party, string, map[string]any) {
	return func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
		if document["authorization_response_iss_parameter_supported"] = yes; !yes {
			delete(document, "authorization_response_iss_parameter_supported")
		}
	}
}

func without(parameter string) func(*lab.Lab, *lab.Authorization) []lab.Answer {
	return func(_ *lab.Lab, a *lab.Authorization) []lab.Answer { return []lab.Answer{a.With(parameter, "")} }
}

// guessable wants the redirect URI to be on loopback, where other programs and pages reach it.
func guessable(l *lab.Lab) error {
	for _, one := range l.Authorizations(l.Authority()) {
		if redirect, err := url.Parse(one.Query.Get("redirect_uri")); err != nil || redirect.Scheme != "http" || !loopback(redirect.Hostname()) {
			return &engine.NotApplicable{Reason: "the client has no listener on loopback"}
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

// firstRedeemed is the harm of using the first of the answers, which is the wrong one.
func firstRedeemed(l *lab.Lab) string {
	if slices.Contains(l.Redeemed(l.Authority()), 0) {
		return "the code of the wrong answer was redeemed"
	}
	return ""
}
