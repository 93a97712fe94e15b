package broken

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mcpentra/conformance/issuers/internal/bench"
)

// thirdPartyTokens are the tokens that the third party gives for a code or a refresh token.
type thirdPartyTokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
	ID      string `json:"id_token"`
}

const (
	thirdPartyTimeout = 5 * time.Second
	longHeadTimeout   = 10 * time.Second // until the head of an endless answer
	maxThirdParty     = 1 << 20          // bytes of an answer
)

// readMetadata reads the third party's metadata.
func (s *Issuer) readMetadata() (*bench.Metadata, error) {
	text, err := s.fetch(http.NewRequest(http.MethodGet, s.elsewhere.issuer+"/.well-known/openid-configuration", nil))
	if err != nil {
		return nil, err
	}
	metadata := &bench.Metadata{}
	if err := json.Unmarshal(text, metadata); err != nil {
		return nil, err
	}
	if metadata.Issuer != s.elsewhere.issuer && !s.has(UsesAnyMetadata) {
		return nil, fmt.Errorf("want metadata of %s, got metadata of %s", s.elsewhere.issuer, metadata.Issuer)
	}
	return metadata, nil
}

// fetch sends a request to the third party, and reads the answer.
func (s *Issuer) fetch(request *http.Request, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: s.server.Client().Transport, Timeout: thirdPartyTimeout}
	if s.has(WaitsForThirdParty) {
		client.Timeout = 0
	}
	if s.has(ReadsEndlessTokens) {
		slow := s.server.Client().Transport.(*http.Transport).Clone()
		slow.ResponseHeaderTimeout = longHeadTimeout
		defer slow.CloseIdleConnections()
		client = http.Client{Transport: slow}
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	most := int64(maxThirdParty)
	if s.has(ReadsEndlessTokens) {
		most = 1 << 30
	}
	return io.ReadAll(io.LimitReader(answer.Body, most))
}

// askElsewhere sends a token request to the third party.
func (s *Issuer) askElsewhere(ctx context.Context, found *signIn, form url.Values) (*thirdPartyTokens, error) {
	form.Set("client_id", s.elsewhere.client)
	body := strings.NewReader(form.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, found.metadata.TokenEndpoint, body)
	if err == nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	text, err := s.fetch(request, err)
	if err != nil {
		return nil, err
	}
	tokens := &thirdPartyTokens{}
	if err := json.Unmarshal(text, tokens); err != nil {
		return nil, err
	}
	if tokens.Access == "" || tokens.Type != "Bearer" {
		return nil, errors.New("want an access token of type Bearer")
	}
	return tokens, nil
}

// redeemElsewhere redeems a code of the third party.
func (s *Issuer) redeemElsewhere(ctx context.Context, found *signIn, code string) (*thirdPartyTokens, error) {
	tokens, err := s.askElsewhere(ctx, found, url.Values{
		"grant_type":    {"authorization_code"},
		"redirect_uri":  {s.URL + "/callback"},
		"code":          {code},
		"code_verifier": {found.verifier},
	})
	if err != nil && s.has(IgnoresTokenErrors) {
		return &thirdPartyTokens{}, nil
	}
	if err != nil {
		return nil, err
	}
	return tokens, s.checkIDToken(tokens.ID, found)
}

// checkIDToken checks an ID token (OpenID Connect Core 1.0 section 3.1.3.7). The third party has
// the machine's clock.
func (s *Issuer) checkIDToken(text string, found *signIn) error {
	claims, err := s.readIDToken(text, found.metadata.JWKS)
	if err != nil {
		return err
	}
	switch {
	case claims.Issuer != found.metadata.Issuer && !s.has(IgnoresIDTokenIssuer):
		return errors.New("the issuer is another one")
	case !slices.Contains(claims.Audience, s.elsewhere.client) && !s.has(IgnoresIDTokenAudience):
		return errors.New("the audience is another one")
	case claims.Nonce != found.nonce && !s.has(IgnoresNonce):
		return errors.New("the nonce is another one")
	case claims.Expiry == nil || time.Now().After(claims.Expiry.Time()) && !s.has(IgnoresIDTokenExpiry):
		return errors.New("the ID token has expired")
	}
	return nil
}

type idTokenClaims struct {
	jwt.Claims
	Nonce string `json:"nonce"`
}

// readIDToken verifies the signature of an ID token with a key set.
func (s *Issuer) readIDToken(text, address string) (*idTokenClaims, error) {
	claims := &idTokenClaims{}
	if parts := strings.Split(text, "."); len(parts) == 3 && s.has(IgnoresIDTokenSignature) {
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			return nil, err
		}
		return claims, json.Unmarshal(payload, claims)
	}
	keySet, err := s.fetch(http.NewRequest(http.MethodGet, address, nil))
	if err != nil {
		return nil, err
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(keySet, &keys); err != nil {
		return nil, err
	}
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, err
	}
	return claims, token.Claims(keys, claims)
}

// isEndedElsewhere reports whether the third party has ended the grant behind a sign-in. It
// refreshes the tokens there.
func (s *Issuer) isEndedElsewhere(found *signIn) bool {
	if found == nil || found.tokens == nil || found.tokens.Refresh == "" {
		return false
	}
	tokens, err := s.askElsewhere(context.Background(), found, url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {found.tokens.Refresh},
	})
	if err != nil {
		return !s.has(IgnoresEndedGrants)
	}
	found.tokens = tokens
	return false
}
