package checks

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// answerEchoChecks returns the check of server/answer about parts of tokens in answers.
func answerEchoChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/answer/token-parts",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 section 7.1; RFC 6750 section 5.3",
				Sentence: "No answer repeats a part of a token, in a header or in the body, whatever is " +
					"wrong with the token.",
				Covers: []string{"RS-083"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(answerTokenParts),
		},
	}
}

// A tokenEcho is a request whose answer must not repeat parts of a token.
type tokenEcho struct {
	name    string
	request bench.Request
	// secrets are texts that no answer has by itself.
	secrets []echoSecret
}

// An echoSecret is a part of a token. The level and the severity are for an answer that repeats it
// in a header. In the body the level of a bad token is Policy.
type echoSecret struct {
	name, text string
	level      check.Level
	severity   check.Severity
}

// answerTokenParts sends tokens of many shapes, and looks for parts of them in the answers.
func answerTokenParts(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	attempts := slices.Concat(
		textEchoes(),
		genuineEchoes(ctx, p, trial),
		forgedEchoes(ctx, p, trial),
	)
	return inputs.TryAll(attempts, func(attempt tokenEcho) error {
		answer, err := p.Send(ctx, attempt.request)
		if err != nil {
			return err
		}
		for _, secret := range attempt.secrets {
			if err := wantNoEcho(p, attempt.name, secret, answer); err != nil {
				return err
			}
		}
		return nil
	})
}

// wantNoEcho wants an answer without parts of a secret.
func wantNoEcho(p *bench.Probe, name string, secret echoSecret, answer *bench.Answer) error {
	echo := attack.FindEcho(answer, secret.text)
	if echo == nil {
		return nil
	}
	for header, values := range answer.Header {
		if echo.Place == "the header "+header {
			p.Hide(values...) // the report must not repeat it either
		}
	}
	found := p.Insecure(
		fmt.Sprintf("nothing of %s in the answer: %s", secret.name, name),
		fmt.Sprintf("a part of it in %s, written %s", echo.Place, echo.Form),
	)
	if !echo.Header && secret.level == check.Should {
		return atLevel(found, check.Policy, check.Low)
	}
	return atLevel(found, secret.level, secret.severity)
}

// longWord returns a word that no answer has by itself.
func longWord() string { return rand.Text() + rand.Text() }

// badToken is the secret of a token that is bad in itself.
func badToken(text string) []echoSecret {
	return []echoSecret{{"a bad token", text, check.Should, check.Medium}}
}

// textEchoes returns requests with texts that are not JWTs, in each place where a client could put
// a token.
func textEchoes() []tokenEcho {
	header := func(name, value string) bench.Request {
		return bench.Request{Header: http.Header{name: {value}}}
	}
	var attempts []tokenEcho
	add := func(name string, make func(token string) bench.Request) {
		token := longWord()
		attempts = append(attempts, tokenEcho{name, make(token), badToken(token)})
	}
	add("an opaque token", func(token string) bench.Request { return header("Authorization", "Bearer "+token) })
	add("a token and more", func(token string) bench.Request { return header("Authorization", "Bearer "+token+" x") })
	add("a token with quotes", func(token string) bench.Request {
		return header("Authorization", `Bearer "`+token+`"`)
	})
	add("a token of three parts", func(token string) bench.Request {
		return header("Authorization", "Bearer "+token+".x.y")
	})
	add("another scheme", func(token string) bench.Request { return header("Authorization", "DPoP "+token) })
	add("no scheme", func(token string) bench.Request { return header("Authorization", token) })
	add("a password", func(token string) bench.Request {
		return header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("user:"+token)))
	})
	add("a token in a cookie", func(token string) bench.Request { return header("Cookie", "access_token="+token) })
	add("a token in X-Api-Key", func(token string) bench.Request { return header("X-Api-Key", token) })
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		add("a token in the query of a "+method, func(token string) bench.Request {
			return bench.Request{Method: method, Query: url.Values{"access_token": {token}}}
		})
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut, http.MethodOptions, "TRACE"} {
		add("a "+method+" with an opaque token", func(token string) bench.Request {
			return bench.Request{Method: method, Header: bench.Bearer(token)}
		})
	}
	return attempts
}

