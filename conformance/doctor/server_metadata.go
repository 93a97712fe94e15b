package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// issuerSeen is what the step server-metadata collects about one authorization server.
type issuerSeen struct {
	w        *walk
	issuer   string // as the client knows it
	address  *url.URL
	places   []place
	found    *place
	document map[string]any
	isEntra  bool
}

func (w *walk) serverMetadata(ctx context.Context, step *Step) bool {
	for _, issuer := range w.resource.issuers() {
		seen := w.visitIssuer(ctx, step, issuer)
		if seen == nil {
			continue
		}
		diagnose(step, seen, issuerPlaceSymptoms)
		if seen.found != nil {
			diagnose(step, seen, issuerSymptoms)
		}
		w.issuers = append(w.issuers, seen)
	}
	step.fine("server-metadata-complete", "the metadata of the authorization server has all that clients need")
	return slices.ContainsFunc(w.issuers, func(s *issuerSeen) bool { return s.found != nil || s.isEntra })
}

// visitIssuer reads the metadata of an authorization server. It returns nil if its address cannot
// be used.
func (w *walk) visitIssuer(ctx context.Context, step *Step, issuer string) *issuerSeen {
	address, err := url.Parse(issuer)
	if err != nil || address.Host == "" || address.User != nil {
		return nil
	}
	if address.Scheme != "http" && address.Scheme != "https" {
		return nil
	}
	seen := &issuerSeen{w: w, issuer: issuer, address: address, document: map[string]any{}}
	path := strings.TrimSuffix(address.EscapedPath(), "/")
	seen.places = w.look(ctx, step,
		wellKnown(address, "oauth-authorization-server", path),
		wellKnown(address, "openid-configuration", path),
		originOf(address)+path+"/.well-known/openid-configuration",
	)
	seen.found = firstDocument(seen.places)
	if seen.found != nil {
		seen.document = seen.found.document
	}
	seen.isEntra = looksLikeEntra(seen)
	return seen
}

// endpoints are the members of the metadata that are addresses.
var endpointMembers = []string{
	"authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint", "jwks_uri",
}

// seesIssuerPlace is seesPlace for an authorization server.
func seesIssuerPlace(fits func(*answer) bool) func(*issuerSeen) string {
	return func(s *issuerSeen) string {
		if s.found != nil || len(entraErrors(s.places)) > 0 {
			return ""
		}
		return s.w.found(s.places, fits)
	}
}

func (s *issuerSeen) seesNothing() string {
	if s.found != nil || s.w.found(s.places, isAbsent) == "" || s.w.found(s.places, isBroken) != "" {
		return ""
	}
	if s.w.found(s.places, isPage) != "" || s.w.found(s.places, isGuarded) != "" || len(entraErrors(s.places)) > 0 {
		return ""
	}
	return s.w.found(s.places, isAbsent)
}

// seesNoCleanMiss says which place before the document does not answer 404.
func (s *issuerSeen) seesNoCleanMiss() string {
	if s.found == nil {
		return ""
	}
	var before []place
	for _, p := range s.places {
		if p.document != nil {
			break
		}
		before = append(before, p)
	}
	return s.w.found(before, func(a *answer) bool { return isBroken(a) || isPage(a) || isGuarded(a) || isRedirect(a) })
}

func (s *issuerSeen) seesOtherIssuer() string {
	named := text(s.document, "issuer")
	switch {
	case named == s.issuer:
		return ""
	case named == "":
		return "the metadata has no member issuer"
	case strings.Contains(named, "{tenantid}"):
		return fmt.Sprintf("the issuer is the template %q, because the address names no tenant",
			s.w.secrets.Shown(named))
	}
	return fmt.Sprintf("the metadata of the resource names the authorization server %q, and its own metadata the "+
		"issuer %q", s.w.secrets.Shown(s.issuer), s.w.secrets.Shown(named))
}

