package broker

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"mcpentra/server/store"
	"mcpentra/server/token"
)

// assertionType is the only client_assertion_type (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	// maxAssertionLife bounds how far the expiry of an assertion may be ahead. Until then its ID is
	// remembered.
	maxAssertionLife = 10 * time.Minute
	assertionLeeway  = time.Minute
	// maxAssertionID bounds the jti, in bytes.
	maxAssertionID = 512
)

// assertionAlgorithms are the algorithms of assertions. Each is for a public key.
var assertionAlgorithms = []string{"ES256", "PS256", "RS256"}

// assertionTypes are the values of the header typ. The last is for its absence. So a client's token
// for another purpose does not count (RFC 8725 section 3.11).
var assertionTypes = []string{"JWT", "client-authentication+jwt", ""}

// readAssertion reads a client assertion. The client_id is optional there (RFC 7521 section 4.2).
func (c *credential) readAssertion(form url.Values) *protocolError {
	if c.presented || c.basic {
		return badRequest("invalid_request", "the client authenticates in two ways at once").saw("client", c.id)
	}
	c.assertion = form.Get("client_assertion")
	if c.id == "" {
		c.id = token.UnverifiedIssuer(c.assertion)
	}
	switch {
	case form.Get("client_assertion_type") != assertionType:
		return unknownClient(false).because("the client_assertion_type is not "+assertionType).saw("client", c.id)
	case c.assertion == "":
		return unknownClient(false).because("client_assertion is missing").saw("client", c.id)
	}
	return nil
}

// checkAssertion checks the assertion of a client (RFC 7523 section 3, OpenID Connect Core section
// 9). Only wrong assertions count, so that a stranger cannot lock the client out.
func (b *Broker) checkAssertion(r *http.Request, found *client, raw string) (*client, *protocolError) {
	keys := &keyFinder{broker: b, client: found, network: b.network(r)}
	claims, err := b.assertionVerifier(found, keys.find).Verify(r.Context(), raw)
	var invalid *token.InvalidError
	var unavailableNow *token.UnavailableError
	why := ""
	switch {
	case errors.As(err, &invalid):
		why = "the assertion was refused: " + string(invalid.Reason)
		if keys.failed != nil {
			why = "the keys of the client cannot be used: " + keys.failed.Error()
		}
	case errors.As(err, &unavailableNow):
		return nil, unavailable("the keys of the client cannot be fetched now").because(err.Error()).
			saw("client", found.ID)
	case err != nil:
		return nil, b.storeProblem(r.Context(), err)
	default:
		why = b.faultOfAssertion(found, claims)
	}
	if why == "" {
		return b.useAssertion(r, found, claims)
	}
	if b.guessed(found.ID, r) {
		return nil, guessedTooOften(found.ID)
	}
	problem := unknownClient(false).because(why).saw("client", found.ID)
	if invalid != nil && invalid.Reason == token.WrongAudience {
		problem = problem.saw("audience", invalid.Seen).allowedBy(settingAssertionAudience)
	}
	return nil, problem
}

func (b *Broker) assertionVerifier(found *client, keys token.KeySource) *token.Verifier {
	algorithms := assertionAlgorithms
	if found.SigningAlg != "" {
		algorithms = []string{found.SigningAlg}
	}
	audiences := []string{b.config.Issuer}
	if b.config.Clients.TokenEndpointAudience {
		audiences = append(audiences, b.config.Issuer+"/token")
	}
	return &token.Verifier{
		Issuer:        found.ID,
		Audiences:     audiences,
		Algorithms:    algorithms,
		Types:         assertionTypes,
		Keys:          keys,
		OptionalKeyID: true,
		Now:           b.config.Now,
		Leeway:        assertionLeeway,
	}
}

// faultOfAssertion returns the fault of claims that a Verifier has accepted, or "".
func (b *Broker) faultOfAssertion(found *client, claims *token.Claims) string {
	switch {
	case claims.Subject != found.ID:
		return "sub of the assertion is not the client's ID"
	case len(claims.Audience) != 1:
		// draft-ietf-oauth-rfc7523bis: the sole value. Libraries put it into an array, too.
		return "aud of the assertion has more than one value"
	case claims.ID == "" || len(claims.ID) > maxAssertionID:
		return "jti of the assertion is missing or too long"
	case claims.Expiry.Sub(b.now()) > maxAssertionLife+assertionLeeway:
		return "exp of the assertion is more than ten minutes ahead"
	}
	return ""
}

// useAssertion accepts an assertion once. All replicas have the record.
func (b *Broker) useAssertion(r *http.Request, found *client, claims *token.Claims) (*client, *protocolError) {
	key := hashed(found.ID + "\x00" + claims.ID)
	source := b.clientGroup(found.ID)
	err := b.records.create(r.Context(), kindAssertion, key, source, struct{}{}, claims.GoodUntil)
	switch {
	case errors.Is(err, store.ErrConflict):
		return nil, unknownClient(false).because("the assertion was used before").asWarning().saw("client", found.ID)
	case err != nil:
		return nil, b.storeProblem(r.Context(), err)
	}
	return found, nil
}

// isAssertionAlgorithm reports whether clients can sign with an algorithm.
func isAssertionAlgorithm(name string) bool { return slices.Contains(assertionAlgorithms, name) }