// genuineEchoes returns requests with tokens of the issuer. Only signatures count: a session ID of
// the same issuer may be a JWT that begins like the token.
func genuineEchoes(ctx context.Context, p *bench.Probe, trial *bench.Trial) []tokenEcho {
	good := echoSecret{"the good token", signatureOf(trial.Token), check.Must, check.High}
	attempts := []tokenEcho{
		{
			"a good token in the first message",
			bench.Request{Header: bench.Bearer(trial.Token)},
			[]echoSecret{good},
		},
		{
			"a good token in a call",
			attack.WithToken(trial.Token, trial.Request()),
			[]echoSecret{good},
		},
		{
			"a good token in a list of tools",
			attack.WithToken(trial.Token, trial.Session.Message("tools/list", nil)),
			[]echoSecret{good},
		},
		{
			"a good token with a message that is not JSON",
			bench.Request{Header: jsonHeader(trial.Token), Body: []byte("{")},
			[]echoSecret{good},
		},
	}
	for _, kind := range []bench.TokenKind{bench.Expired, bench.ForeignAudience, bench.WithoutScope} {
		token, err := p.Token(ctx, kind)
		if err != nil {
			continue // the target does not supply the kind
		}
		attempts = append(attempts, tokenEcho{
			"a token of the kind: " + string(kind),
			bench.Request{Header: bench.Bearer(token)},
			[]echoSecret{{"the token", signatureOf(token), check.Should, check.Medium}},
		})
	}
	return attempts
}

func jsonHeader(token string) http.Header {
	header := bench.Bearer(token)
	header.Set("Content-Type", "application/json")
	return header
}

// signatureOf returns the part of a token that makes it work: the signature of a JWT, or all of an
// opaque token.
func signatureOf(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }

// forgedEchoes returns requests with JWTs whose claims are texts that no answer has by itself. An
// unknown key signs them, and the issuer's key too if the target has it.
func forgedEchoes(ctx context.Context, p *bench.Probe, trial *bench.Trial) []tokenEcho {
	jwt, err := attack.ParseJWT(trial.Token)
	if err != nil {
		return nil
	}
	key := attack.NewSigningKey(attack.Text(jwt.Header, "alg"))
	past := map[string]any{"exp": time.Now().Add(-time.Hour).Unix(), "iat": time.Now().Add(-2 * time.Hour).Unix()}
	foreign := map[string]any{"aud": "https://other.example/mcp"}
	var attempts []tokenEcho
	for _, flaw := range []struct {
		name   string
		claims map[string]any
		key    any
	}{
		{"a JWT by an unknown key", nil, key},
		{"an expired JWT by an unknown key", past, key},
		{"a JWT of another issuer", map[string]any{"iss": "https://other.example"}, key},
		{"an expired JWT", past, nil},
		{"a JWT for another resource", foreign, nil},
	} {
		words := claimWords()
		claims := attack.Both(attack.Members(words.claims), attack.Members(flaw.claims))
		// The first member of the header differs in each token, so that its beginning is not known.
		header := attack.Member("0", longWord())
		token := jwt.Forge(key, header, claims)
		if flaw.key == nil {
			token, err = p.Mint(ctx, bench.Edits{Header: header, Claims: claims})
			if err != nil {
				continue // the target has no key
			}
		}
		secrets := append(badToken(token), words.secrets...)
		attempts = append(attempts, tokenEcho{flaw.name, bench.Request{Header: bench.Bearer(token)}, secrets})
	}
	return attempts
}

// claimSecrets are claims with texts that no answer has by itself.
type claimSecrets struct {
	claims  map[string]any
	secrets []echoSecret
}

// claimWords makes claims about a person. Other claims, such as the audience, are often part of an
// error's text.
func claimWords() claimSecrets {
	words := claimSecrets{claims: map[string]any{}}
	for _, name := range []string{"sub", "jti", "email", "name", "preferred_username", "upn", "oid", "sid"} {
		words.claims[name] = longWord()
	}
	for _, name := range slices.Sorted(maps.Keys(words.claims)) {
		text, _ := words.claims[name].(string)
		words.secrets = append(words.secrets, echoSecret{"the claim " + name, text, check.Policy, check.Low})
	}
	return words
}