func (s *issuerSeen) seesNoEndpoint() string {
	for _, name := range []string{"authorization_endpoint", "token_endpoint"} {
		if text(s.document, name) == "" {
			return "the metadata has no " + name
		}
	}
	return ""
}

// seesWrongEndpoint says which endpoint clients cannot use.
func (s *issuerSeen) seesWrongEndpoint() string {
	for _, name := range endpointMembers {
		value := text(s.document, name)
		if value == "" {
			continue
		}
		parsed, err := url.Parse(value)
		isWrong := err != nil || parsed.Host == "" || parsed.Scheme != "https" && s.address.Scheme == "https"
		isInside := !isWrong && isLocalName(parsed.Hostname()) && !isLocalName(s.address.Hostname())
		if isWrong || isInside {
			return fmt.Sprintf("the issuer is %q, and %s is %q", s.w.secrets.Shown(s.issuer), name,
				s.w.secrets.Shown(value))
		}
	}
	return ""
}

func (s *issuerSeen) seesNoPKCE() string {
	if s.isEntra || has(s.document, "code_challenge_methods_supported") {
		return ""
	}
	return "the metadata has no code_challenge_methods_supported"
}

func (s *issuerSeen) seesOtherPKCE() string {
	methods := list(s.document, "code_challenge_methods_supported")
	if !has(s.document, "code_challenge_methods_supported") || slices.Contains(methods, "S256") {
		return ""
	}
	return fmt.Sprintf("code_challenge_methods_supported is %v, without S256", s.w.secrets.Shown(fmt.Sprint(methods)))
}

func (s *issuerSeen) seesNoCode() string {
	types := list(s.document, "response_types_supported")
	grants := list(s.document, "grant_types_supported")
	switch {
	case len(types) > 0 && !slices.Contains(types, "code"):
		return "response_types_supported has no code"
	case len(grants) > 0 && !slices.Contains(grants, "authorization_code"):
		return "grant_types_supported has no authorization_code"
	}
	return ""
}

func (s *issuerSeen) seesNoRefresh() string {
	grants := list(s.document, "grant_types_supported")
	if len(grants) == 0 || slices.Contains(grants, "refresh_token") {
		return ""
	}
	return "grant_types_supported has no refresh_token"
}

// registers reports whether clients can introduce themselves.
func (s *issuerSeen) registers() bool {
	documents, _ := s.document["client_id_metadata_document_supported"].(bool)
	return documents || text(s.document, "registration_endpoint") != ""
}

func (s *issuerSeen) seesNoRegistration() string {
	if s.registers() || s.w.config.ClientID != "" || s.isEntra {
		return ""
	}
	return "the authorization server has no registration_endpoint and takes no client ID metadata documents"
}

func (s *issuerSeen) seesPreregistered() string {
	if s.registers() || s.w.config.ClientID == "" || s.isEntra {
		return ""
	}
	return "clients cannot register themselves, and need the client ID that you gave"
}

func (s *issuerSeen) seesNullRegistration() string {
	value, found := s.document["registration_endpoint"]
	if _, isText := value.(string); !found || isText {
		return ""
	}
	return "registration_endpoint is not a text"
}

func (s *issuerSeen) seesSecretsOnly() string {
	methods := list(s.document, "token_endpoint_auth_methods_supported")
	if s.isEntra || len(methods) == 0 || slices.Contains(methods, "none") {
		return ""
	}
	return fmt.Sprintf("token_endpoint_auth_methods_supported is %s, without none",
		s.w.secrets.Shown(fmt.Sprint(methods)))
}

func (s *issuerSeen) seesNoCORS() string {
	if s.found.answer.header.Get("Access-Control-Allow-Origin") != "" {
		return ""
	}
	return "the metadata has no Access-Control-Allow-Origin"
}

func (s *issuerSeen) seesOIDCOnly() string {
	if s.isEntra || s.found.address == s.places[0].address || s.places[0].answer.status != http.StatusNotFound {
		return ""
	}
	return "the metadata is only at " + s.w.secrets.Shown(s.found.address)
}
