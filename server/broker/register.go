package broker

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of a registration.
const (
	maxRegistration = 64 << 10
	maxRedirectURIs = 20
	maxRedirectURI  = 2048

	// maxRedirectURIsSize bounds all of them together, in bytes.
	maxRedirectURIsSize = 2 * maxRedirectURI

	maxClientName = 80
	maxMarks      = 2 // over one letter of a client's name
)

// clientMetadata is what a client says of itself (RFC 7591 section 2). Members that are not here
// are not used; in particular no image or link of a client that nobody knows is shown to anybody.
type clientMetadata struct {
	RedirectURIs    []string `json:"redirect_uris"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	Name            string   `json:"client_name"`
	Scope           string   `json:"scope"`
	ApplicationType string   `json:"application_type"`

	leftOut []unusableRedirect // of RedirectURIs
}

// registration is the answer (RFC 7591 section 3.2.1).
type registration struct {
	ClientID        string   `json:"client_id"`
	Issued          int64    `json:"client_id_issued_at"`
	Secret          string   `json:"client_secret,omitempty"`
	SecretExpires   *int64   `json:"client_secret_expires_at,omitempty"`
	RedirectURIs    []string `json:"redirect_uris"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	Name            string   `json:"client_name,omitempty"`
	Scope           string   `json:"scope"`
	ApplicationType string   `json:"application_type"`
}

// handleRegister is dynamic client registration (RFC 7591). It is open to anybody, so it promises
// nothing: a client can do no more than ask a person for consent.
func (b *Broker) handleRegister(w http.ResponseWriter, r *http.Request) {
	asked, problem := readRegistration(w, r)
	if problem == nil {
		problem = b.judgeRegistration(asked)
	}
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	from := registrations
	if fromOtherSite(r) {
		from = pageRegistrations
	}
	if !b.spend(from, r) {
		b.refuse(w, r, tooMany("too many registrations from this network").
			saw("name", asked.Name).saw("origin", r.Header.Get("Origin")).allowedBy(settingLimit))
		return
	}
	now := b.now()
	id, err := b.secret()
	if err != nil {
		b.log.ErrorContext(r.Context(), "registration", "error", err)
		b.refuse(w, r, unavailable("no client can be registered now"))
		return
	}
	made := client{
		ID:              id[:22],
		Name:            asked.Name,
		RedirectURIs:    asked.RedirectURIs,
		AuthMethod:      asked.AuthMethod,
		ApplicationType: asked.ApplicationType,
		Registered:      now,
	}
	answer := registration{
		ClientID:        made.ID,
		Issued:          now.Unix(),
		RedirectURIs:    made.RedirectURIs,
		AuthMethod:      made.AuthMethod,
		GrantTypes:      asked.GrantTypes,
		ResponseTypes:   []string{"code"},
		Name:            made.Name,
		Scope:           asked.Scope,
		ApplicationType: made.ApplicationType,
	}
	if made.AuthMethod != authNone {
		if answer.Secret, err = b.secret(); err != nil {
			b.refuse(w, r, unavailable("no client can be registered now"))
			return
		}
		never := int64(0)
		answer.SecretExpires = &never
		made.SecretHash = hashed(answer.Secret)
	}
	err = b.records.create(r.Context(), kindClient, made.ID, b.networkSource(r), made, now.Add(unusedClient))
	if err != nil {
		b.log.ErrorContext(r.Context(), "the store failed", "error", err)
		b.refuse(w, r, unavailable("the store cannot be reached"))
		return
	}
	b.log.InfoContext(
		r.Context(),
		"client registered",
		"client",
		made.ID,
		"name",
		made.Name,
		"auth_method",
		made.AuthMethod,
	)
	if len(asked.leftOut) > 0 {
		b.log.WarnContext(r.Context(), "redirect URIs were left out of a registration, want https or loopback",
			"client", made.ID, "name", made.Name, "left_out", len(asked.leftOut), "seen", logged(asked.leftOut),
			"address", b.address(r))
	}
	writeJSON(w, http.StatusCreated, answer)
}

func readRegistration(w http.ResponseWriter, r *http.Request) (*clientMetadata, *protocolError) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		problem := badRequest("invalid_client_metadata", "want Content-Type application/json")
		problem.status = http.StatusUnsupportedMediaType
		return nil, problem.saw("content_type", r.Header.Get("Content-Type")).saw("origin", r.Header.Get("Origin"))
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRegistration))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &protocolError{
			status:      http.StatusRequestEntityTooLarge,
			code:        "invalid_client_metadata",
			description: fmt.Sprintf("more than %d bytes", maxRegistration),
		}
	} else if err != nil {
		return nil, badRequest("invalid_client_metadata", "the request could not be read")
	}
	asked := &clientMetadata{}
	if err := json.Unmarshal(text, asked); err != nil {
		problem := badRequest("invalid_client_metadata",
			"want a JSON object with members of the types in RFC 7591 section 2, none of them twice")
		return nil, problem.because(jsonFault(err))
	}
	return asked, nil
}

