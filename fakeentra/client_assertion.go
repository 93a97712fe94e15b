package fakeentra

import (
	"cmp"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	maxAssertion  = 16 << 10 // bytes
	// assertionLeeway bounds the error of a client's clock.
	assertionLeeway = 5 * time.Minute
	maxForeignKeys  = 256 << 10 // bytes
)

// The assertionClaims are the claims of a client assertion (RFC 7523 section 3).
type assertionClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	Expiry   float64  `json:"exp"`
	NotYet   float64  `json:"nbf"`
}

// An audience is one string or a list of them (RFC 7519 section 4.1.3).
type audience []string

// UnmarshalJSON reads either form.
func (a *audience) UnmarshalJSON(text []byte) error {
	var single string
	if json.Unmarshal(text, &single) == nil {
		*a = audience{single}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// checkAssertion checks a client assertion. It is a JWT signed with a certificate of the app, or a
// foreign token that matches a federated credential of the app.
func (f *Fake) checkAssertion(r *http.Request, request *tokenRequest) *aadsts.Error {
	raw := request.params.Get("client_assertion")
	if request.params.Get("client_assertion_type") != assertionType {
		return aadsts.MissingParameter("client_assertion_type")
	}
	if len(raw) > maxAssertion {
		return aadsts.AssertionMalformed()
	}
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256, jose.PS256})
	if err != nil {
		return aadsts.AssertionMalformed()
	}
	var claims assertionClaims
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &claims); err != nil {
		return aadsts.AssertionMalformed()
	}
	switch {
	case claims.Issuer == request.client.ID:
	case len(request.client.FederatedCredentials) > 0:
		return f.checkFederated(r, request, signed, claims)
	case strings.HasPrefix(claims.Issuer, "https://"):
		return aadsts.NotFederated()
	}
	if problem := checkSignature(request.client, signed, f.clock.now()); problem != nil {
		return problem
	}
	if claims.Subject != request.client.ID || claims.Issuer != request.client.ID {
		return aadsts.AssertionClient()
	}
	if problem := checkTimes(f.clock.now(), claims); problem != nil {
		return problem
	}
	base := f.authority + "/" + request.tenantPath.Segment
	endpoints := []string{
		base + "/oauth2/v2.0/token",
		base + "/oauth2/token",
		request.tenantPath.Issuer,
		request.tenantPath.V1Issuer,
	}
	for _, value := range claims.Audience {
		isHere := f.rules.IsTokenEndpoint(value, f.authority, f.backchannel, f.cloud.authority)
		if isHere || slices.Contains(endpoints, value) {
			return nil
		}
	}
	return aadsts.AssertionAudience()
}

// checkSignature finds the certificate by the thumbprint in the header, SHA-256 or SHA-1. It
// accepts both base64 alphabets, because some libraries use the standard one. An expired
// certificate does not count.
func checkSignature(app *directory.App, signed *jose.JSONWebSignature, now time.Time) *aadsts.Error {
	certificates, err := app.ParsedCertificates()
	if err != nil || len(certificates) == 0 {
		return aadsts.AssertionSignature()
	}
	header := signed.Signatures[0].Protected
	for _, certificate := range certificates {
		if !namesCertificate(header, certificate) || now.After(certificate.NotAfter) {
			continue
		}
		if _, err := signed.Verify(certificate.PublicKey); err == nil {
			return nil
		}
	}
	return aadsts.AssertionSignature()
}

func namesCertificate(header jose.Header, certificate *x509.Certificate) bool {
	sha1Sum := sha1.Sum(certificate.Raw)
	sha256Sum := sha256.Sum256(certificate.Raw) // RFC 7515 sections 4.1.7 and 4.1.8
	for name, sum := range map[jose.HeaderKey][]byte{"x5t": sha1Sum[:], "x5t#S256": sha256Sum[:]} {
		if value, ok := header.ExtraHeaders[name].(string); ok {
			value = strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(value)
			return value == base64.RawURLEncoding.EncodeToString(sum)
		}
	}
	if header.KeyID != "" {
		return strings.EqualFold(header.KeyID, fmt.Sprintf("%X", sha1Sum)) ||
			header.KeyID == base64.RawURLEncoding.EncodeToString(sha1Sum[:])
	}
	return true // the header names no certificate, so any may fit
}

// checkTimes checks exp and nbf with some leeway.
func checkTimes(now time.Time, claims assertionClaims) *aadsts.Error {
	expiry := time.Unix(int64(claims.Expiry), 0)
	notBefore := time.Unix(int64(claims.NotYet), 0)
	isExpired := claims.Expiry == 0 || !now.Before(expiry.Add(assertionLeeway))
	if isExpired || now.Add(assertionLeeway).Before(notBefore) {
		return aadsts.AssertionTime()
	}
	return nil
}

// checkFederated checks a foreign token (workload identity federation).
func (f *Fake) checkFederated(
	r *http.Request,
	request *tokenRequest,
	signed *jose.JSONWebSignature,
	claims assertionClaims,
) *aadsts.Error {
	if problem := matchCredential(request.client.FederatedCredentials, claims); problem != nil {
		return problem
	}
	if problem := checkTimes(f.clock.now(), claims); problem != nil {
		return problem
	}
	ctx := context.Background()
	if r != nil {
		ctx = r.Context()
	}
	keys, err := foreignKeys(ctx, f.config.FederationClient, claims.Issuer)
	if err != nil {
		f.logger.Warn("federated credential", "issuer", claims.Issuer, "error", err)
		return aadsts.AssertionSignature()
	}
	for _, key := range keys.Key(signed.Signatures[0].Header.KeyID) {
		if _, err := signed.Verify(key); err == nil {
			return nil
		}
	}
	return aadsts.AssertionSignature()
}

// matchCredential checks that one of the credentials has the issuer, subject and audience of a
// token.
func matchCredential(credentials []directory.FederatedCredential, claims assertionClaims) *aadsts.Error {
	credentials = slices.DeleteFunc(slices.Clone(credentials), func(credential directory.FederatedCredential) bool {
		return credential.Issuer != claims.Issuer
	})
	if len(credentials) == 0 {
		return aadsts.FederatedIssuer(claims.Issuer)
	}
	credentials = slices.DeleteFunc(credentials, func(credential directory.FederatedCredential) bool {
		return credential.Subject != claims.Subject
	})
	if len(credentials) == 0 {
		return aadsts.FederatedSubject(claims.Subject)
	}
	for _, credential := range credentials {
		if slices.Contains(claims.Audience, cmp.Or(credential.Audience, directory.FederatedAudience)) {
			return nil
		}
	}
	return aadsts.FederatedAudience(strings.Join(claims.Audience, " "))
}

// foreignKeys reads the keys of the issuer of a federated credential by OpenID Connect Discovery.
func foreignKeys(ctx context.Context, client *http.Client, issuer string) (*jose.JSONWebKeySet, error) {
	if client == nil {
		return nil, fmt.Errorf("cannot fetch the keys of %s without Config.FederationClient", issuer)
	}
	var found struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	address := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	if err := fetch(ctx, client, address, &found); err != nil {
		return nil, err
	}
	if found.Issuer != issuer {
		return nil, fmt.Errorf("want the issuer %q, got %q", issuer, found.Issuer)
	}
	var keys jose.JSONWebKeySet
	return &keys, fetch(ctx, client, found.JWKS, &keys)
}

// fetch reads a JSON document.
func fetch(ctx context.Context, client *http.Client, address string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("want status 200 from %s, got %d", address, response.StatusCode)
	}
	return json.NewDecoder(io.LimitReader(response.Body, maxForeignKeys)).Decode(into)
}
