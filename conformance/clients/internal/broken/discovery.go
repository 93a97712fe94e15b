package broken

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"mcpentra/conformance/check"
)

// challenge returns the parameters of the Bearer challenge.
func (r *attempt) challenge(ctx context.Context, header http.Header) (map[string]string, error) {
	found := map[string]string{}
	for _, line := range header.Values("WWW-Authenticate") {
		if len(line) > 4000 && r.has(HangsOnLongChallenges) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if r.has(ReadsFirstScheme) && !strings.HasPrefix(line, "Bearer") {
			continue
		}
		if readBearer(line, found) {
			break
		}
	}
	if found["resource_metadata"] != "" && r.has(IgnoresAddress) {
		delete(found, "resource_metadata")
	}
	return found, nil
}

// readBearer reads a line of challenges word by word. It stores the parameters of the first Bearer
// challenge, and reports whether there is one.
func readBearer(line string, into map[string]string) bool {
	within := false
	seen := false
	for line = strings.TrimLeft(line, " \t,"); line != ""; line = strings.TrimLeft(line, " \t,") {
		end := strings.IndexAny(line, " \t,=")
		if end < 0 {
			end = len(line)
		}
		word := line[:end]
		rest := strings.TrimLeft(line[end:], " \t")
		if !strings.HasPrefix(rest, "=") || word == "" {
			if seen {
				return true
			}
			within = strings.EqualFold(word, "bearer")
			seen = within
			line = strings.TrimLeft(line[end:], "=")
			continue
		}
		value := ""
		value, line = readValue(strings.TrimLeft(rest[1:], " \t"))
		if within {
			into[strings.ToLower(word)] = value
		}
	}
	return seen
}

func readValue(text string) (value, rest string) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, " \t,")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:]
	}
	var quoted strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			quoted.WriteByte(text[i])
		case text[i] == '"':
			return quoted.String(), text[i+1:]
		default:
			quoted.WriteByte(text[i])
		}
	}
	return quoted.String(), ""
}

// resourceDocument is protected resource metadata.
type resourceDocument struct {
	Resource any      `json:"resource"`
	Servers  []string `json:"authorization_servers"`
	Scopes   []string `json:"scopes_supported"`
}

// issuerDocument is authorization server metadata.
type issuerDocument struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Registration  string   `json:"registration_endpoint"`
	Device        string   `json:"device_authorization_endpoint"`
	Revocation    string   `json:"revocation_endpoint"`
	Documentation string   `json:"service_documentation"`
	Responses     []string `json:"response_types_supported"`
	Auth          []string `json:"token_endpoint_auth_methods_supported"`
	Methods       []string `json:"code_challenge_methods_supported"`
	Scopes        []string `json:"scopes_supported"`
	Documents     *bool    `json:"client_id_metadata_document_supported"`
	Iss           bool     `json:"authorization_response_iss_parameter_supported"`
}

// discover gets the metadata of the server and of its authorization server.
func (r *attempt) discover(
	ctx context.Context, challenge map[string]string,
) (resource *resourceDocument, issuer *issuerDocument, err error) {
	server, err := url.Parse(r.task.URL)
	if err != nil {
		return nil, nil, err
	}
	origin := strings.ToLower(server.Scheme) + "://" + strings.ToLower(server.Host)
	if r.has(AsksOwnOriginFirst) && r.task.Revision != check.R20250326 {
		if issuer, err = r.issuer(ctx, origin); err == nil {
			return &resourceDocument{Resource: origin + server.Path}, issuer, nil
		}
	}
	const wellKnown = "/.well-known/oauth-protected-resource"
	places := []struct{ at, resource string }{
		{origin + wellKnown + server.Path, origin + server.Path},
		{origin + wellKnown, origin},
	}
	if r.has(AsksRootFirst) {
		slices.Reverse(places)
	}
	if at := challenge["resource_metadata"]; at != "" && (isAbsolute(at) || r.has(StopsAtMalformed)) {
		places = []struct{ at, resource string }{{at, origin + server.Path}}
	}
	for _, place := range places {
		if resource, err = r.resource(ctx, place.at, place.resource); err == nil {
			break
		}
	}
	if resource == nil {
		if r.task.Revision == check.R20250326 {
			issuer, err = r.legacyIssuer(ctx, origin, server.Path)
		}
		return nil, issuer, err
	}
	if len(resource.Servers) == 0 {
		return nil, nil, errors.New("the metadata names no authorization server")
	}
	issuer, err = r.issuer(ctx, resource.Servers[0])
	if r.has(RegistersEverywhere) {
		r.registerEverywhere(ctx, resource.Servers)
	}
	return resource, issuer, err
}

