package broken

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Faults with client assertions.
const (
	RefusesAssertions        Fault = "advertises private_key_jwt, and refuses every assertion"
	AsksForNoAssertion       Fault = "asks for no assertion of a client that has registered keys"
	ChecksNoAssertion        Fault = "checks no signature of an assertion"
	AcceptsAnyClientsKey     Fault = "accepts an assertion that another client has signed"
	AcceptsUnsigned          Fault = "accepts an assertion without a signature"
	UsesPublicKeysAsSecrets  Fault = "uses a client's public key as a shared secret"
	AcceptsOtherAlgorithms   Fault = "accepts an assertion with another algorithm than the registered one"
	TrustsAssertionKeys      Fault = "trusts the key in an assertion"
	FetchesAssertionKeys     Fault = "trusts the key at an address in an assertion"
	CallsAssertionKeys       Fault = "calls the address of a key in an assertion"
	IgnoresAssertionAudience Fault = "accepts an assertion for another server"
	MatchesAudienceBeginning Fault = "compares only the beginning of an assertion's audience"
	AcceptsSharedAssertions  Fault = "accepts an assertion for several servers"
	IgnoresAssertionExpiry   Fault = "accepts an assertion that has expired"
	AcceptsEndlessAssertions Fault = "accepts an assertion that never expires"
	AcceptsEarlyAssertions   Fault = "accepts an assertion before its start"
	AcceptsLongAssertions    Fault = "accepts an assertion that is valid for years"
	IgnoresAssertionIssuer   Fault = "accepts an assertion of another issuer"
	IgnoresAssertionSubject  Fault = "accepts an assertion about another client"
	AcceptsAssertionsTwice   Fault = "accepts an assertion twice"
)

const (
	jwtBearer       = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	maxAssertion    = 2 * time.Hour
	assertionLeeway = time.Minute
)

// assertionAlgorithms are the algorithms of assertions.
var assertionAlgorithms = []string{"ES256", "RS256", "PS256"}

// assertionClaims are the claims of a client assertion.
type assertionClaims struct {
	Issuer   string    `json:"iss"`
	Subject  string    `json:"sub"`
	Audience audiences `json:"aud"`
	ID       string    `json:"jti"`
	Expiry   *float64  `json:"exp"`
	Start    *float64  `json:"nbf"`
}

// audiences are one value or an array of them.
type audiences []string

func (a *audiences) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// authenticateByAssertion finds the client of a request with an assertion (RFC 7523).
func (s *Issuer) authenticateByAssertion(form url.Values) (*client, *refusal) {
	failed := &refusal{http.StatusUnauthorized, "invalid_client"}
	text := form.Get("client_assertion")
	if form.Get("client_assertion_type") != jwtBearer || s.has(RefusesAssertions) {
		return nil, failed
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, failed
	}
	var header map[string]any
	var claims assertionClaims
	if !decodePart(parts[0], &header) || !decodePart(parts[1], &claims) {
		return nil, failed
	}
	found := s.clients[form.Get("client_id")]
	if !form.Has("client_id") {
		found = s.clients[claims.Subject]
	}
	isGood := found != nil && found.keys != nil && s.isSigned(found, text, header) &&
		s.acceptsClaims(found, &claims) && s.acceptsTimes(&claims)
	if !isGood || s.assertions[claims.ID] && !s.has(AcceptsAssertionsTwice) {
		return nil, failed
	}
	s.assertions[claims.ID] = true
	return found, nil
}

// decodePart reads one part of a JWT.
func decodePart(text string, into any) bool {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(decoded, into) == nil
}

