package signin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// A tokenResponse is a successful answer of the token endpoint (RFC 6749 section 5.1).
type tokenResponse struct {
	AccessToken  string  `json:"access_token"`
	RefreshToken string  `json:"refresh_token"`
	IDToken      string  `json:"id_token"`
	ExpiresIn    float64 `json:"expires_in"` // seconds; 0 if it is unknown
	Scope        string  `json:"scope"`
}

// A grant is what one authorization gave the client. Its refresh token changes with each use.
type grant struct {
	flow   *flow
	scopes []string

	mu     sync.Mutex
	answer tokenResponse
	issued time.Time
}

// redeem redeems a code.
func (f *flow) redeem(ctx context.Context, form url.Values, scopes []string) (*grant, error) {
	g := &grant{flow: f, scopes: scopes, issued: time.Now()}
	return g, f.token(ctx, form, &g.answer)
}

// token sends a token request.
func (f *flow) token(ctx context.Context, form url.Values, into *tokenResponse) error {
	secrets := []string{form.Get("code"), form.Get("code_verifier"), form.Get("refresh_token"), f.client.ClientSecret}
	request, err := f.formRequest(ctx, f.issuer.Token, form)
	if err != nil {
		return err
	}
	if err := f.answer("token request", request, into, secrets...); err != nil {
		return err
	}
	if into.AccessToken == "" {
		return errors.New("sign-in: the answer to the token request has no access_token")
	}
	return nil
}

// formRequest returns an authenticated request of the client (OAuth 2.1 section 2.4).
func (f *flow) formRequest(ctx context.Context, endpoint string, form url.Values) (*http.Request, error) {
	inHeader := f.client.Endpoint.AuthStyle == oauth2.AuthStyleInHeader
	if !inHeader {
		form.Set("client_id", f.client.ClientID)
		if f.client.ClientSecret != "" {
			form.Set("client_secret", f.client.ClientSecret)
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("sign-in: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	if inHeader {
		request.SetBasicAuth(url.QueryEscape(f.client.ClientID), url.QueryEscape(f.client.ClientSecret))
	}
	return request, nil
}

// refresh uses the refresh token (RFC 6749 section 6). Empty parameters are not sent. The answer
// replaces the tokens of the grant only if it is for the same resource and scopes.
func (g *grant) refresh(ctx context.Context, resource, scope string) (*tokenResponse, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refreshLocked(ctx, resource, scope)
}

func (g *grant) refreshLocked(ctx context.Context, resource, scope string) (*tokenResponse, error) {
	if g.answer.RefreshToken == "" {
		return nil, errors.New("sign-in: the authorization server gave no refresh token")
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {g.answer.RefreshToken}}
	isSame := resource == "" && scope == ""
	if resource == "" {
		resource = g.flow.resource
	}
	if resource != "" {
		form.Set("resource", resource)
	}
	if scope != "" {
		form.Set("scope", scope)
	}
	answer := &tokenResponse{}
	issued := time.Now()
	if err := g.flow.token(ctx, form, answer); err != nil {
		return nil, err
	}
	if answer.RefreshToken != "" {
		g.answer.RefreshToken = answer.RefreshToken
	}
	if isSame {
		answer.RefreshToken = g.answer.RefreshToken
		g.answer = *answer
		g.issued = issued
	}
	return answer, nil
}

// lifetime returns how long the access token of an answer is good, or 0 if nothing says it.
func (r *tokenResponse) lifetime() time.Duration {
	if r.ExpiresIn > 0 {
		return time.Duration(r.ExpiresIn * float64(time.Second))
	}
	claims := claimsOf(r.AccessToken)
	expires, _ := claims["exp"].(float64)
	issued, _ := claims["iat"].(float64)
	if expires <= issued || issued == 0 {
		return 0
	}
	return time.Duration((expires - issued) * float64(time.Second))
}

// claimsOf returns the claims of a JWT, unverified, or nil for another token.
func claimsOf(token string) map[string]any {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var claims map[string]any
	_ = json.Unmarshal(text, &claims)
	return claims
}

// isFor reports whether the claims of a token name an audience.
func isFor(claims map[string]any, audience string) bool {
	switch named := claims["aud"].(type) {
	case string:
		return named == audience
	case []any:
		return slices.Contains(named, any(audience))
	}
	return false
}

// hasScope reports whether an answer or its token names one of some scopes. Known is false if
// neither names scopes.
func (r *tokenResponse) hasScope(scopes []string) (has, known bool) {
	granted := strings.Fields(r.Scope)
	claims := claimsOf(r.AccessToken)
	for _, name := range []string{"scope", "scp"} {
		switch claim := claims[name].(type) {
		case string:
			granted = append(granted, strings.Fields(claim)...)
		case []any:
			for _, one := range claim {
				granted = append(granted, fmt.Sprint(one))
			}
		}
	}
	has = slices.ContainsFunc(scopes, func(scope string) bool { return slices.Contains(granted, scope) })
	return has, len(granted) > 0
}
