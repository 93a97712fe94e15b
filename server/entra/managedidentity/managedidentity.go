package managedidentity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"mcpentra/server/entra"
)

// setting is the key of .env that selects the identity.
const setting = "AUTH_MANAGED_IDENTITY"

// System selects the system-assigned identity in Config.Identity.
const System = "system"

// A Config selects an identity.
type Config struct {
	// Identity is System, or the client ID of a user-assigned identity. Required.
	Identity string
	// HTTPClient asks the platform for tokens. Nil means azidentity's own client.
	HTTPClient *http.Client
}

// A Credential is a managed identity. It is safe for concurrent use.
type Credential struct {
	source *azidentity.ManagedIdentityCredential
}

var _ entra.Credential = (*Credential)(nil)

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// New finds the platform by the variables that it sets, such as IDENTITY_ENDPOINT of App Service.
// Without any, the platform is a virtual machine. New sends no request. The error is an
// [*entra.ConfigError].
func New(config Config) (*Credential, error) {
	options := &azidentity.ManagedIdentityCredentialOptions{}
	switch {
	case config.Identity == System:
	case guid.MatchString(config.Identity):
		options.ID = azidentity.ClientID(config.Identity)
	default:
		return nil, wrong("is %q: write %s, or the client ID of a user-assigned identity", config.Identity, System)
	}
	if config.HTTPClient != nil {
		options.Transport = config.HTTPClient
	}
	source, err := azidentity.NewManagedIdentityCredential(options)
	if err != nil {
		return nil, wrong("cannot be used here: %v", err)
	}
	return &Credential{source: source}, nil
}

func wrong(format string, arguments ...any) error {
	return &entra.ConfigError{Key: setting, Problem: fmt.Sprintf(format, arguments...)}
}

// Authenticate implements [entra.Credential]. Azure's SDK keeps the token of the identity until
// shortly before it expires.
func (c *Credential) Authenticate(ctx context.Context, request entra.CredentialRequest) (url.Values, error) {
	token, err := c.source.GetToken(ctx, policy.TokenRequestOptions{
		Scopes: []string{request.FederatedAudience + "/.default"},
	})
	if err != nil {
		return nil, explain(err)
	}
	return entra.AssertionParameters(token.Token), nil
}

// explain tells a machine without the identity from a platform that cannot answer now.
func explain(err error) error {
	var refused *azidentity.AuthenticationFailedError
	var final interface{ NonRetriable() }
	isRefusal := errors.As(err, &refused) && refused.RawResponse != nil
	isAbsent := errors.As(err, &final) && refused == nil // a virtual machine without an identity of its own
	switch {
	case isAbsent, isRefusal && refused.RawResponse.StatusCode == http.StatusBadRequest:
		return wrong("names an identity that this machine does not have: assign the identity to it, or write " +
			"another one's client ID")
	case isRefusal:
		return fmt.Errorf("the platform of the managed identity answered with status %d",
			refused.RawResponse.StatusCode)
	}
	// The SDK's text has several lines.
	return errors.New("the platform gives no token of the managed identity: " +
		strings.Join(strings.Fields(err.Error()), " "))
}
