package signin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"mcpentra/client/discovery"
	"mcpentra/client/grant"
)

// ErrNoRegistration says that the authorization server registers nobody, so that a client ID has to be had beforehand.
var ErrNoRegistration = errors.New("the authorization server does not register clients: ask its operator for a client ID and set MCP_CLIENT_ID")

const (
	maxRegistration     = 1 << 20
	registrationTimeout = 30 * time.Second
)

// clientMetadata is what this program says of itself (RFC 7591 section 2).
type clientMetadata struct {
	Name            string   `json:"client_name"`
	RedirectURIs    []string `json:"redirect_uris"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	ApplicationType string   `json:"application_type"`
	Scope           string   `json:"scope,omitempty"`
}

// Register registers the program with an authorization server (RFC 7591), as a native application that listens on loopback.
func Register(ctx context.Context, client *http.Client, issuer *discovery.Issuer, name, redirectURI string, scopes []string) (grant.Client, error) {
	if issuer.RegistrationEndpoint == "" {
		return grant.Client{}, ErrNoRegistration
	}
	method, err := chooseMethod(issuer.AuthMethods)
	if err != nil {
		return grant.Client{}, err
	}
	text, err := json.Marshal(clientMetadata{
		Name: name, RedirectURIs: []string{redirectURI}, GrantTypes: []string{"authorization_code", "refresh_token"}, ResponseTypes: []string{"code"},
		AuthMethod: method, ApplicationType: "native", Scope: strings.Join(scopes, " "),
	})
	if err != nil {
		return grant.Client{}, fmt.Errorf("registration: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, registrationTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer.RegistrationEndpoint, bytes.NewReader(text))
	if err != nil {
		return grant.Client{}, fmt.Errorf("registration: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	once := http.Client{}
	if client != nil {
		once = *client
	}
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := once.Do(request)
	if err != nil {
		return grant.Client{}, fmt.Errorf("registration: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxRegistration+1))
	if err != nil {
		return grant.Client{}, fmt.Errorf("registration: %w", err)
	}
	if len(answer) > maxRegistration {
		return grant.Client{}, fmt.Errorf("registration at %s: more than %d bytes", issuer.RegistrationEndpoint, maxRegistration)
	}
	return readRegistration(response.StatusCode, answer, issuer, method)
}

func readRegistration(status int, text []byte, issuer *discovery.Issuer, asked string) (grant.Client, error) {
	var got struct {
		ID          string  `json:"client_id"`
		Secret      string  `json:"client_secret"`
		AuthMethod  *string `json:"token_endpoint_auth_method"`
		Error       string  `json:"error"`
		Description string  `json:"error_description"`
	}
	err := json.Unmarshal(text, &got)
	if status != http.StatusCreated && status != http.StatusOK {
		if err == nil && got.Error != "" {
			return grant.Client{}, &RefusedError{Code: printable(got.Error), Description: printable(got.Description), Step: "registration"}
		}
		return grant.Client{}, fmt.Errorf("registration at %s: status %d, want 201", issuer.RegistrationEndpoint, status)
	}
	if err != nil || got.ID == "" || len(got.ID) > 2048 || strings.ContainsFunc(got.ID, func(r rune) bool { return r < ' ' || r > '~' }) {
		return grant.Client{}, fmt.Errorf("registration at %s: the answer has no client ID that could be used", issuer.RegistrationEndpoint)
	}
	client := grant.Client{ID: got.ID, Secret: got.Secret, AuthMethod: asked}
	if got.AuthMethod != nil {
		client.AuthMethod = *got.AuthMethod // the server may have chosen another one
	}
	if !slices.Contains(methods, client.AuthMethod) {
		return grant.Client{}, fmt.Errorf("registration at %s: no way to authenticate with %q", issuer.RegistrationEndpoint, printable(client.AuthMethod))
	}
	if client.AuthMethod != "none" && client.Secret == "" {
		return grant.Client{}, fmt.Errorf("registration at %s: %s without a client_secret", issuer.RegistrationEndpoint, client.AuthMethod)
	}
	return client, nil
}

// methods are the ways to authenticate at a token endpoint, the best first for a program on somebody's own machine: it can keep no secret.
var methods = []string{"none", "client_secret_basic", "client_secret_post"}

// chooseMethod takes the best that the server offers. A server that does not say takes client_secret_basic (RFC 8414 section 2), but public clients are what MCP is full of.
func chooseMethod(offered []string) (string, error) {
	if len(offered) == 0 {
		return "none", nil
	}
	for _, method := range methods {
		if slices.Contains(offered, method) {
			return method, nil
		}
	}
	return "", fmt.Errorf("the authorization server offers only %s to authenticate with", printable(strings.Join(offered, ", ")))
}

// Preregistered is a client whose ID was given out beforehand, with the way to authenticate that fits its secret and the server.
func Preregistered(issuer *discovery.Issuer, id, secret string) (grant.Client, error) {
	client := grant.Client{ID: id, Secret: secret, AuthMethod: "none"}
	if secret == "" {
		return client, nil
	}
	client.AuthMethod = "client_secret_basic"
	if len(issuer.AuthMethods) > 0 && !slices.Contains(issuer.AuthMethods, client.AuthMethod) {
		client.AuthMethod = "client_secret_post"
		if !slices.Contains(issuer.AuthMethods, client.AuthMethod) {
			return client, fmt.Errorf("the authorization server takes no client secret: it offers only %s", printable(strings.Join(issuer.AuthMethods, ", ")))
		}
	}
	return client, nil
}
