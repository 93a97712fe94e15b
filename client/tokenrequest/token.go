package tokenrequest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mcpentra/client/internal/printable"
)

// A Token is the content of a successful token response (RFC 6749 section 5.1).
type Token struct {
	Access string `json:"access_token,omitempty"`
	// Refresh is empty if the server issued no refresh token.
	Refresh string `json:"refresh_token,omitempty"`
	// Expiry is zero if the server does not say.
	Expiry time.Time `json:"expiry,omitzero"`
	// Scopes are the granted scopes. Nil means that the server does not say, and so granted the
	// requested ones.
	Scopes []string `json:"scopes,omitzero"`
	// Bound says that the token is bound to the key of the Endpoint's DPoP.
	Bound bool `json:"bound,omitempty"`
	// IDToken is the ID token as it came. Empty if there was none. It is not stored.
	IDToken string `json:"-"`
}

// A tokenResponse is the JSON of a token endpoint that issues a token.
type tokenResponse struct {
	AccessToken  string         `json:"access_token"`
	TokenType    string         `json:"token_type"`
	IssuedType   string         `json:"issued_token_type"`
	ExpiresIn    jsontext.Value `json:"expires_in"`
	RefreshToken string         `json:"refresh_token"`
	IDToken      jsontext.Value `json:"id_token"`
	Scope        *string        `json:"scope"`
}

// read checks a response and returns its token.
func (e *Endpoint) read(response *tokenResponse) (*Token, error) {
	bound := e.DPoP != nil && strings.EqualFold(response.TokenType, "DPoP")
	switch {
	case !bound && !strings.EqualFold(response.TokenType, "Bearer"):
		got := printable.Text(response.TokenType)
		return nil, fmt.Errorf("token endpoint %s: want token_type Bearer, got %q", e.URL, got)
	case !isVisibleASCII(response.AccessToken):
		return nil, fmt.Errorf("token endpoint %s: want an access_token of %s", e.URL, visibleASCII)
	}
	token := &Token{Access: response.AccessToken, Refresh: response.RefreshToken, Bound: bound}
	if json.Unmarshal(response.IDToken, &token.IDToken) != nil {
		token.IDToken = "" // absent, or not a string: callers that need one refuse the token
	}
	if response.Scope != nil {
		token.Scopes = strings.Fields(*response.Scope)
		if token.Scopes == nil {
			token.Scopes = []string{}
		}
	}
	if lifetime := seconds(response.ExpiresIn); lifetime > 0 {
		token.Expiry = e.now().Add(lifetime)
	}
	return token, nil
}

// visibleASCII ends the error text about a token that isVisibleASCII refuses.
const visibleASCII = "visible ASCII characters, got none or others"

// isVisibleASCII reports whether a token can be sent in a header.
func isVisibleASCII(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// seconds reads a number of seconds. Some servers write it as a string. It returns zero for other
// values, as for an absent one: a 401 of the MCP server shows when the token has expired.
func seconds(value jsontext.Value) time.Duration {
	number, err := strconv.ParseFloat(strings.Trim(string(value), `"`), 64)
	if err != nil || !(number > 0 && number < 10*365*86400) {
		return 0
	}
	return time.Duration(number * float64(time.Second))
}