// jsonFault says for the log what is wrong with a registration, without repeating it.
func jsonFault(err error) string {
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return "a member has another type than in RFC 7591 section 2: " + string(semantic.JSONPointer)
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return "the registration is not JSON, or has a member twice: " + string(syntactic.JSONPointer)
	}
	return "the registration is not JSON"
}

// judgeRegistration refuses what must not be, and fills in what was left out.
func (b *Broker) judgeRegistration(asked *clientMetadata) *protocolError {
	if len(asked.RedirectURIs) == 0 {
		return badRequest("invalid_redirect_uri", "redirect_uris is missing or empty")
	}
	asked.RedirectURIs, asked.leftOut = b.usableRedirects(asked.RedirectURIs)
	if len(asked.RedirectURIs) == 0 {
		return badRequest("invalid_redirect_uri", asked.leftOut[0].reason.Error()).
			saw("redirect_uris", strings.Join(logged(asked.leftOut), "; ")).saw("name", cleanName(asked.Name))
	}
	switch asked.ApplicationType {
	case "":
		// RFC 7591 knows no default here; what the redirect URIs are for tells.
		asked.ApplicationType = "web"
		if slices.ContainsFunc(asked.RedirectURIs, isLoopbackURI) {
			asked.ApplicationType = "native"
		}
	case "native", "web":
	default:
		return badRequest("invalid_client_metadata", "application_type is neither native nor web").
			saw("application_type", asked.ApplicationType)
	}
	switch asked.AuthMethod {
	case "":
		asked.AuthMethod = authBasic // RFC 7591 section 2
	case authNone, authPost, authBasic:
	default:
		problem := badRequest("invalid_client_metadata",
			"token_endpoint_auth_method is none of "+strings.Join(authMethods, ", "))
		return problem.saw("token_endpoint_auth_method", asked.AuthMethod)
	}
	if asked.GrantTypes == nil {
		asked.GrantTypes = []string{"authorization_code"}
	}
	var kept []string
	for _, one := range asked.GrantTypes {
		if (one == "authorization_code" || one == "refresh_token") && !slices.Contains(kept, one) {
			kept = append(kept, one)
		}
	}
	if !slices.Contains(kept, "authorization_code") {
		problem := badRequest("invalid_client_metadata",
			"grant_types lacks authorization_code, which every grant begins with")
		return problem.saw("grant_types", strings.Join(asked.GrantTypes, " "))
	}
	asked.GrantTypes = kept
	if len(asked.ResponseTypes) > 0 && !slices.Contains(asked.ResponseTypes, "code") {
		return badRequest("invalid_client_metadata", "response_types lacks code").
			saw("response_types", strings.Join(asked.ResponseTypes, " "))
	}
	asked.Scope = strings.Join(b.askedScopes(asked.Scope, b.defaultScopes()), " ")
	asked.Name = cleanName(asked.Name)
	return nil
}

// cleanName takes out of a client's name what could make it look like something else on a page:
// control characters, direction marks, characters that show nothing, quotation marks, and piles of
// marks over one letter.
func cleanName(name string) string {
	marks := 0
	cleaned := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case unicode.IsSpace(r), slices.Contains(blanks, r):
			return ' '
		case !unicode.IsPrint(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar, marks > maxMarks,
			unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
			return -1
		case unicode.Is(unicode.Quotation_Mark, r), strings.ContainsRune(doublePrimes, r):
			return '\''
		}
		return r
	}, name)
	cleaned = strings.Join(strings.Fields(cleaned), " ")
	if runes := []rune(cleaned); len(runes) > maxClientName {
		cleaned = string(runes[:maxClientName-1]) + "…"
	}
	return cleaned
}

// blanks are characters without ink that Unicode does not count as spaces: the empty Braille cell,
// the null notehead, and what stands for an embedded object.
var blanks = []rune{'\u2800', '\U0001d159', '\ufffc'}

// doublePrimes look like quotation marks, with which the page ends a name.
const doublePrimes = "ʺ˝ˮ˵˶″‴‶‷⁗〃״"

// askedScopes are the scopes that a scope parameter asks for, each once. The same rule holds at
// every endpoint: names that are unknown here are ignored, and if none is left, the request gets
// the fallback.
func (b *Broker) askedScopes(parameter string, fallback []string) []string {
	var known []string
	for _, name := range strings.Fields(parameter) {
		if b.scope(name) != nil && !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	if len(known) == 0 {
		return fallback
	}
	return known
}

// defaultScopes are what a client gets that asks for no scope.
func (b *Broker) defaultScopes() []string { return []string{b.config.Scopes[0].Name} }
