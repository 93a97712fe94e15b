package entra

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"
)

// A Credential proves that a token request comes from the registration. The implementations here
// read a file: [SecretFile], [CertificateFile] and [FederatedTokenFile]. Package managedidentity
// has one more. A file may change while the server runs.
type Credential interface {
	// Authenticate returns the parameters that authenticate one token request. The error is a
	// [*ConfigError] if a setting is wrong. Any other error means that the credential cannot be had
	// now, and that a later request may succeed.
	Authenticate(ctx context.Context, request CredentialRequest) (url.Values, error)
}

// A CredentialRequest describes the token request that a [Credential] authenticates.
type CredentialRequest struct {
	// ClientID is the application (client) ID.
	ClientID string
	// TokenEndpoint is the URL of the request: the audience of an assertion that the registration
	// signs itself.
	TokenEndpoint string
	// FederatedAudience is the audience of a foreign token in this cloud, such as
	// api://AzureADTokenExchange.
	FederatedAudience string
	// Now is the time of the request.
	Now time.Time
}

// assertionType is the client_assertion_type of a JWT (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// AssertionParameters returns the parameters of a client assertion (RFC 7521 section 4.2).
func AssertionParameters(assertion string) url.Values {
	return url.Values{"client_assertion_type": {assertionType}, "client_assertion": {assertion}}
}

// A clientSecret is the credential in Config.ClientSecret.
type clientSecret string

// Authenticate implements [Credential].
func (s clientSecret) Authenticate(context.Context, CredentialRequest) (url.Values, error) {
	return url.Values{"client_secret": {string(s)}}, nil
}

// credential returns the credential of a configuration, or nil if there is none.
func (cfg *Config) credential() Credential {
	switch {
	case cfg.Credential != nil:
		return cfg.Credential
	case cfg.ClientSecret != "":
		return clientSecret(cfg.ClientSecret)
	}
	return nil
}

// readCredential refuses two credentials, and a secret that was not copied alone.
func (cfg *Config) readCredential() error {
	switch {
	case cfg.ClientSecret == "":
		return nil
	case cfg.Credential != nil:
		return &ConfigError{
			"AUTH_CLIENT_SECRET",
			"is set beside another credential: keep one of the two",
		}
	case strings.TrimSpace(cfg.ClientSecret) != cfg.ClientSecret:
		return &ConfigError{
			"AUTH_CLIENT_SECRET",
			"begins or ends with a blank: write the secret's Value alone",
		}
	}
	return nil
}

// missingCredential says how to give a credential.
func missingCredential(purpose string) error {
	return &ConfigError{
		"AUTH_CLIENT_SECRET",
		"is missing" + purpose + ": write the Value of a client secret (app registration, Certificates & secrets), " +
			"or set AUTH_CERTIFICATE_FILE, AUTH_FEDERATED_TOKEN_FILE or AUTH_MANAGED_IDENTITY",
	}
}

// authenticate returns the parameters that authenticate a request to the token endpoint. The error
// is a [*ConfigError] or an [*UnavailableError].
func (c *Client) authenticate(ctx context.Context, found *discovered) (url.Values, error) {
	credential := c.cfg.credential()
	if credential == nil {
		return nil, missingCredential("")
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	parameters, err := credential.Authenticate(ctx, CredentialRequest{
		ClientID:          c.cfg.ClientID,
		TokenEndpoint:     found.TokenEndpoint,
		FederatedAudience: c.deployment.cloud.exchange,
		Now:               c.now(),
	})
	var wrong *ConfigError
	switch {
	case errors.As(err, &wrong):
		return nil, err
	case err != nil:
		return nil, &UnavailableError{Op: "credential", Err: err}
	}
	return parameters, nil
}
