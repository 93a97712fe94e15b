package broken

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// capabilities returns the capabilities that the client declares.
func (r *attempt) capabilities() map[string]any {
	extensions := map[string]any{}
	switch {
	case r.has(DeclaresNoExtension):
	case r.task.Machine:
		extensions["io.modelcontextprotocol/oauth-client-credentials"] = map[string]any{}
	case r.task.Enterprise != nil:
		extensions["io.modelcontextprotocol/enterprise-managed-authorization"] = map[string]any{}
	}
	return map[string]any{"extensions": extensions}
}

// assertion signs a client assertion with the key of the task (RFC 7523).
func (r *attempt) assertion(issuer string) (string, error) {
	block, _ := pem.Decode([]byte(r.task.ClientKey))
	if block == nil {
		return "", errors.New("want a private key as PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		return "", err
	}
	claims := jwt.Claims{
		Issuer:   r.task.ClientID,
		Subject:  r.task.ClientID,
		Audience: jwt.Audience{issuer},
		Expiry:   jwt.NewNumericDate(time.Now().Add(time.Minute)),
		ID:       rand.Text(),
	}
	switch {
	case r.has(AssertsWithoutEnd):
		claims.Expiry = nil
	case r.has(AssertsForResource):
		claims.Audience = jwt.Audience{r.task.URL}
	case r.has(AssertsOtherSubject):
		claims.Subject = "another"
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// enterprise gets a token through an organisation's identity provider.
func (r *attempt) enterprise(ctx context.Context, issuer *issuerDocument, resource string, scopes []string) error {
	provider := r.task.Enterprise
	audience := issuer.Issuer
	if r.has(ExchangesForProvider) {
		audience = provider.Issuer
	}
	exchange := url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:id-jag"},
		"client_id":            {provider.ClientID},
		"audience":             {audience},
		"resource":             {resource},
		"subject_token":        {provider.IDToken},
		"subject_token_type":   {"urn:ietf:params:oauth:token-type:id_token"},
	}
	response, body, err := r.post(ctx, provider.TokenEndpoint, formType, nil, []byte(exchange.Encode()))
	if err != nil {
		return err
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || answer.Token == "" {
		return errors.New("want a grant from the identity provider")
	}
	if r.has(ShowsPageOfEnterprise) {
		p, err := r.startSignIn(ctx, issuer, resource, scopes)
		if err != nil {
			return err
		}
		defer p.close()
		_ = r.task.Open(ctx, p.page)
	}
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"assertion":  {answer.Token},
		"resource":   {resource},
	}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	if r.has(SendsIDTokenAlong) {
		form.Set("subject_token", provider.IDToken)
	}
	client := identity{id: r.task.ClientID, secret: r.task.ClientSecret, method: "client_secret_basic"}
	if r.has(RedeemsWithoutSecret) {
		client.method = "none"
	}
	r.grant = &grant{scopes: scopes, issuer: issuer, client: client, resource: resource}
	return r.redeem(ctx, issuer, client, form)
}
