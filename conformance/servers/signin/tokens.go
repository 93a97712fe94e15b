package signin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/servers/internal/bench"
)

const (
	// defaultOther is a resource that no MCP server has.
	defaultOther = "https://other.example/mcp"
	// shortLife is how long a token may be good so that a check can wait for its end.
	shortLife = 25 * time.Second
	// spare is how long a good token that is supplied should last at least.
	spare = 35 * time.Second
	// furtherTime bounds each authorization after the first.
	furtherTime = time.Minute
)

// A source supplies tokens of one kind.
type source = func(ctx context.Context) (string, error)

// Tokens takes a person through the sign-in, and makes tokens of as many kinds as the authorization
// server allows. The Good token comes first, and no other request of Tokens can end it. For the
// others Tokens sends the person, signed in already, to the authorization page again, up to four
// times, and uses the refresh token:
//
//   - Refreshed is another good token.
//   - RefreshToken and IDToken came with an access token.
//   - WithoutScope has none of the scopes in the server's challenge.
//   - ForeignAudience is for OtherResource. A token counts only if something shows that the
//     authorization server respects the parameter resource (RFC 8707).
//   - Revoked was revoked (RFC 7009).
//   - ShortLived and Expired exist only if access tokens are good for at most 25 seconds.
//
// An error means that the first sign-in failed. A refusal by the authorization server is a
// *Refused.
func (s *SignIn) Tokens(ctx context.Context) (map[bench.TokenKind]func(context.Context) (string, error), error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	f, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer f.callbacks.close()
	first, err := f.first(ctx)
	if err != nil {
		return nil, err
	}
	tokens := map[bench.TokenKind]source{bench.Good: first.good}
	if token := first.answer.RefreshToken; token != "" {
		tokens[bench.RefreshToken] = fixed(token)
	}
	second, err := f.further(ctx, f.all, f.resource)
	if err != nil || !isSamePerson(first, second) {
		return tokens, nil // the checks that need more tokens are skipped
	}
	second.addIssued(tokens)
	second.addShort(tokens)
	second.addWithoutScope(ctx, tokens)
	second.addForeignAudience(ctx, tokens)
	second.addRefreshed(ctx, tokens)
	f.addRevoked(ctx, tokens)
	return tokens, nil
}

func fixed(token string) source { return func(context.Context) (string, error) { return token, nil } }

// further sends the person to the authorization page once more, unless the server refuses the
// request at once.
func (f *flow) further(ctx context.Context, scopes []string, resource string) (*grant, error) {
	ctx, cancel := context.WithTimeout(ctx, furtherTime)
	defer cancel()
	if err := f.refusesAtOnce(ctx, scopes, resource); err != nil {
		return nil, err
	}
	return f.authorize(ctx, scopes, resource)
}

// isSamePerson reports whether two grants are of the same person. Opaque tokens do not say it, and
// count as the same.
func isSamePerson(first, second *grant) bool {
	one := claimsOf(first.answer.AccessToken)["sub"]
	other := claimsOf(second.answer.AccessToken)["sub"]
	return one == nil || other == nil || one == other
}

