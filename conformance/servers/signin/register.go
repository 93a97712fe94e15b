package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// A registration is the answer to a client's registration (RFC 7591 section 3.2.1).
type registration struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
	Method string `json:"token_endpoint_auth_method"`
}

// register registers a public client with every scope that an authorization will ask for. If the
// server refuses that, register asks for less.
func (f *flow) register(ctx context.Context) error {
	if f.issuer.Registration == "" {
		return errors.New("sign-in: want registration_endpoint in the metadata, got none; " +
			"give a registered client with --client-id, or a token with --token-file")
	}
	redirect := f.callbacks.redirect
	client, err := f.registerWith(ctx, redirect, f.all, "authorization_code", "refresh_token")
	if refused := (*Refused)(nil); errors.As(err, &refused) {
		f.all = f.scopes
		client, err = f.registerWith(ctx, redirect, f.scopes, "authorization_code")
	}
	if err != nil {
		return err
	}
	style := oauth2.AuthStyleInParams
	if client.Secret != "" && client.Method != "client_secret_post" {
		style = oauth2.AuthStyleInHeader // the default of RFC 7591 section 2
	}
	f.setClient(client.ID, client.Secret, style)
	return nil
}

// useRegistered uses the client that is registered.
func (f *flow) useRegistered(context.Context) error {
	style := oauth2.AuthStyleInParams
	methods := f.issuer.AuthMethods
	// client_secret_basic is the default of RFC 8414 section 2.
	if f.signIn.ClientSecret != "" && (methods == nil || slices.Contains(methods, "client_secret_basic")) {
		style = oauth2.AuthStyleInHeader
	}
	f.setClient(f.signIn.ClientID, f.signIn.ClientSecret, style)
	return nil
}

func (f *flow) setClient(id, secret string, style oauth2.AuthStyle) {
	f.client = oauth2.Config{
		ClientID:     id,
		ClientSecret: secret,
		RedirectURL:  f.callbacks.redirect,
		Endpoint: oauth2.Endpoint{
			AuthURL:   f.issuer.Authorization,
			TokenURL:  f.issuer.Token,
			AuthStyle: style,
		},
	}
}

func (f *flow) registerWith(
	ctx context.Context, redirect string, scopes []string, grants ...string,
) (*registration, error) {
	metadata := map[string]any{
		"client_name":                "mcp-auth-conformance",
		"redirect_uris":              []string{redirect},
		"grant_types":                grants,
		"response_types":             []string{"code"},
		"token_endpoint_auth_method": "none",
		"application_type":           "native",
	}
	if len(scopes) > 0 {
		metadata["scope"] = strings.Join(scopes, " ")
	}
	text, err := json.Marshal(metadata)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.issuer.Registration, bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("sign-in: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	client := &registration{}
	if err := f.answer("registration", request, client); err != nil {
		return nil, err
	}
	if client.ID == "" {
		return nil, errors.New("sign-in: the answer to the registration has no client_id")
	}
	return client, nil
}

// answer sends a request and decodes the answer. An answer 4xx is a *Refused.
func (f *flow) answer(step string, request *http.Request, into any, secrets ...string) error {
	status, body, err := f.signIn.do(request)
	if err != nil {
		return err
	}
	switch {
	case status/100 == 4:
		return refusal(step, status, body, secrets...)
	case status/100 != 2:
		shown := cleaned(string(body), secrets...)
		return fmt.Errorf("sign-in: %s: want status 200 or 201, got %d: %q", step, status, shown)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("sign-in: %s: %w", step, err)
	}
	return nil
}
