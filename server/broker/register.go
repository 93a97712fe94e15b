package broker

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxRegistration bounds the body of a registration, in bytes.
const maxRegistration = 64 << 10

// registration is the answer (RFC 7591 section 3.2.1).
type registration struct {
	ClientID        string   `json:"client_id"`
	Issued          int64    `json:"client_id_issued_at"`
	Secret          string   `json:"client_secret,omitempty"`
	SecretExpires   *int64   `json:"client_secret_expires_at,omitempty"`
	RedirectURIs    []string `json:"redirect_uris,omitempty"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	Name            string   `json:"client_name,omitempty"`
	Scope           string   `json:"scope"`
	ApplicationType string   `json:"application_type"`
	JWKSURI         string   `json:"jwks_uri,omitempty"`
	SigningAlg      string   `json:"token_endpoint_auth_signing_alg,omitempty"`

	JWKS stdjson.RawMessage `json:"jwks,omitempty"`
}

// handleRegister is dynamic client registration (RFC 7591). It is open to every client, so it
// promises nothing: a client can only ask a person for consent.
func (b *Broker) handleRegister(w http.ResponseWriter, r *http.Request) {
	if problem := b.mayRegister(r); problem != nil {
		b.refuse(w, r, problem)
		return
	}
	asked, problem := readRegistration(w, r)
	if problem == nil {
		problem = b.judgeRegistration(asked)
	}
	if problem == nil {
		problem = b.limitRegistration(asked)
	}
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	from := registrations
	if fromOtherSite(r) {
		from = pageRegistrations
	}
	if problem := b.spend(from, nil, r); problem != nil {
		b.refuse(w, r, problem.saw("name", asked.Name).saw("origin", r.Header.Get("Origin")))
		return
	}
	made, secret, err := b.newClient(asked)
	if err != nil {
		b.log.ErrorContext(r.Context(), "registration", "error", err)
		b.refuse(w, r, unavailable("no client can be registered now"))
		return
	}
	expires := made.Registered.Add(unusedClientLifetime)
	err = b.records.create(r.Context(), kindClient, made.ID, b.networkSource(r), made, expires)
	if err != nil {
		b.log.ErrorContext(r.Context(), "the store failed", "error", err)
		b.refuse(w, r, unavailable("the store cannot be reached"))
		return
	}
	b.logRegistration(r, made, asked.leftOut)
	writeJSON(w, http.StatusCreated, newRegistration(made, asked, secret))
}

// newClient makes a client of its metadata. The secret is empty for a client without
// authentication.
func (b *Broker) newClient(asked *clientMetadata) (made client, secret string, err error) {
	id, err := b.secret()
	if err != nil {
		return client{}, "", err
	}
	made = client{
		ID:              id[:idLength],
		Name:            asked.Name,
		RedirectURIs:    asked.RedirectURIs,
		AuthMethod:      asked.AuthMethod,
		ApplicationType: asked.ApplicationType,
		JWKS:            asked.keys(),
		JWKSURI:         asked.JWKSURI,
		SigningAlg:      asked.SigningAlg,
		GrantTypes:      asked.GrantTypes,
		Registered:      b.now(),
	}
	if made.AuthMethod == authNone || made.AuthMethod == authKey {
		return made, "", nil
	}
	secret, err = b.secret()
	made.SecretHash = hashed(secret)
	return made, secret, err
}

func newRegistration(made client, asked *clientMetadata, secret string) registration {
	answer := registration{
		ClientID:        made.ID,
		Issued:          made.Registered.Unix(),
		Secret:          secret,
		RedirectURIs:    made.RedirectURIs,
		AuthMethod:      made.AuthMethod,
		GrantTypes:      asked.GrantTypes,
		ResponseTypes:   asked.ResponseTypes,
		Name:            made.Name,
		Scope:           asked.Scope,
		ApplicationType: made.ApplicationType,
		JWKS:            made.JWKS,
		JWKSURI:         made.JWKSURI,
		SigningAlg:      made.SigningAlg,
	}
	if secret != "" {
		never := int64(0)
		answer.SecretExpires = &never
	}
	return answer
}

func (b *Broker) logRegistration(r *http.Request, made client, leftOut []unusableRedirect) {
	b.log.InfoContext(r.Context(), "client registered",
		"client", made.ID,
		"name", made.Name,
		"auth_method", made.AuthMethod)
	if len(leftOut) > 0 {
		b.log.WarnContext(r.Context(), "redirect URIs were left out of a registration, want https or loopback",
			"client", made.ID,
			"name", made.Name,
			"left_out", len(leftOut),
			"seen", logged(leftOut),
			"address", b.address(r))
	}
}

func readRegistration(w http.ResponseWriter, r *http.Request) (*clientMetadata, *protocolError) {
	contentType := r.Header.Get("Content-Type")
	if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != "application/json" {
		problem := badRequest("invalid_client_metadata", "want Content-Type application/json")
		problem.status = http.StatusUnsupportedMediaType
		return nil, problem.saw("content_type", contentType).saw("origin", r.Header.Get("Origin"))
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

// jsonFault describes the fault of a registration for the log, without repeating the registration.
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
