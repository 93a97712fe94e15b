package checks_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/checks"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/broken"
	"mcpentra/conformance/internal/exchange"
	"mcpentra/conformance/loopback"
)

// lies has, for some checks, the rules that the documents of their labs break on purpose.
var lies = map[string][]string{
	"client/address/injection": {
		"oauth: authorization_endpoint is a URL",
		"oauth: registration_endpoint is a URL",
		"oauth: token_endpoint is a URL",
	},
	"client/authorization/code-only": {
		"oauth: grant_types_supported lists a grant of OAuth 2.1",
		"oauth: response_types_supported lists code",
	},
	"client/iss/accepted":    {"oauth: authorization_response_iss_parameter_supported is true"},
	"client/iss/unannounced": {"oauth: authorization_response_iss_parameter_supported is true"},
	"client/issuer/foreign": {
		"oauth: issuer is the issuer of the location",
		"openid: issuer is the issuer of the location",
	},
	"client/issuer/identical": {
		"oauth: issuer is the issuer of the location",
		"openid: issuer is the issuer of the location",
	},
	"client/issuer/port": {
		"oauth: issuer is the issuer of the location",
		"openid: issuer is the issuer of the location",
	},
	"client/limit/metadata": {
		"oauth: the document has at most a mebibyte",
		"openid: the document has at most a mebibyte",
		"resource: the document has at most a mebibyte",
	},
	"client/limit/nested":   {"resource: the document is a JSON object"},
	"client/limit/slow":     {"resource: the document ends"},
	"client/limit/unpacked": {"resource: the document has at most a mebibyte"},
	"client/metadata/invalid": {
		"resource: resource is the resource of the location",
		"resource: the document is a JSON object",
	},
	"client/metadata/query": {"resource: resource is the resource of the location"},
	"client/metadata/several-servers": {
		"resource: authorization_servers is a list of strings",
		"resource: authorization_servers lists issuers",
	},
	"client/metadata/resource": {"resource: resource is the resource of the location"},
	"client/open/allowlist":    {"oauth: authorization_endpoint is a URL"},
	"client/open/scheme":       {"oauth: authorization_endpoint is a URL"},
	"client/pkce/gate": {
		"oauth: code_challenge_methods_supported lists S256",
		"openid: code_challenge_methods_supported lists S256",
	},
	"client/pkce/never-plain": {
		"oauth: code_challenge_methods_supported is a list of strings",
		"oauth: code_challenge_methods_supported lists S256",
	},
}

// TestDocumentsKeepTheirRules reads the metadata of every lab in which a check runs a client, at
// every revision. A document breaks only the rules that lies names.
func TestDocumentsKeepTheirRules(t *testing.T) {
	t.Parallel()
	for _, current := range checks.All() {
		t.Run(current.ID, func(t *testing.T) {
			t.Parallel()
			reader := &reader{broken: map[string]bool{}}
			target := broken.Client()
			run := target.Run
			target.Run = func(ctx context.Context, task bench.Task) error {
				err := run(ctx, task)
				reader.readAll(t.Context(), task)
				return err
			}
			bench.Run(t.Context(), current, target)
			want := lies[current.ID]
			assert.ElementsMatch(t, want, slices.Collect(maps.Keys(reader.broken)))
		})
	}
}

// reader reads the metadata of a lab.
type reader struct {
	mu     sync.Mutex
	broken map[string]bool // rules that a document broke
}

// readTimeout bounds a request for a document. Some labs never answer. A pause of the machine does
// not count.
const readTimeout = time.Second

// maxText bounds a document in bytes. Some labs serve endless ones.
const maxText = 1 << 20

// readAll reads every document that leads from the MCP endpoint of a task to an authorization
// server.
func (r *reader) readAll(ctx context.Context, task bench.Task) {
	client, err := clientFor(task)
	if err != nil {
		return
	}
	defer client.CloseIdleConnections()
	endpoint, err := url.Parse(strings.ToLower(task.URL))
	if err != nil {
		return
	}
	origin := endpoint.Scheme + "://" + endpoint.Host
	if task.Revision == check.R20250326 {
		r.readIssuer(ctx, client, task, origin)
		return
	}
	// A document here would be a trap: the metadata names another authorization server.
	r.readIssuer(ctx, client, task, origin)
	r.readIssuer(ctx, client, task, origin+endpoint.Path)
	const wellKnown = "/.well-known/oauth-protected-resource"
	resources := map[string]string{
		origin + wellKnown:                 origin,
		origin + wellKnown + endpoint.Path: origin + endpoint.Path,
	}
	if named := challenged(ctx, client, task.URL); named != "" {
		resources[named] = origin + endpoint.Path
	}
	for at, resource := range resources {
		document := r.document(ctx, client, "resource", at)
		if document == nil {
			continue
		}
		r.judgeResource(document, resource)
		servers, _ := document["authorization_servers"].([]any)
		for _, server := range servers {
			if issuer, is := server.(string); is {
				r.readIssuer(ctx, client, task, issuer)
			}
		}
	}
}