// good supplies the access token of a grant. If it ends before the caller's deadline, good
// refreshes it first. A token that is good for a while is supplied even if the refresh fails.
func (g *grant) good(ctx context.Context) (string, error) {
	needed := spare
	if deadline, has := ctx.Deadline(); has {
		needed = max(spare, time.Until(deadline))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.endsWithin(needed) || g.answer.RefreshToken == "" {
		return g.answer.AccessToken, nil
	}
	if _, err := g.refreshLocked(ctx, "", ""); err != nil && g.endsWithin(spare) {
		return "", err
	}
	return g.answer.AccessToken, nil
}

// endsWithin reports whether the access token ends within this time. In the first half of its life
// it does not.
func (g *grant) endsWithin(needed time.Duration) bool {
	lifetime := g.answer.lifetime()
	return lifetime > 0 && time.Until(g.issued.Add(lifetime)) < min(needed, lifetime/2)
}

// addIssued adds the tokens that came with the access token.
func (g *grant) addIssued(tokens map[bench.TokenKind]source) {
	if token := g.answer.IDToken; token != "" {
		tokens[bench.IDToken] = fixed(token)
	}
	if token := g.answer.RefreshToken; token != "" && tokens[bench.RefreshToken] == nil {
		tokens[bench.RefreshToken] = fixed(token)
	}
}

// addShort adds tokens that end soon.
func (g *grant) addShort(tokens map[bench.TokenKind]source) {
	lifetime := g.answer.lifetime()
	if lifetime == 0 || lifetime > shortLife {
		return
	}
	end := g.issued.Add(lifetime + time.Second)
	expired := g.answer.AccessToken
	tokens[bench.Expired] = func(ctx context.Context) (string, error) {
		select {
		case <-time.After(time.Until(end)):
			return expired, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	if g.answer.RefreshToken != "" {
		tokens[bench.ShortLived] = func(ctx context.Context) (string, error) {
			answer, err := g.refresh(ctx, "", "")
			if err != nil {
				return "", err
			}
			return answer.AccessToken, nil
		}
	}
}

// addRefreshed adds another good token. It comes from the refresh token if there is one.
func (g *grant) addRefreshed(ctx context.Context, tokens map[bench.TokenKind]source) {
	if _, err := g.refresh(ctx, "", ""); err != nil && g.answer.RefreshToken != "" {
		return // the answers to earlier requests may have ended the grant
	}
	tokens[bench.Refreshed] = g.good
}

// addWithoutScope adds a token without any of the scopes that the challenge names.
func (g *grant) addWithoutScope(ctx context.Context, tokens map[bench.TokenKind]source) {
	lacksNeeded := func(answer *tokenResponse) bool {
		has, known := answer.hasScope(g.flow.needed)
		return known && !has
	}
	others := slices.DeleteFunc(slices.Clone(g.flow.all), func(scope string) bool {
		return slices.Contains(g.flow.needed, scope)
	})
	if len(g.flow.needed) == 0 || len(others) == 0 {
		return
	}
	answer, err := g.refresh(ctx, "", strings.Join(others, " "))
	if err != nil || !lacksNeeded(answer) {
		asked, err := g.flow.further(ctx, others, g.flow.resource)
		if err != nil || !lacksNeeded(&asked.answer) {
			return
		}
		answer = &asked.answer
	}
	tokens[bench.WithoutScope] = fixed(answer.AccessToken)
}

// addForeignAudience adds a token for another resource.
func (g *grant) addForeignAudience(ctx context.Context, tokens map[bench.TokenKind]source) {
	other := g.flow.signIn.OtherResource
	if other == "" {
		other = defaultOther
	}
	answer, err := g.refresh(ctx, other, "")
	if err != nil || !g.isForOther(ctx, answer, other) {
		asked, err := g.flow.further(ctx, g.flow.scopes, other)
		if err != nil || !g.isForOther(ctx, &asked.answer, other) {
			return
		}
		answer = &asked.answer
	}
	tokens[bench.ForeignAudience] = fixed(answer.AccessToken)
}

// isForOther reports whether a token is for the other resource. A JWT says it. An opaque token says
// nothing, so the server must show that it reads the parameter: it must refuse a value that is not
// a URI (RFC 8707 section 2).
func (g *grant) isForOther(ctx context.Context, answer *tokenResponse, other string) bool {
	if claims := claimsOf(answer.AccessToken); claims != nil {
		return isFor(claims, other) && !isFor(claims, g.flow.resource) && !isFor(claims, g.flow.signIn.URL)
	}
	if g.flow.resource == "" {
		return false
	}
	err := g.flow.refusesAtOnce(ctx, g.flow.scopes, "not a URI#")
	return isRefusedTarget(err)
}

// addRevoked adds a token that was revoked. It has a grant of its own, because a server may revoke
// all tokens of a grant.
func (f *flow) addRevoked(ctx context.Context, tokens map[bench.TokenKind]source) {
	if f.issuer.Revocation == "" {
		return
	}
	g, err := f.further(ctx, f.scopes, f.resource)
	if err != nil {
		return
	}
	token := g.answer.AccessToken
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	request, err := f.formRequest(ctx, f.issuer.Revocation, form)
	if err != nil {
		return
	}
	status, _, err := f.signIn.do(request)
	if err == nil && status == http.StatusOK {
		tokens[bench.Revoked] = fixed(token)
	}
}
