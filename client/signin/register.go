package signin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"mcpentra/client/discovery"
	"mcpentra/client/tokenrequest"
)

// ErrNoRegistration says that the authorization server registers nobody, so that a client ID has to
// be had beforehand.
var ErrNoRegistration = errors.New(
	"the authorization server does not register clients: ask its operator for a client ID and set MCP_CLIENT_ID",
)

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

// A Program is what registers.
type Program struct {
	Name, RedirectURI string
	// Scopes are a limit to what the client can ask for later (RFC 7591 section 2). Empty sets
	// none.
	Scopes     []string
	DeviceCode bool // it has people approve on another device
}

// Register registers the program with an authorization server (RFC 7591), as a native application
// that listens on loopback. A server that refuses what the program says of itself is asked again
// without the scopes, and then as if for a web application, since there are servers that know no
// other.
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
	got, err := registerAs(ctx, client, issuer, metadata)
	var refused *RefusedError
	if errors.As(err, &refused) && refused.Code == "invalid_client_metadata" && metadata.Scope != "" {
		metadata.Scope = ""
		got, err = registerAs(ctx, client, issuer, metadata)
	}
	if errors.As(err, &refused) && refused.Code == "invalid_client_metadata" {
		metadata.ApplicationType = "web"
		if other, otherErr := registerAs(ctx, client, issuer, metadata); otherErr == nil {
			return other, nil
		}
	}
	return got, err
}

func registerAs(
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
	once := http.Client{}
	if client != nil {
		once = *client
	}
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := once.Do(request)
	if err != nil {
		return tokenrequest.Client{}, fmt.Errorf("registration: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxRegistration+1))
	if err != nil {
		return tokenrequest.Client{}, fmt.Errorf("registration: %w", err)
	}
	if len(answer) > maxRegistration {
		return tokenrequest.Client{}, fmt.Errorf(
			"registration at %s: more than %d bytes",
			issuer.RegistrationEndpoint,
			maxRegistration,
		)
	}
	if refused := tokenrequest.ReadRefusal(response.Header.Get("Content-Type"), answer); refused.Code != "" {
		return tokenrequest.Client{}, &RefusedError{Step: "registration", Code: refused.Code, Description: refused.Description}
	}
	return readRegistration(response.StatusCode, answer, issuer, metadata.AuthMethod)
}

func readRegistration(status int, text []byte, issuer *discovery.Issuer, asked string) (tokenrequest.Client, error) {
	var got struct {
		ID         string  `json:"client_id"`
		Secret     string  `json:"client_secret"`
		AuthMethod *string `json:"token_endpoint_auth_method"`
	}
	err := json.Unmarshal(text, &got)
	if status/100 != 2 { // some servers answer with another than 201
		return tokenrequest.Client{}, fmt.Errorf(
			"registration at %s: status %d, want 201",
			issuer.RegistrationEndpoint,
			status,
		)
	}
	if err != nil || got.ID == "" || len(got.ID) > 2048 ||
		strings.ContainsFunc(got.ID, func(r rune) bool { return r < ' ' || r > '~' }) {
		return tokenrequest.Client{}, fmt.Errorf(
			"registration at %s: the answer has no client ID that could be used",
			issuer.RegistrationEndpoint,
		)
	}
	client := tokenrequest.Client{ID: got.ID, Secret: got.Secret, AuthMethod: asked}
	if got.AuthMethod != nil {
		client.AuthMethod = *got.AuthMethod // the server may have chosen another one
	}
	if !slices.Contains(methods, client.AuthMethod) {
		return tokenrequest.Client{}, fmt.Errorf(
			"registration at %s: no way to authenticate with %q",
			issuer.RegistrationEndpoint,
			printable(client.AuthMethod),
		)
	}
	if client.AuthMethod != "none" && client.Secret == "" {
		return tokenrequest.Client{}, fmt.Errorf(
			"registration at %s: %s without a client_secret",
			issuer.RegistrationEndpoint,
			client.AuthMethod,
		)
	}
	return client, nil
}

// methods are the ways to authenticate at a token endpoint, the best first for a program on
// somebody's own machine: it can keep no secret.
var methods = []string{"none", "client_secret_basic", "client_secret_post"}

// chooseMethod takes the best that the server offers. A server that does not say takes
// client_secret_basic (RFC 8414 section 2), but public clients are what MCP is full of.
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
		"the authorization server offers only %s to authenticate with",
		printable(strings.Join(offered, ", ")),
	)
}

// Preregistered is a client whose ID was given out beforehand, with the way to authenticate that
// fits what it has, a key or a secret, and the server.
func Preregistered(issuer *discovery.Issuer, id, secret string, key bool) (tokenrequest.Client, error) {
	client := tokenrequest.Client{ID: id, Secret: secret, AuthMethod: "none"}
	takes := func(method string) bool { return slices.Contains(issuer.AuthMethods, method) }
	switch {
	case key:
		client.AuthMethod = "private_key_jwt"
		if len(issuer.AuthMethods) > 0 && !takes(client.AuthMethod) {
			return client, fmt.Errorf(
				"the authorization server takes no key: it offers only %s",
				printable(strings.Join(issuer.AuthMethods, ", ")),
			)
		}
	case secret == "":
	case len(issuer.AuthMethods) == 0 || takes("client_secret_basic"):
		client.AuthMethod = "client_secret_basic"
	case takes("client_secret_post"):
		client.AuthMethod = "client_secret_post"
	default:
		return client, fmt.Errorf(
			"the authorization server takes no client secret: it offers only %s",
			printable(strings.Join(issuer.AuthMethods, ", ")),
		)
	}
	return client, nil
}

// CheckClientDocument says why an address cannot be a client ID (OAuth Client ID Metadata Document,
// section 2): it has to be https, with a path, and without fragment, user information or dot
// segments.
func CheckClientDocument(address string) error {
	parsed, err := url.Parse(address)
	switch {
	case err != nil || parsed.Scheme != "https" || parsed.Host == "":
		return fmt.Errorf("client ID metadata document: want an https URL, got %q", printable(address))
	case parsed.Path == "" || parsed.Path == "/":
		return fmt.Errorf("client ID metadata document: want a URL with a path, got %q", printable(address))
	case parsed.User != nil || strings.Contains(address, "#"):
		return errors.New("client ID metadata document: the URL has user information or a fragment")
	}
	for segment := range strings.SplitSeq(parsed.Path, "/") {
		if segment == "." || segment == ".." {
			return fmt.Errorf(
				"client ID metadata document: want a URL without dot segments, got %q",
				printable(address),
			)
		}
	}
	return nil
}
