package checks

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"mcpentra/conformance/engine"
)

// answer: what is kept of tokens and answers, by the server and by what stands in between.
func answer() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/answer/not-cacheable", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: good, Covers: []string{"RS-085"},
			Reference: "RFC 9111 section 3.5; WHATWG Fetch, CORS protocol",
			Sentence:  "An answer to one caller is not marked for the caches of others, and not opened to any page that brings cookies.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				request := trial.Request()
				request.Header.Set("Authorization", "Bearer "+trial.Token)
				answer, err := p.Send(ctx, request)
				if err != nil {
					return err
				}
				control := strings.ToLower(strings.Join(answer.Header.Values("Cache-Control"), ", "))
				switch {
				case shared.MatchString(control):
					return p.Insecure("an answer that no shared cache keeps", "Cache-Control: "+control)
				case answer.Header.Get("Access-Control-Allow-Credentials") == "true":
					return p.Lesser(engine.Policy, "no Access-Control-Allow-Credentials", "true")
				case !strings.Contains(control, "no-store") && !strings.Contains(control, "private"):
					return p.Lesser(engine.Policy, "Cache-Control: no-store", fmt.Sprintf("%q", control))
				}
				return nil
			},
		},
		{
			ID: "server/answer/keeps-tokens-to-itself", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good,
			Covers:    []string{"RS-083", "server-secure-token-storage", "server-log-no-credentials"},
			Reference: "OAuth 2.1 section 7.1; MCP logging, Security",
			Sentence:  "A token, good or bad, is repeated neither in an answer nor in the server's log.",
			Run:       keepsTokens,
		},
		{
			ID: "server/token/no-mixed-up-cache", Role: engine.Server, Level: engine.Must, Severity: engine.Critical, Needs: good, NeedsMint: true, Covers: []string{"RS-075"},
			Reference: "OAuth 2.1 section 5.2; RFC 8725 section 3.2",
			Sentence:  "That a token was good before makes no other token good that looks like it.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				if err := mintIsGood(ctx, p, trial); err != nil {
					return err
				}
				fresh, err := p.Mint(ctx, engine.Edits{Claims: func(c map[string]any) { c["jti"] = rand.Text() }})
				if err != nil {
					return err
				}
				another, err := p.Mint(ctx, engine.Edits{Claims: func(c map[string]any) { c["aud"] = "https://other.example/mcp" }})
				if err != nil {
					return err
				}
				cut, otherCut := strings.LastIndexByte(fresh, '.'), strings.LastIndexByte(another, '.')
				if cut < 0 || otherCut < 0 {
					return &engine.NotApplicable{Reason: "the tokens are no JWTs"}
				}
				tampered := tamper(fresh)
				alike := map[string]string{
					"another signature": tampered, "the signature of another token": fresh[:cut] + another[otherCut:], "no signature": fresh[:cut+1],
					"the signature cut short": fresh[:len(fresh)-8], "the signature and more": fresh + "AAAA", "the payload under another's head": another[:otherCut] + fresh[cut:],
				}
				send := func(token string) (*engine.Answer, error) {
					request := trial.Request()
					request.Header.Set("Authorization", "Bearer "+token)
					return p.Send(ctx, request)
				}
				// Those that are good in any case are another check's affair.
				for name, token := range alike {
					answer, err := send(token)
					if err != nil {
						return err
					}
					if answer.Status != http.StatusUnauthorized {
						delete(alike, name)
					}
				}
				for range 8 { // enough to be remembered
					if _, err := send(fresh); err != nil {
						return err
					}
				}
				for name, token := range alike {
					answer, err := send(token)
					if err != nil {
						return err
					}
					if answer.Status != http.StatusUnauthorized {
						return p.Insecure("status 401 as before the good token came: "+name, fmt.Sprintf("status %d", answer.Status))
					}
				}
				return nil
			},
		},
	}
}

// shared says that others may keep an answer (RFC 9111 section 5.2.2).
var shared = regexp.MustCompile(`(^|[ ,])(public|s-maxage=)`)

func keepsTokens(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	tampered := tamper(trial.Token)
	const canary = "canary-that-is-not-a-token-kzqx"
	for name, change := range map[string]func(*engine.Request, string){
		"a good token":          authorization(func(good string) string { return "Bearer " + good }),
		"a bad signature":       authorization(func(string) string { return "Bearer " + tampered }),
		"no token":              authorization(func(string) string { return "Bearer " + canary }),
		"malformed credentials": authorization(func(string) string { return "Bearer " + canary + ", Bearer " + canary }),
		"another scheme":        authorization(func(string) string { return "Basic " + canary }),
	} {
		request := trial.Request()
		change(&request, trial.Token)
		answer, err := p.Send(ctx, request)
		if err != nil {
			return err
		}
		for _, secret := range []string{trial.Token, tampered, canary} {
			if strings.Contains(string(answer.Body), secret) || strings.Contains(fmt.Sprint(http.Header(answer.Header)), secret) {
				return p.Insecure("nothing of the credentials in the answer: "+name, "the credentials")
			}
		}
	}
	log := p.Log()
	for what, secret := range map[string]string{"the good token": trial.Token, "a bad token": tampered, "bad credentials": canary} {
		// The signature is what makes a token worth stealing.
		if strings.Contains(log, secret) || strings.Contains(log, secret[strings.LastIndexByte(secret, '.')+1:]) {
			return p.Insecure("nothing of "+what+" in the log", "it")
		}
	}
	return nil
}