// clientFor returns an HTTP client that reaches the lab of a task.
func clientFor(task bench.Task) (*http.Client, error) {
	transport := &http.Transport{DialContext: loopback.Dial}
	if task.Proxy != "" {
		proxy, err := url.Parse(task.Proxy)
		if err != nil {
			return nil, err
		}
		transport.Proxy = func(request *http.Request) (*url.URL, error) {
			if isLocal(request.URL.Hostname()) {
				return nil, nil
			}
			return proxy, nil
		}
	}
	if task.CAFile != "" {
		text, err := os.ReadFile(task.CAFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// challengedURL is the parameter of a challenge that names the metadata.
var challengedURL = regexp.MustCompile(`resource_metadata="(https?://[^"]+)"`)

// challenged returns the URL of the metadata in the challenge of a 401, or "".
func challenged(ctx context.Context, client *http.Client, endpoint string) string {
	const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`
	ctx, cancel := exchange.Within(ctx, readTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(initialize))
	if err != nil {
		return ""
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	found := challengedURL.FindStringSubmatch(strings.Join(response.Header.Values("WWW-Authenticate"), ", "))
	if found == nil {
		return ""
	}
	return found[1]
}

// readIssuer reads the documents of an authorization server.
func (r *reader) readIssuer(ctx context.Context, client *http.Client, task bench.Task, issuer string) {
	parsed, err := url.Parse(issuer)
	if err != nil {
		return
	}
	origin := parsed.Scheme + "://" + parsed.Host
	for kind, places := range map[string][]string{
		"oauth": {origin + "/.well-known/oauth-authorization-server" + parsed.Path},
		"openid": {
			origin + "/.well-known/openid-configuration" + parsed.Path,
			origin + parsed.Path + "/.well-known/openid-configuration",
		},
	} {
		for _, at := range places {
			if document := r.document(ctx, client, kind, at); document != nil {
				r.judgeIssuer(ctx, client, kind, document, issuer, task.Revision)
			}
		}
	}
}

// document returns the JSON object at a URL, or nil if there is none. It asks only hosts of a lab.
func (r *reader) document(ctx context.Context, client *http.Client, kind, at string) map[string]any {
	parsed, err := url.Parse(at)
	isLab := err == nil && (isLocal(parsed.Hostname()) || strings.HasPrefix(parsed.Hostname(), "login.example."))
	if !isLab && !strings.HasSuffix(parsed.Hostname(), "mcp.example.com") {
		return nil
	}
	ctx, cancel := exchange.Within(ctx, readTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil
	}
	response, err := client.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxText+1))
	var document map[string]any
	switch {
	case err != nil && len(text) < maxText:
		r.breaks(kind, "the document ends")
		return nil
	case len(text) > maxText:
		r.breaks(kind, "the document has at most a mebibyte")
		return nil
	case json.Unmarshal(text, &document) != nil:
		r.breaks(kind, "the document is a JSON object")
		return nil
	}
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	r.want(media == "application/json", kind, "the media type is application/json")
	return document
}

// isLocal reports whether a host is on loopback.
func isLocal(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

// judgeResource tries the rules of RFC 9728 sections 2 and 3.3.
func (r *reader) judgeResource(document map[string]any, resource string) {
	r.want(document["resource"] == resource, "resource", "resource is the resource of the location")
	servers, _ := document["authorization_servers"].([]any)
	isServer := func(server any) bool { return isURL(server) && !strings.ContainsAny(server.(string), "?#") }
	r.want(len(servers) > 0 && all(servers, isServer), "resource", "authorization_servers lists issuers")
	r.want(all(document["bearer_methods_supported"].([]any), func(method any) bool { return method == "header" }),
		"resource", "bearer_methods_supported lists known methods")
	r.judgeLists("resource", document)
}

// judgeIssuer tries the rules of RFC 8414 sections 2 and 3.3, RFC 9207 section 3 and MCP. An OpenID
// Connect document must also keep the rules of OpenID Connect Discovery.
func (r *reader) judgeIssuer(
	ctx context.Context,
	client *http.Client,
	kind string,
	document map[string]any,
	issuer string,
	revision check.Revision,
) {
	r.want(document["issuer"] == issuer, kind, "issuer is the issuer of the location")
	r.want(isURL(issuer) && !strings.ContainsAny(issuer, "?#"), kind, "issuer is a URL without query or fragment")
	r.want(isURL(document["authorization_endpoint"]), kind, "authorization_endpoint is a URL")
	r.want(isURL(document["token_endpoint"]), kind, "token_endpoint is a URL")
	for name, value := range document {
		isEndpoint := strings.HasSuffix(name, "_endpoint") || strings.HasSuffix(name, "_uri")
		r.want(!isEndpoint || isURL(value), kind, name+" is a URL")
		endpoint, isMethods := strings.CutSuffix(name, "_auth_methods_supported")
		usesAssertions := has(document, name, "private_key_jwt") || has(document, name, "client_secret_jwt")
		_, hasAlgorithms := document[endpoint+"_auth_signing_alg_values_supported"]
		r.want(!isMethods || !usesAssertions || hasAlgorithms, kind, endpoint+" lists algorithms for assertions")
	}
	r.want(has(document, "response_types_supported", "code"), kind, "response_types_supported lists code")
	pkce := has(document, "code_challenge_methods_supported", "S256")
	r.want(pkce, kind, "code_challenge_methods_supported lists S256")
	r.want(listsGrant(document), kind, "grant_types_supported lists a grant of OAuth 2.1")
	r.judgeLists(kind, document)
	if revision == check.R20260728 {
		announced := document["authorization_response_iss_parameter_supported"] == true
		r.want(announced, kind, "authorization_response_iss_parameter_supported is true")
	}
	if kind == "openid" {
		r.judgeOpenID(ctx, client, document)
	}
}

// judgeOpenID tries the rules of OpenID Connect Discovery 1.0 section 3.
func (r *reader) judgeOpenID(ctx context.Context, client *http.Client, document map[string]any) {
	kinds, _ := document["subject_types_supported"].([]any)
	known := func(kind any) bool { return kind == "public" || kind == "pairwise" }
	r.want(len(kinds) > 0 && all(kinds, known), "openid", "subject_types_supported lists known types")
	signed := has(document, "id_token_signing_alg_values_supported", "RS256")
	r.want(signed, "openid", "id_token_signing_alg_values_supported lists RS256")
	at, _ := document["jwks_uri"].(string)
	keys, _ := r.document(ctx, client, "openid", at)["keys"].([]any)
	r.want(len(keys) > 0, "openid", "jwks_uri leads to keys")
}

// judgeLists wants strings in every list, and no empty list (RFC 8414 section 3.2).
func (r *reader) judgeLists(kind string, document map[string]any) {
	isString := func(value any) bool { _, is := value.(string); return is }
	for name, value := range document {
		list, isList := value.([]any)
		if isList && !strings.HasPrefix(name, "x_") {
			r.want(len(list) > 0 && all(list, isString), kind, name+" is a list of strings")
		}
	}
}

// listsGrant reports whether a document lists a grant that is in use.
func listsGrant(document map[string]any) bool {
	for _, grant := range []string{
		"authorization_code",
		"client_credentials",
	} {
		if has(document, "grant_types_supported", grant) {
			return true
		}
	}
	return false
}

// isURL reports whether a value is an absolute URL on http or https without a fragment.
func isURL(value any) bool {
	text, _ := value.(string)
	parsed, err := url.Parse(text)
	isHTTP := err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http")
	return isHTTP && parsed.Host != "" && !strings.Contains(text, "#")
}

// has reports whether a list in a document has a value.
func has(document map[string]any, name, value string) bool {
	list, _ := document[name].([]any)
	return slices.Contains(list, any(value))
}

// all reports whether a func returns true for each value.
func all(values []any, is func(any) bool) bool {
	isOther := func(value any) bool { return !is(value) }
	return !slices.ContainsFunc(values, isOther)
}

func (r *reader) want(kept bool, kind, rule string) {
	if !kept {
		r.breaks(kind, rule)
	}
}

func (r *reader) breaks(kind, rule string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken[fmt.Sprintf("%s: %s", kind, rule)] = true
}
