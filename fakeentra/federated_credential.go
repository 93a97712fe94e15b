package fakeentra

import (
	"cmp"
	"context"
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
	"mcpentra/fakeentra/internal/rules"
)

// maxForeignKeys bounds a key set of another issuer in bytes.
const maxForeignKeys = 256 << 10

// checkFederated checks a foreign token (workload identity federation).
func (f *Fake) checkFederated(
	r *http.Request,
	request *tokenRequest,
	signed *jose.JSONWebSignature,
	claims assertionClaims,
) *aadsts.Error {
	fromEntra := f.rules.IsIssuer(claims.Issuer)
	if fromEntra && !isOfManagedIdentity(&f.rules, claims) {
		return aadsts.FederatedFromEntra()
	}
	if fromEntra && slices.Contains(claims.Audience, rules.TokenExchangeApp.ID) {
		claims.Audience = append(claims.Audience, directory.FederatedAudience) // the same resource
	}
	if problem := matchCredential(request.client.FederatedCredentials, claims, fromEntra); problem != nil {
		return problem
	}
	if problem := checkTimes(f.clock.now(), claims); problem != nil {
		return problem
	}
	refusal := aadsts.AssertionSignature(request.client.ID, thumbprintOf(signed.Signatures[0].Protected))
	if fromEntra {
		if _, err := f.keys.Verify(request.params.Get("client_assertion"), f.clock.now()); err != nil {
			return refusal
		}
		return nil
	}
	ctx := context.Background()
	if r != nil {
		ctx = r.Context()
	}
	keys, err := foreignKeys(ctx, f.config.FederationClient, claims.Issuer)
	if err != nil {
		f.logger.Warn("federated credential", "issuer", claims.Issuer, "error", err)
		return refusal
	}
	for _, key := range keys.Key(signed.Signatures[0].Header.KeyID) {
		if _, err := signed.Verify(key); err == nil {
			return nil
		}
	}
	return refusal
}

// isOfManagedIdentity reports whether a token of Entra ID belongs to a managed identity, and not to
// a person or an app registration.
func isOfManagedIdentity(entra *rules.Rules, claims assertionClaims) bool {
	party, found := claims.Party.(string)
	if !found {
		party, found = claims.AppID.(string)
	}
	isUnregistered := found && entra.AnyApp(party) == nil
	return claims.ManagedIdentity != nil || claims.Scopes == nil && isUnregistered
}

// matchCredential checks that one of the credentials has the issuer, subject and audience of a
// token.
func matchCredential(
	credentials []directory.FederatedCredential,
	claims assertionClaims,
	fromEntra bool,
) *aadsts.Error {
	isOfIssuer := func(one directory.FederatedCredential) bool { return one.Issuer == claims.Issuer }
	isOfSubject := func(one directory.FederatedCredential) bool { return one.Subject == claims.Subject }
	isSimilar := func(one directory.FederatedCredential) bool { return strings.EqualFold(one.Subject, claims.Subject) }
	isForUs := func(one directory.FederatedCredential) bool {
		return slices.Contains(claims.Audience, cmp.Or(one.Audience, directory.FederatedAudience))
	}
	sameIssuer := filter(credentials, isOfIssuer)
	sameSubject := filter(sameIssuer, isOfSubject)
	switch {
	case len(sameIssuer) == 0:
		return aadsts.FederatedIssuer(claims.Issuer)
	case len(sameSubject) == 0 && fromEntra:
		return aadsts.FederatedSubjectOfEntra(claims.Subject)
	case len(sameSubject) == 0 && slices.ContainsFunc(sameIssuer, isSimilar):
		return aadsts.FederatedSubjectCase(claims.Subject)
	case len(sameSubject) == 0:
		return aadsts.FederatedSubject(claims.Subject)
	case !slices.ContainsFunc(sameSubject, isForUs):
		return aadsts.FederatedAudience(strings.Join(claims.Audience, " "))
	}
	return nil
}

// filter returns the credentials for which fits reports true.
func filter(
	all []directory.FederatedCredential,
	fits func(directory.FederatedCredential) bool,
) []directory.FederatedCredential {
	isOther := func(one directory.FederatedCredential) bool { return !fits(one) }
	return slices.DeleteFunc(slices.Clone(all), isOther)
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
