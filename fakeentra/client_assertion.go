package fakeentra

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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
)

// The assertionClaims are the claims of a client assertion (RFC 7523 section 3).
type assertionClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	Expiry   float64  `json:"exp"`
	NotYet   float64  `json:"nbf"`
	// The rest are texts in tokens of Entra ID, and can be anything in other tokens.
	// ManagedIdentity is the path of a managed identity (K).
	ManagedIdentity any `json:"xms_mirid"`
	Scopes          any `json:"scp"`
	Party           any `json:"azp"`
	AppID           any `json:"appid"`
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
	signed, problem := parseAssertion(raw)
	if problem != nil {
		return problem
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
		return aadsts.NotFederated(request.client.ID, request.client.DisplayName)
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

// parseAssertion parses a client assertion. A JWT whose algorithm does not fit an RSA key is an
// error of its own (M: which algorithms).
func parseAssertion(raw string) (*jose.JSONWebSignature, *aadsts.Error) {
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256, jose.PS256})
	var unexpected *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &unexpected) && unexpected.Got != "none":
		return nil, aadsts.AssertionAlgorithm()
	case err != nil:
		return nil, aadsts.AssertionMalformed()
	}
	return signed, nil
}

// checkSignature finds the certificate by the thumbprint in the header, SHA-256 or SHA-1. It
// accepts both base64 alphabets, because some libraries use the standard one. An expired
// certificate does not count.
func checkSignature(app *directory.App, signed *jose.JSONWebSignature, now time.Time) *aadsts.Error {
	header := signed.Signatures[0].Protected
	refusal := aadsts.AssertionSignature(app.ID, thumbprintOf(header))
	certificates, err := app.ParsedCertificates()
	if err != nil {
		return refusal
	}
	for _, certificate := range certificates {
		if !namesCertificate(header, certificate) || now.After(certificate.NotAfter) {
			continue
		}
		if _, err := signed.Verify(certificate.PublicKey); err == nil {
			return nil
		}
	}
	return refusal
}

// thumbprintOf returns the name of the key in the header of an assertion, in hexadecimal (M:
// without a thumbprint Entra ID may write another name).
func thumbprintOf(header jose.Header) string {
	for _, name := range []jose.HeaderKey{"x5t", "x5t#S256"} {
		value, _ := header.ExtraHeaders[name].(string)
		if sum, err := base64.RawURLEncoding.DecodeString(urlAlphabet.Replace(value)); err == nil && len(sum) > 0 {
			return strings.ToUpper(hex.EncodeToString(sum))
		}
	}
	return header.KeyID
}

// urlAlphabet turns standard base64 into the alphabet of JWTs.
var urlAlphabet = strings.NewReplacer("+", "-", "/", "_", "=", "")

func namesCertificate(header jose.Header, certificate *x509.Certificate) bool {
	sha1Sum := sha1.Sum(certificate.Raw)
	sha256Sum := sha256.Sum256(certificate.Raw) // RFC 7515 sections 4.1.7 and 4.1.8
	for name, sum := range map[jose.HeaderKey][]byte{"x5t": sha1Sum[:], "x5t#S256": sha256Sum[:]} {
		if value, ok := header.ExtraHeaders[name].(string); ok {
			return urlAlphabet.Replace(value) == base64.RawURLEncoding.EncodeToString(sum)
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
		return aadsts.AssertionTime(now, notBefore, expiry)
	}
	return nil
}
