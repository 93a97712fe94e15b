package checks

import (
	"context"
	"errors"
	"mime"
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
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/loopback"
)

// callbackChecks are checks of client/callback: the redirect URI and its listener (OAuth 2.1
// section 4.1.2; RFC 8252).
func callbackChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/callback/closed",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 8252 section 8.3",
				Sentence: "The listener at a loopback redirect URI is closed after the authorization " +
					"response has arrived.",
				Covers: []string{"CL-010"},
			},
			Needs: []bench.Need{bench.Connecting},
			Run:   callbackClosed,
		},
		{
			Rule: check.Rule{
				ID:        "client/callback/loopback",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "RFC 8252 section 8.3",
				Sentence:  "The listener at a loopback redirect URI listens on no other address of the machine.",
				Covers:    []string{"CL-010"},
			},
			Run: callbackLoopback,
		},
		{
			Rule: check.Rule{
				ID:        "client/callback/stray",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 8252 section 8.9; OAuth 2.1-13 section 7.9",
				Sentence:  "A request to another path than the redirect URI's is not an authorization response.",
				Covers:    []string{"CL-009"},
			},
			Run: atListener(
				firstRedeemed,
				variant{
					"a response at another path",
					lab.Script{Answers: strayPath},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/callback/host",
				Level:     check.Policy,
				Severity:  check.Low,
				Reference: "RFC 8252 section 8.9; CWE-350",
				Sentence: "A request for another host than the redirect URI's is not an authorization response. A " +
					"page can send one after DNS rebinding.",
				Covers: []string{"CL-009"},
			},
			Run: atListener(
				firstRedeemed,
				variant{"a response for a foreign host", lab.Script{Answers: foreignHost}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/callback/undisturbed",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 8252 section 8.9",
				Sentence: "A program that guesses the redirect URI's port cannot end the sign-in: after its " +
					"requests, the client still uses the right response.",
				Covers: []string{"CL-009"},
			},
			Run: stillWorks(lab.Script{}, wantListener,
				strayAnswers("a response of another sign-in", 1, lab.Answer{Params: otherSignIn}),
				strayAnswers("an error of another sign-in", 1, lab.Answer{Params: otherError}),
				strayAnswers("a request without a query", 1, lab.Answer{}),
				strayAnswers("a POST", 1, lab.Answer{Method: http.MethodPost, Params: otherSignIn}),
				strayAnswers("a query of a megabyte", 1, lab.Answer{Params: longState}),
				strayAnswers("fifty wrong responses", 50, lab.Answer{Params: otherSignIn}),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/callback/once",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 8252 section 8.9",
				Sentence:  "Of two authorization responses the client uses one.",
				Covers:    []string{"CL-009"},
			},
			Run: atListener(
				redeemedTwice,
				variant{"two right responses", lab.Script{Answers: rightTwice}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/callback/escaped",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "OWASP, Cross Site Scripting",
				Sentence:  "The page at the redirect URI shows nothing from the response that a browser would run.",
				Covers:    []string{"CL-011"},
			},
			Run: atListener(
				scriptShown,
				variant{"a script in the response", lab.Script{Answers: scriptAnswers}},
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

// Parameters of stray responses.
var (
	otherSignIn = url.Values{"code": {"another"}, "state": {"another"}}
	otherError  = url.Values{"error": {"access_denied"}, "state": {"another"}}
	longState   = url.Values{"state": {strings.Repeat("a", 1<<20)}}
)

// strayPath sends a right response to another path, and then one to the redirect URI.
func strayPath(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
	stray := a.Right()
	stray.Path = "/elsewhere"
	return []lab.Answer{stray, a.Right()}
}

// foreignHost sends a right response with a foreign Host, and then one to the redirect URI.
func foreignHost(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
	foreign := a.Right()
	foreign.Host = "client.example.com"
	return []lab.Answer{foreign, a.Right()}
}

// rightTwice sends two right responses with different codes.
func rightTwice(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
	return []lab.Answer{a.Right(), a.Right()}
}

// redeemedTwice reports that both codes were redeemed.
func redeemedTwice(l *lab.Lab) string {
	if len(l.Redeemed(l.Authority())) > 1 {
		return "both codes were redeemed"
	}
	return ""
}

// scriptShown reports a page that repeats the script from the response, so that a browser runs it.
func scriptShown(l *lab.Lab) string {
	runsScript := func(reply lab.Reply) bool {
		return strings.Contains(reply.Body, "<script>alert") && isActive(reply.Header)
	}
	if slices.ContainsFunc(l.Replies(), runsScript) {
		return "the page contains the script from the response"
	}
	return ""
}

// isActive reports whether a browser runs the inline scripts of a page with this header.
func isActive(header http.Header) bool {
	disposition, _, _ := mime.ParseMediaType(header.Get("Content-Disposition"))
	if disposition == "attachment" || forbidsInline(header.Values("Content-Security-Policy")) {
		return false
	}
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	isUnknown := err != nil || kind == "" || kind == "*/*" || kind == "unknown/unknown" ||
		kind == "application/unknown"
	if isUnknown { // Browsers then look for HTML in the page (WHATWG MIME Sniffing section 7).
		return !strings.EqualFold(header.Get("X-Content-Type-Options"), "nosniff")
	}
	return kind == "text/html" || kind == "application/xhtml+xml" || kind == "image/svg+xml"
}

// forbidsInline reports whether a content security policy forbids inline scripts. The first of its
// directives for scripts counts (CSP Level 3 section 6.8).
func forbidsInline(policies []string) bool {
	for policy := range strings.SplitSeq(strings.ToLower(strings.Join(policies, ",")), ",") {
		directives := map[string]string{}
		for directive := range strings.SplitSeq(policy, ";") {
			name, sources, _ := strings.Cut(strings.TrimSpace(directive), " ")
			directives[name] = sources
		}
		for _, name := range []string{"script-src-elem", "script-src", "default-src"} {
			sources, found := directives[name]
			if found && !strings.Contains(sources, "'unsafe-inline'") {
				return true
			}
			if found {
				break
			}
		}
	}
	return false
}

// scriptAnswers sends two responses with a script in them, and then the right response.
func scriptAnswers(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
	const script = "<script>alert(1)</script>"
	stray := url.Values{"error": {script}, "error_description": {script}, "state": {script}}
	failed := url.Values{"error": {script}, "error_description": {script}, "state": a.Params["state"]}
	return []lab.Answer{{Params: stray}, {Params: failed}, a.Right()}
}

// callbackSecret tries client/callback/secret.
func callbackSecret(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	l := runClient(ctx, p, lab.Script{Answers: rightTwice})
	holdsCode := func(reply lab.Reply) bool { return strings.Contains(reply.Body, "code-") }
	switch {
	case slices.ContainsFunc(l.Replies(), holdsCode):
		return l.Insecure("a page without the code", "one with it")
	case len(l.Replies()) == 0:
		return &check.NotApplicable{Reason: "the client has no page at its redirect URI"}
	}
	return nil
}

// callbackClosed tries client/callback/closed twice. Another program may get a port that the client
// has closed, but hardly two times.
func callbackClosed(ctx context.Context, p *bench.Probe) error {
	err := callbackClosedOnce(ctx, p)
	if mismatch := (*check.Mismatch)(nil); !errors.As(err, &mismatch) {
		return err
	}
	return callbackClosedOnce(ctx, p)
}

// callbackClosedOnce connects to the redirect URI during the tool call, when the sign-in is over.
func callbackClosedOnce(ctx context.Context, p *bench.Probe) error {
	var open atomic.Pointer[string]
	dial := func(l *lab.Lab, r *lab.Request, _ http.ResponseWriter, request *http.Request) bool {
		if !l.AtEndpoint(r) || r.Bearer() == "" {
			return false
		}
		open.Store(nil) // The last request counts.
		for _, sent := range l.Authorizations(l.Authority()) {
			redirect, ok := loopbackURL(sent.Query.Get("redirect_uri"))
			if ok && staysOpen(request.Context(), redirect.Host) {
				open.Store(&redirect.Host)
			}
		}
		return false
	}
	l, err := completeTask(ctx, p, lab.Script{Intercept: dial})
	switch {
	case err != nil:
		return err
	case open.Load() != nil:
		return l.Mismatch("no listener at the redirect URI after the sign-in", "a listener at "+*open.Load())
	}
	return nil
}

// callbackLoopback tries client/callback/loopback. While the client waits for the response, it
// connects to the port of the redirect URI on the machine's other addresses.
func callbackLoopback(ctx context.Context, p *bench.Probe) error {
	var found atomic.Bool
	var open atomic.Pointer[string]
	dial := func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		redirect, ok := loopbackURL(a.Params.Get("redirect_uri"))
		if ok && listens(ctx, redirect.Host) {
			found.Store(true)
			for _, address := range otherAddresses() {
				if at := net.JoinHostPort(address, redirect.Port()); listens(ctx, at) {
					open.Store(&at)
				}
			}
		}
		return []lab.Answer{a.Right()}
	}
	l, err := completeTask(ctx, p, lab.Script{Answers: dial})
	switch {
	case err != nil:
		return err
	case !found.Load():
		return errNoListener
	case open.Load() != nil:
		return l.Insecure(
			"a listener on the redirect URI's loopback address only",
			"a listener at "+*open.Load(),
		)
	}
	return nil
}

// closingTime is the time that a busy client gets to close its listener.
const closingTime = 2 * time.Second

// staysOpen reports whether an address takes connections until the end of closingTime.
func staysOpen(ctx context.Context, address string) bool {
	end := time.After(closingTime)
	again := time.NewTicker(closingTime / 20)
	defer again.Stop()
	for listens(ctx, address) {
		select {
		case <-again.C:
		case <-end:
			return true
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// listens reports whether a TCP connection to the address succeeds.
func listens(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	connection, err := loopback.Dial(ctx, "tcp", address)
	if err == nil {
		_ = connection.Close()
	}
	return err == nil
}

// otherAddresses returns addresses of this machine that no redirect URI names: an unused loopback
// address, which a listener on every address also serves, and the addresses of its networks.
func otherAddresses() []string {
	all := []string{"127.0.0.2"}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return all
	}
	for _, address := range addresses {
		if network, is := address.(*net.IPNet); is && network.IP.IsGlobalUnicast() {
			all = append(all, network.IP.String())
		}
	}
	return all
}

// errNoListener skips a client whose redirect URI no other program and no page can reach.
var errNoListener = &check.NotApplicable{Reason: "the client has no listener on loopback"}

// wantListener skips a client without a listener at its redirect URI.
func wantListener(l *lab.Lab) error {
	if authorized(l) && !l.HasListener() {
		return errNoListener
	}
	return nil
}

// atListener is noHarm for answers that only a listener at the redirect URI gets.
func atListener(harm func(l *lab.Lab) string, variants ...variant) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		if err := wantControl(ctx, p, lab.Script{}); err != nil {
			return err
		}
		return inputs.TryAll(variants, func(v variant) error {
			l := runClient(ctx, p, v.script)
			if done := harm(l); done != "" {
				return l.Insecure("no harm from "+v.name, done)
			}
			if !authorized(l) {
				return notReached(l, v.name)
			}
			return wantListener(l)
		})
	}
}

// loopbackURL parses an http URL on loopback.
func loopbackURL(text string) (*url.URL, bool) {
	parsed, err := url.Parse(text)
	return parsed, err == nil && parsed.Scheme == "http" && isLoopback(parsed.Hostname())
}

// strayAnswers returns a variant that sends n copies of a stray response before the right response.
func strayAnswers(name string, n int, stray lab.Answer) variant {
	send := func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
		return append(slices.Repeat([]lab.Answer{stray}, n), a.Right())
	}
	return variant{name, lab.Script{Answers: send}}
}
