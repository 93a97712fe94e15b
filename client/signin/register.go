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
	"mcpentra/client/internal/printable"
	"mcpentra/client/tokenrequest"
)

// ErrNoRegistration says that the authorization server has no registration endpoint, so the client
// needs an ID from its operator.
var ErrNoRegistration = errors.New(
	"the authorization server does not register clients: ask its operator for a client ID and set MCP_CLIENT_ID",
)

const (
	maxRegistration     = 1 << 20 // bytes of a response
	maxClientID         = 2048    // bytes
	registrationTimeout = 30 * time.Second
)

// A Program describes the client to register.
type Program struct {
	Name        string
	RedirectURI string
	// Scopes limit what the client can request later (RFC 7591 section 2). Empty sets no limit.
	Scopes []string
	// DeviceCode says that the program uses device codes (RFC 8628).
	DeviceCode bool
}

// clientMetadata is a registration request (RFC 7591 section 2).
type clientMetadata struct {
	Name            string   `json:"client_name"`
	RedirectURIs    []string `json:"redirect_uris"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	ApplicationType string   `json:"application_type"`
	Scope           string   `json:"scope,omitempty"`
}

// Register registers a program with an authorization server (RFC 7591), as a native application
// that listens on loopback. If the server refuses the metadata, Register leaves out the scopes, and
// then registers a web application, because some servers know no other kind.
func Register(
	ctx context.Context,
	client *http.Client,
	issuer *discovery.Issuer,
	program Program,
) (tokenrequest.Client, error) {
	if issuer.RegistrationEndpoint == "" {
		return tokenrequest.Client{}, ErrNoRegistration
	}
	method, err := chooseMethod(issuer.AuthMethods)
	if err != nil {
		return tokenrequest.Client{}, err
	}
	metadata := clientMetadata{
		Name:            program.Name,
		RedirectURIs:    []string{program.RedirectURI},
		GrantTypes:      []string{"authorization_code", "refresh_token"},
		ResponseTypes:   []string{"code"},
		AuthMethod:      method,
		ApplicationType: "native",
		Scope:           strings.Join(program.Scopes, " "),
	}
	if program.DeviceCode {
		metadata.GrantTypes = append(metadata.GrantTypes, "urn:ietf:params:oauth:grant-type:device_code")
	}
	registered, err := register(ctx, client, issuer, metadata)
	if isMetadataRefused(err) && metadata.Scope != "" {
		metadata.Scope = ""
		registered, err = register(ctx, client, issuer, metadata)
	}
	if isMetadataRefused(err) {
		metadata.ApplicationType = "web"
		if web, err := register(ctx, client, issuer, metadata); err == nil {
			return web, nil
		}
	}
	return registered, err
}

func isMetadataRefused(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Code == "invalid_client_metadata"
}

// register sends one registration request.
func register(
	ctx context.Context,
	client *http.Client,
	issuer *discovery.Issuer,
	metadata clientMetadata,
) (tokenrequest.Client, error) {
	text, err := json.Marshal(metadata)
	if err != nil {
		return tokenrequest.Client{}, fmt.Errorf("registration: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, registrationTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer.RegistrationEndpoint, bytes.NewReader(text))
	if err != nil {
		return tokenrequest.Client{}, fmt.Errorf("registration: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	withoutRedirects := http.Client{}
	if client != nil {
		withoutRedirects = *client
	}
	withoutRedirects.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := withoutRedirects.Do(request)
	if err != nil {
		return tokenrequest.Client{}, fmt.Errorf("registration: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxRegistration+1))
	if err != nil {
		return tokenrequest.Client{}, fmt.Errorf("registration: %w", err)
	}
	if len(body) > maxRegistration {
		return tokenrequest.Client{}, fmt.Errorf(
			"registration at %s: the response has more than %d bytes",
			issuer.RegistrationEndpoint,
			maxRegistration,
		)
	}
	if refusal := tokenrequest.ReadRefusal(response.Header.Get("Content-Type"), body); refusal.Code != "" {
		return tokenrequest.Client{}, &RefusedError{
			Step:        "registration",
			Code:        refusal.Code,
			Description: refusal.Description,
		}
	}
	registered, err := readRegistration(response.StatusCode, body, metadata.AuthMethod)
	if err != nil {
		return tokenrequest.Client{}, fmt.Errorf("registration at %s: %w", issuer.RegistrationEndpoint, err)
	}
	return registered, nil
}

// readRegistration reads a registration response (RFC 7591 section 3.2.1). requested is the
// requested authentication method; the server may choose another one.
func readRegistration(status int, body []byte, requested string) (tokenrequest.Client, error) {
	if status/100 != 2 { // some servers answer with another 2xx than 201
		return tokenrequest.Client{}, fmt.Errorf("want status 201, got status %d", status)
	}
	var response struct {
		ID         string  `json:"client_id"`
		Secret     string  `json:"client_secret"`
		AuthMethod *string `json:"token_endpoint_auth_method"`
		Expires    any     `json:"client_secret_expires_at"`
	}
	if err := json.Unmarshal(body, &response); err != nil || !isClientID(response.ID) {
		return tokenrequest.Client{}, fmt.Errorf(
			"want a client_id of 1 to %d printable ASCII characters, got none or another",
			maxClientID,
		)
	}
	client := tokenrequest.Client{ID: response.ID, Secret: response.Secret, AuthMethod: requested}
	if expires, is := response.Expires.(float64); is && expires > 0 && expires < 1<<53 {
		client.SecretExpiresAt = int64(expires)
	}
	if response.AuthMethod != nil {
		client.AuthMethod = *response.AuthMethod
	}
	if !slices.Contains(methods, client.AuthMethod) {
		return tokenrequest.Client{}, fmt.Errorf(
			"want one of %s as token_endpoint_auth_method, got %q",
			strings.Join(methods, ", "),
			printable.Text(client.AuthMethod),
		)
	}
	if client.AuthMethod != "none" && client.Secret == "" {
		return tokenrequest.Client{}, fmt.Errorf("want a client_secret for %s, got none", client.AuthMethod)
	}
	return client, nil
}

func isClientID(id string) bool {
	isOther := func(r rune) bool { return r < ' ' || r > '~' }
	return id != "" && len(id) <= maxClientID && !strings.ContainsFunc(id, isOther)
}

// methods are the authentication methods that a registration can have, in order of preference. A
// program on a person's machine can keep no secret, so none comes first.
var methods = []string{"none", "client_secret_basic", "client_secret_post"}

// chooseMethod returns the preferred method among those that a server offers. By RFC 8414 section
// 2, a server without a list accepts client_secret_basic. It gets none instead, because most MCP
// clients are public.
func chooseMethod(offered []string) (string, error) {
	if len(offered) == 0 {
		return "none", nil
	}
	for _, method := range methods {
		if slices.Contains(offered, method) {
			return method, nil
		}
	}
	return "", fmt.Errorf(
		"want one of %s among the authentication methods of the authorization server, got %s; "+
			"ask its operator for a client ID and set MCP_CLIENT_ID",
		strings.Join(methods, ", "),
		printable.Text(strings.Join(offered, ", ")),
	)
}
