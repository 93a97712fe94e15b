package broker

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/server/loopback"
)

// A RegistrationPolicy limits dynamic client registration. The zero value lets every client
// register.
type RegistrationPolicy struct {
	// Off switches registration off. The metadata then has no registration endpoint. Clients that
	// registered before stay.
	Off bool
	// InitialAccessToken is the secret that a registration must present as a bearer token (RFC 7591
	// section 3). It has at least 128 bits. Empty means that none is needed.
	InitialAccessToken string
	// Redirects limits the redirect URIs that clients can register. An entry is a host
	// (claude.ai), a host and port (claude.ai:8443), or a scheme with its colon (cursor:).
	// localhost means all loopback addresses, with any port. Nil means no limit.
	Redirects []string
}

func (p RegistrationPolicy) check() error {
	if p.InitialAccessToken != "" && !isStrong(p.InitialAccessToken) {
		return fmt.Errorf("the initial access token has fewer than %d bits", minSecretBits)
	}
	if p.Redirects != nil && len(p.Redirects) == 0 {
		return errors.New("the list of redirect hosts is empty, so no client could register: switch registration off")
	}
	for _, entry := range p.Redirects {
		if scheme, found := strings.CutSuffix(entry, ":"); found {
			if scheme == "" || strings.ContainsFunc(scheme, notInScheme) {
				return fmt.Errorf("%q is not a scheme with a colon: write cursor: for example", entry)
			}
			continue
		}
		parsed, err := url.Parse("https://" + entry)
		if err != nil || parsed.Host != entry || entry == "" {
			return fmt.Errorf("%q is neither a host (claude.ai) nor a scheme (cursor:)", entry)
		}
		if _, err := browserHost(parsed); err != nil {
			return fmt.Errorf("%q is not a host in IDNA ASCII form", entry)
		}
	}
	return nil
}

func notInScheme(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789+-.", r)
}

// checkRedirect returns the reason why a client may not register a redirect URI that is usable
// otherwise.
func (p RegistrationPolicy) checkRedirect(uri string) error {
	if p.Redirects == nil {
		return nil
	}
	parsed, err := url.Parse(uri)
	if err != nil {
		return errors.New("a redirect URI is not an absolute URL")
	}
	allowed := slices.ContainsFunc(p.Redirects, func(entry string) bool {
		switch {
		case strings.HasSuffix(entry, ":"):
			return entry == parsed.Scheme+":"
		case isPrivateUse(uri):
			return false
		case entry == "localhost":
			return loopback.IsStrictHost(parsed.Hostname())
		}
		return strings.EqualFold(entry, parsed.Host)
	})
	if !allowed {
		return errors.New("the operator of this server has not allowed the host of a redirect URI")
	}
	return nil
}

// limitRegistration applies the policy to metadata that is good otherwise.
func (b *Broker) limitRegistration(asked *clientMetadata) *protocolError {
	if problem := b.limitRedirects(asked); problem != nil {
		return problem
	}
	return b.limitDevices(asked)
}

// limitRedirects leaves out the redirect URIs that the policy does not allow.
func (b *Broker) limitRedirects(asked *clientMetadata) *protocolError {
	before := len(asked.RedirectURIs)
	asked.RedirectURIs = slices.DeleteFunc(asked.RedirectURIs, func(uri string) bool {
		reason := b.config.Clients.Registration.checkRedirect(uri)
		if reason != nil {
			asked.leftOut = append(asked.leftOut, unusableRedirect{uri, reason})
		}
		return reason != nil
	})
	if before > 0 && len(asked.RedirectURIs) == 0 {
		return badRequest("invalid_redirect_uri", asked.leftOut[len(asked.leftOut)-1].reason.Error()).
			saw("redirect_uris", strings.Join(logged(asked.leftOut), "; ")).saw("name", asked.Name).
			allowedBy(settingRegistrationRedirects)
	}
	return nil
}

// limitDevices takes device codes from a client if redirect URIs are limited. A client without a
// redirect URI would escape the limit.
func (b *Broker) limitDevices(asked *clientMetadata) *protocolError {
	if b.config.Clients.Registration.Redirects == nil {
		return nil
	}
	before := len(asked.GrantTypes)
	asked.GrantTypes = slices.DeleteFunc(asked.GrantTypes, func(grantType string) bool {
		return grantType == deviceGrant
	})
	if before > len(asked.GrantTypes) && !slices.Contains(asked.GrantTypes, codeGrant) {
		return badRequest("invalid_client_metadata", noDevices).saw("name", asked.Name).
			allowedBy(settingRegistrationRedirects)
	}
	return nil
}

const noDevices = "this server gives device codes only to clients that its operator knows"

// mayRegister checks that registration is on, and the initial access token if one is needed.
func (b *Broker) mayRegister(r *http.Request) *protocolError {
	policy := b.config.Clients.Registration
	if policy.Off {
		problem := badRequest("access_denied",
			"this server registers no clients: ask its operator for a client ID").allowedBy(settingRegistration)
		problem.status = http.StatusForbidden
		return problem.saw("origin", r.Header.Get("Origin"))
	}
	if policy.InitialAccessToken == "" {
		return nil
	}
	scheme, presented, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	isBearer := strings.EqualFold(scheme, "Bearer")
	presented = strings.TrimSpace(presented)
	want := []byte(hashed(policy.InitialAccessToken))
	if isBearer && subtle.ConstantTimeCompare(want, []byte(hashed(presented))) == 1 {
		return nil
	}
	problem := &protocolError{
		status:      http.StatusUnauthorized,
		code:        "invalid_token",
		description: "a registration needs an initial access token: ask the operator of this server for one",
		challenge:   `Bearer realm="registration"`,
	}
	if isBearer {
		problem.challenge += `, error="invalid_token"`
		problem.because("the initial access token is wrong")
		if b.guessed("an initial access token", r) {
			problem = tooMany("too many wrong initial access tokens from this network")
			return problem.allowedBy(settingGuesses).saw("origin", r.Header.Get("Origin"))
		}
	}
	return problem.allowedBy(settingRegistration).saw("origin", r.Header.Get("Origin"))
}
