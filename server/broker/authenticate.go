package broker

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A credential is what a request presents as the client's ID and secret.
type credential struct {
	id        string
	secrets   []string // the secret, in each way in which it can be read
	presented bool     // there is a secret
	basic     bool     // it came as HTTP Basic
	assertion string
}

// authenticate finds the client of a form at the token or revocation endpoint and checks its secret
// or assertion. The secret counts in the Authorization header and in the form, whichever of the two
// the client registered (RFC 6749 section 2.3.1). A client without a secret must send none, and a
// client with a secret must send it. If the request grantsNothing new, the last good document of an
// unreachable host counts.
func (b *Broker) authenticate(r *http.Request, form url.Values, grantsNothing bool) (*client, *protocolError) {
	c, problem := readCredential(r, form)
	if problem != nil {
		return nil, problem
	}
	found, err := b.findClient(r, c.id)
	if last := b.lastDocument(c.id, err); last != nil && grantsNothing {
		found = last
	} else if err != nil {
		return nil, b.clientProblem(r.Context(), c.basic, err)
	}
	if found == nil {
		return nil, unknownClient(c.basic).because("no client of that ID is registered here").saw("client", c.id)
	}
	refused := func(why string) *protocolError {
		return unknownClient(c.basic).because(why).saw("client", c.id).saw("registered_method", found.AuthMethod)
	}
	switch {
	case found.AuthMethod == authKey && c.assertion == "":
		return nil, refused("the client sent no assertion")
	case found.AuthMethod == authKey:
		return b.checkAssertion(r, found, c.assertion)
	case c.assertion != "":
		return nil, refused("the client sent an assertion, and registered another method")
	case found.AuthMethod == authNone && !c.presented:
		return found, nil
	case found.SecretHash == "":
		return nil, refused("the client sent a secret, and has none")
	case !c.presented:
		return nil, refused("the client sent no secret")
	}
	// Every authorization URL shows the ID. So the secret is checked first, and only wrong secrets
	// count: a stranger's guesses do not lock the client out.
	if right := slices.IndexFunc(c.secrets, found.hasSecret); right >= 0 {
		if !isStrong(c.secrets[right]) {
			return nil, refused("the secret is right, but has too few bits: make one with \"client secret\"").
				allowedBy(settingClientFile)
		}
		return found, nil
	}
	if b.guessed(c.id, r) {
		return nil, guessedTooOften(c.id)
	}
	return nil, refused("the secret is wrong")
}

func guessedTooOften(clientID string) *protocolError {
	return tooMany("too many wrong credentials for this client").saw("client", clientID).
		allowedBy(settingGuesses)
}

// readCredential reads the credential from the Authorization header or from the form, and refuses
// a request that uses both.
func readCredential(r *http.Request, form url.Values) (credential, *protocolError) {
	id, secret, basic := r.BasicAuth()
	lines := r.Header["Authorization"]
	if len(lines) > 1 || len(lines) == 1 && !basic && isBasic(lines[0]) {
		return credential{}, unknownClient(true).because("the Authorization header is there twice, or is not base64")
	}
	c := credential{
		id:        form.Get("client_id"),
		secrets:   []string{form.Get("client_secret")},
		presented: form.Has("client_secret"),
	}
	if basic {
		decodedID, err := url.QueryUnescape(id)
		if err != nil {
			return credential{}, unknownClient(true).because("the Basic credentials are not form-encoded")
		}
		if c.presented || form.Has("client_id") && c.id != decodedID {
			return credential{}, badRequest("invalid_request", "the client authenticates in two ways at once").
				saw("client", decodedID)
		}
		// An empty secret counts as none, in the header as in the form (RFC 6749 section 2.3.1).
		c = credential{id: decodedID, secrets: readings(secret), presented: secret != "", basic: true}
	}
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		problem := c.readAssertion(form)
		if problem != nil {
			return credential{}, problem
		}
	}
	if c.id == "" {
		return credential{}, unknownClient(basic).described("client_id is missing")
	}
	return c, nil
}

// readings returns the secret of HTTP Basic, which has to be form-encoded (RFC 6749 section 2.3.1).
// Many clients do not encode it, so the secret as it came counts too.
func readings(secret string) []string {
	decoded, err := url.QueryUnescape(secret)
	if err != nil || decoded == secret {
		return []string{secret}
	}
	return []string{decoded, secret}
}

// isBasic reports whether credentials use the scheme Basic (RFC 7617), well formed or not.
func isBasic(credentials string) bool {
	scheme, _, _ := strings.Cut(credentials, " ")
	return strings.EqualFold(scheme, "Basic")
}

func unknownClient(basic bool) *protocolError {
	return &protocolError{
		status:      http.StatusUnauthorized,
		code:        "invalid_client",
		basic:       basic,
		description: "the client is unknown, or its secret or assertion is missing or wrong",
	}
}