// isSigned reports whether a client has signed an assertion.
func (s *Issuer) isSigned(found *client, text string, header map[string]any) bool {
	algorithm, _ := header["alg"].(string)
	switch {
	case strings.HasSuffix(text, "."):
		return s.has(AcceptsUnsigned)
	case algorithm == "HS256":
		return s.has(UsesPublicKeysAsSecrets) && isSignedWithPublicKey(found, text)
	case !slices.Contains(assertionAlgorithms, algorithm):
		return false
	case found.algorithm != "" && found.algorithm != algorithm && !s.has(AcceptsOtherAlgorithms):
		return false
	case s.has(ChecksNoAssertion):
		return true
	}
	keys := slices.Clone(found.keys)
	if s.has(AcceptsAnyClientsKey) {
		for _, other := range s.clients {
			keys = append(keys, other.keys...)
		}
	}
	keys = append(keys, s.keysInHeader(header)...)
	return slices.ContainsFunc(keys, func(key jose.JSONWebKey) bool {
		return verifies(text, algorithm, key.Key)
	})
}

// keysInHeader returns the keys that an assertion brings or points to.
func (s *Issuer) keysInHeader(header map[string]any) []jose.JSONWebKey {
	set := jose.JSONWebKeySet{}
	if text, err := json.Marshal(header["jwk"]); err == nil && header["jwk"] != nil && s.has(TrustsAssertionKeys) {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) == nil {
			set.Keys = append(set.Keys, key)
		}
	}
	address, _ := header["jku"].(string)
	if address == "" || !s.has(FetchesAssertionKeys) && !s.has(CallsAssertionKeys) {
		return set.Keys
	}
	answer, err := http.Get(address)
	if err != nil {
		return set.Keys
	}
	defer answer.Body.Close()
	var fetched jose.JSONWebKeySet
	if json.NewDecoder(answer.Body).Decode(&fetched) == nil && s.has(FetchesAssertionKeys) {
		set.Keys = append(set.Keys, fetched.Keys...)
	}
	return set.Keys
}

// verifies reports whether a key has signed a JWT.
func verifies(text, algorithm string, key any) bool {
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
	if err != nil {
		return false
	}
	_, err = signed.Verify(key)
	return err == nil
}

// isSignedWithPublicKey reports whether a text has a MAC with the public key of a client.
func isSignedWithPublicKey(found *client, text string) bool {
	return slices.ContainsFunc(found.keys, func(key jose.JSONWebKey) bool {
		der, err := x509.MarshalPKIXPublicKey(key.Key)
		secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		return err == nil && verifies(text, "HS256", secret)
	})
}

// acceptsClaims reports whether an assertion is of a client, and for this server.
func (s *Issuer) acceptsClaims(found *client, claims *assertionClaims) bool {
	isOwn := func(audience string) bool {
		begins := s.has(MatchesAudienceBeginning) && strings.HasPrefix(audience, s.URL)
		return audience == s.URL || audience == s.URL+"/token" || begins
	}
	isForeign := func(audience string) bool { return !isOwn(audience) }
	switch {
	case claims.Issuer != found.id && !s.has(IgnoresAssertionIssuer):
		return false
	case claims.Subject != found.id && !s.has(IgnoresAssertionSubject):
		return false
	case s.has(IgnoresAssertionAudience):
		return true
	case !slices.ContainsFunc(claims.Audience, isOwn):
		return false
	}
	return !slices.ContainsFunc(claims.Audience, isForeign) || s.has(AcceptsSharedAssertions)
}

// acceptsTimes reports whether an assertion is valid now, and not for long.
func (s *Issuer) acceptsTimes(claims *assertionClaims) bool {
	inSeconds := func(at time.Time) float64 { return float64(at.Unix()) }
	now := s.now()
	switch {
	case claims.Start != nil && *claims.Start > inSeconds(now.Add(assertionLeeway)) && !s.has(AcceptsEarlyAssertions):
		return false
	case claims.Expiry == nil:
		return s.has(AcceptsEndlessAssertions)
	case *claims.Expiry < inSeconds(now.Add(-assertionLeeway)):
		return s.has(IgnoresAssertionExpiry)
	case *claims.Expiry > inSeconds(now.Add(maxAssertion+assertionLeeway)):
		return s.has(AcceptsLongAssertions)
	}
	return true
}
