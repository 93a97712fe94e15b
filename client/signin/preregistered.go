package signin

import (
	"fmt"
	"slices"
	"strings"

	"mcpentra/client/discovery"
	"mcpentra/client/internal/printable"
	"mcpentra/client/tokenrequest"
)

// PreregisteredClient returns a client whose ID its user was given. Its authentication method fits
// its credential, a key or a secret, and the server.
func PreregisteredClient(issuer *discovery.Issuer, id, secret string, hasKey bool) (tokenrequest.Client, error) {
	client := tokenrequest.Client{ID: id, Secret: secret, AuthMethod: "none"}
	switch {
	case hasKey:
		client.AuthMethod = "private_key_jwt"
		if len(issuer.AuthMethods) > 0 && !offers(issuer, client.AuthMethod) {
			return client, errMethods(issuer, "private_key_jwt for the client key")
		}
	case secret == "":
	case len(issuer.AuthMethods) == 0 || offers(issuer, "client_secret_basic"):
		client.AuthMethod = "client_secret_basic"
	case offers(issuer, "client_secret_post"):
		client.AuthMethod = "client_secret_post"
	default:
		return client, errMethods(issuer, "client_secret_basic or client_secret_post for the client secret")
	}
	return client, nil
}

func offers(issuer *discovery.Issuer, method string) bool {
	return slices.Contains(issuer.AuthMethods, method)
}

func errMethods(issuer *discovery.Issuer, want string) error {
	return fmt.Errorf(
		"want %s among the authentication methods of the authorization server, got %s; use another credential",
		want,
		printable.Text(strings.Join(issuer.AuthMethods, ", ")),
	)
}
