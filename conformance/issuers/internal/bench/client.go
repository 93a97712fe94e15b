package bench

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"mcpentra/conformance/check"
)

// The redirect URIs that checks register. A scripted browser never connects to them. The host of
// SiteRedirect is in the domain example, which belongs to no person.
const (
	LoopbackRedirect = "http://127.0.0.1:33418/callback"
	SiteRedirect     = "https://mcp-auth-conformance.example/callback"
)

// Members are members of a registration. A nil value leaves one out.
type Members map[string]any

// Registration returns the members of a good registration of a public client, with changes.
func Registration(changes Members) []byte {
	members := Members{
		"client_name":                "mcp-auth-conformance",
		"redirect_uris":              []string{LoopbackRedirect},
		"grant_types":                []string{"authorization_code", "refresh_token"},
		"response_types":             []string{"code"},
		"token_endpoint_auth_method": "none",
		"application_type":           "native",
	}
	for name, value := range changes {
		if value == nil {
			delete(members, name)
			continue
		}
		members[name] = value
	}
	text, _ := json.Marshal(members) // all members are plain values
	return text
}

// A Registered is a client as the answer to its registration describes it.
type Registered struct {
	ID           string   `json:"client_id"`
	Secret       string   `json:"client_secret"`
	RedirectURIs []string `json:"redirect_uris"`
	Method       string   `json:"token_endpoint_auth_method"`
}

// Client returns the client, with its first redirect URI.
func (r *Registered) Client() *Client {
	made := &Client{ID: r.ID, Secret: r.Secret, Method: r.Method}
	if r.Method == "none" {
		made.Secret = ""
	}
	if len(r.RedirectURIs) > 0 {
		made.RedirectURI = r.RedirectURIs[0]
	}
	return made
}

// Register sends a registration (RFC 7591 section 3.1). The client is nil if the server refuses it.
func (p *Probe) Register(ctx context.Context, body []byte) (*Answer, *Registered, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, nil, err
	}
	if metadata.RegistrationEndpoint == "" {
		return nil, nil, &check.NotApplicable{Reason: "clients cannot register themselves"}
	}
	answer, err := p.Send(ctx, Request{
		URL:    metadata.RegistrationEndpoint,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   body,
	})
	if err != nil {
		return nil, nil, err
	}
	registered := &Registered{}
	if err := json.Unmarshal(answer.Body, registered); err != nil || answer.Status/100 != 2 || registered.ID == "" {
		return answer, nil, nil
	}
	p.secrets.Add(registered.Secret)
	return answer, registered, nil
}

// MustRegister registers a client without a flaw. The check cannot be done if that fails.
func (p *Probe) MustRegister(ctx context.Context, changes Members) (*Registered, error) {
	if _, isGiven := changes["redirect_uris"]; p.target.isReal() && !isGiven {
		changes = maps.Clone(changes)
		if changes == nil {
			changes = Members{}
		}
		changes["redirect_uris"] = []string{p.RedirectURI()}
	}
	answer, registered, err := p.Register(ctx, Registration(changes))
	switch {
	case err != nil:
		return nil, err
	case registered == nil && (answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden):
		return nil, &check.NotApplicable{Reason: "a registration needs an initial access token"}
	case registered == nil:
		return nil, cannotJudge("the control failed: a registration is answered with "+answer.String(), answer.Status)
	}
	if registered.RedirectURIs == nil {
		var sent struct {
			RedirectURIs []string `json:"redirect_uris"`
		}
		_ = json.Unmarshal(Registration(changes), &sent)
		registered.RedirectURIs = sent.RedirectURIs
	}
	return registered, nil
}

// Public returns a new public client, or one that was registered beforehand.
func (p *Probe) Public(ctx context.Context) (*Client, error) {
	return p.clientOf(ctx, 0, (*Client).isPublic, Members{})
}

// Second returns another public client than Public.
func (p *Probe) Second(ctx context.Context) (*Client, error) {
	return p.clientOf(ctx, 1, (*Client).isPublic, Members{"client_name": "mcp-auth-conformance 2"})
}

// Confidential returns a new client with a secret, or one that was registered beforehand.
func (p *Probe) Confidential(ctx context.Context) (*Client, error) {
	members, err := p.WithSecret(ctx)
	if err != nil {
		return nil, err
	}
	isConfidential := func(c *Client) bool { return !c.isPublic() }
	made, err := p.clientOf(ctx, 0, isConfidential, members)
	if err == nil && made.Secret == "" {
		return nil, &check.NotApplicable{Reason: "no client with a secret can register"}
	}
	return made, err
}

// App returns the target's client that calls for itself.
func (p *Probe) App() *Client {
	p.secrets.Add(p.target.App.Secret)
	return p.target.App
}

// WithSecret returns the members of a registration that asks for a secret, with a method that the
// server advertises.
func (p *Probe) WithSecret(ctx context.Context) (Members, error) {
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	method := metadata.SecretMethod()
	if method == "" {
		return nil, &check.NotApplicable{Reason: "the server advertises no method with a client secret"}
	}
	return Members{"token_endpoint_auth_method": method}, nil
}

// clientOf returns a new client. Without registration it returns the client with a number of those
// that were registered beforehand.
func (p *Probe) clientOf(
	ctx context.Context, number int, fits func(*Client) bool, changes Members,
) (*Client, error) {
	var given []Client
	for _, candidate := range p.target.Clients {
		if fits(&candidate) {
			given = append(given, candidate)
		}
	}
	metadata, err := p.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	if metadata.RegistrationEndpoint == "" || len(p.target.Clients) > 0 {
		if number >= len(given) {
			return nil, &check.NotApplicable{Reason: "no client of this kind can register, and none is given"}
		}
		p.secrets.Add(given[number].Secret)
		return &given[number], nil
	}
	registered, err := p.MustRegister(ctx, changes)
	if err != nil {
		return nil, err
	}
	return registered.Client(), nil
}

// authMethod returns the method with which a client authenticates.
func (c *Client) authMethod() string {
	switch {
	case c.Secret == "":
		return "none"
	case c.Method == "" || c.Method == "none":
		return "client_secret_basic"
	}
	return c.Method
}

// Basic returns the credentials of a client for the Authorization header (RFC 6749 section 2.3.1).
func Basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// Authenticated returns a request of a client with its credentials to an endpoint that takes forms.
func (p *Probe) Authenticated(endpoint string, client *Client, form url.Values) Request {
	request := Request{URL: endpoint, Form: url.Values{}, Header: http.Header{}}
	for name, values := range form {
		request.Form[name] = slices.Clone(values)
	}
	switch method := client.authMethod(); method {
	case "client_secret_basic":
		request.Header.Set("Authorization", Basic(client.ID, client.Secret))
	case "client_secret_post":
		request.Form.Set("client_id", client.ID)
		request.Form.Set("client_secret", client.Secret)
	default:
		request.Form.Set("client_id", client.ID)
	}
	return request
}

// unknownStatus describes an answer that is neither a success nor a refusal.
func unknownStatus(answer *Answer) error {
	return &check.CannotJudge{Reason: fmt.Sprintf("the server is busy: %s", answer)}
}