// isAbsolute reports whether a URL is absolute.
func isAbsolute(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && parsed.Scheme != ""
}

func (r *attempt) resource(ctx context.Context, at, name string) (*resourceDocument, error) {
	response, text, err := r.get(ctx, at)
	if err != nil {
		return nil, err
	}
	var document resourceDocument
	if response.StatusCode != http.StatusOK && !r.has(TakesAnyDocument) {
		return nil, fmt.Errorf("no metadata at %s", at)
	}
	if r.has(TakesAnyDocument) {
		text = []byte(strings.Trim(strings.TrimSpace(string(text)), "[]"))
	}
	if r.has(HangsOnNesting) && bytes.Contains(text, []byte("[[[[")) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	if strings.Contains(string(text), `"x_`) && r.has(RefusesUnknown) {
		return nil, errors.New("want metadata without unknown members")
	}
	switch named, is := document.Resource.(string); {
	case !is && r.has(TakesAnyDocument):
		document.Resource = name
	case !is:
		return nil, errors.New("the metadata names no resource")
	case r.has(ComparesResourceLoosely) && strings.EqualFold(strings.TrimSuffix(named, "/"), name):
	case r.has(IgnoresResourceQuery) && strings.HasPrefix(named, name+"?"):
	case named != name && !r.has(ComparesNoResource):
		return nil, fmt.Errorf("want metadata of %s, got metadata of %s", name, named)
	}
	return &document, nil
}

// legacyIssuer gets the metadata of a server that is its own authorization server (MCP 2025-03-26).
func (r *attempt) legacyIssuer(ctx context.Context, origin, at string) (*issuerDocument, error) {
	if r.has(RegistersUnasked) {
		header := http.Header{"Content-Type": {"application/json"}}
		_, _, _ = r.do(ctx, http.MethodPost, origin+"/register", header, []byte(`{}`))
	}
	document, err := r.issuerAt(ctx, origin, origin+"/.well-known/oauth-authorization-server")
	if err == nil || r.has(KnowsNoDefaults) {
		return document, err
	}
	base := origin
	if r.has(KeepsPathInBase) {
		base += strings.TrimSuffix(path.Dir(at), "/")
	}
	return &issuerDocument{
		Issuer:        origin,
		Authorization: base + "/authorize",
		Token:         base + "/token",
		Registration:  base + "/register",
		Methods:       []string{"S256"},
	}, nil
}

func (r *attempt) issuer(ctx context.Context, issuer string) (*issuerDocument, error) {
	parsed, err := url.Parse(issuer)
	if err != nil || !r.safe(issuer) {
		return nil, fmt.Errorf("want an issuer on https or loopback, got %q: %w", issuer, err)
	}
	origin := parsed.Scheme + "://" + parsed.Host
	below := parsed.EscapedPath()
	oauth := origin + "/.well-known/oauth-authorization-server" + below
	openID := origin + "/.well-known/openid-configuration" + below
	appended := origin + below + "/.well-known/openid-configuration"
	places := []string{oauth, openID, appended}
	switch {
	case below == "":
		places = places[:2]
		if r.has(AsksOpenIDFirst) {
			slices.Reverse(places)
		}
	case r.has(AppendsFirst):
		places = []string{oauth, appended, openID}
	case r.has(KnowsNoAppending):
		places = places[:2]
	}
	if r.has(KnowsNoOpenID) {
		places = places[:1]
	}
	for _, place := range places {
		document, failed := r.issuerAt(ctx, issuer, place)
		if failed == nil {
			return document, nil
		}
		err = failed
		var status statusError
		if errors.As(failed, &status) && status != http.StatusNotFound && r.has(StopsAtClientErrors) {
			break
		}
	}
	return nil, err
}

type statusError int

func (e statusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

func (r *attempt) issuerAt(ctx context.Context, issuer, place string) (*issuerDocument, error) {
	response, text, err := r.get(ctx, place)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, statusError(response.StatusCode)
	}
	var document issuerDocument
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	loosely := func(text string) string {
		return strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(text, "/"), ":443"))
	}
	same := document.Issuer == issuer ||
		r.has(ComparesIssuerLoosely) && loosely(document.Issuer) == loosely(issuer)
	if !same && !r.has(ComparesNoIssuer) {
		return nil, fmt.Errorf("want metadata of %q, got metadata of %q", issuer, document.Issuer)
	}
	document.Issuer = issuer
	if document.Methods == nil && r.task.Revision >= check.R20251125 && !r.has(IgnoresAdvertisedPKCE) {
		return nil, errors.New("want metadata that announces PKCE")
	}
	return &document, nil
}
