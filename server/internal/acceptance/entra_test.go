package acceptance_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// An instantEntra is an Entra ID without pages. A person who is sent there is signed in at once.
type instantEntra struct {
	now func() time.Time

	mu      sync.Mutex
	serials int          // of the refresh tokens
	owners  map[int]int  // the person of each refresh token, by its serial
	ended   map[int]bool // the refresh tokens that count no more, by serial
	down    bool         // it cannot be reached
	issued  []string     // its codes, its tokens, and the states and nonces of the broker
}

func newInstantEntra(now func() time.Time) *instantEntra {
	return &instantEntra{now: now, owners: map[int]int{}, ended: map[int]bool{}}
}

// published is the part of the fake that never changes: documents by path, and signatures.
var published = sync.OnceValues(func() (*publishedFake, error) {
	fake, err := fakeentra.New(fakeentra.Config{})
	return &publishedFake{fake: fake, documents: map[string][]byte{}}, err
})

type publishedFake struct {
	fake *fakeentra.Fake

	mu        sync.Mutex
	documents map[string][]byte
}

// document returns the discovery document or the keys.
func (p *publishedFake) document(r *http.Request) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text := p.documents[r.URL.Path]; text != nil {
		return text, nil
	}
	answer, err := p.fake.Client().Get(r.URL.String())
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	p.documents[r.URL.Path] = text
	return text, err
}

// An entraCode is what the stub remembers of a sign-in. Its JSON is the code.
type entraCode struct {
	Person    int    `json:"person"`
	Nonce     string `json:"nonce"`
	Challenge string `json:"challenge"`
	Scope     string `json:"scope"`
}

// signIn signs a person in at an address of Entra's, and returns the query of the callback.
func (e *instantEntra) signIn(address string, person int) (url.Values, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	text, err := json.Marshal(entraCode{person, q.Get("nonce"), q.Get("code_challenge"), q.Get("scope")})
	if err != nil {
		return nil, err
	}
	code := base64.RawURLEncoding.EncodeToString(text)
	e.remember(code, q.Get("state"), q.Get("nonce"))
	return url.Values{"state": {q.Get("state")}, "code": {code}}, nil
}

func (e *instantEntra) remember(secrets ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.issued = append(e.issued, secrets...)
}

// issuedTokens returns how often Entra has issued tokens.
func (e *instantEntra) issuedTokens() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.serials
}

// endSessions ends all sign-ins of a person until now.
func (e *instantEntra) endSessions(person int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for serial, owner := range e.owners {
		e.ended[serial] = e.ended[serial] || owner == person
	}
}

// disconnect makes Entra unreachable, or reachable again.
func (e *instantEntra) disconnect(down bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = down
}

// RoundTrip carries the broker's requests.
func (e *instantEntra) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	down := e.down
	e.mu.Unlock()
	if down {
		return nil, fmt.Errorf("%s cannot be reached", r.URL.Host)
	}
	fixed, err := published()
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet {
		text, err := fixed.document(r)
		return answerJSON(r, http.StatusOK, text), err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	answer := e.token(fixed.fake, form)
	if answer["error"] != nil {
		status = http.StatusBadRequest
	}
	text, err := json.Marshal(answer)
	return answerJSON(r, status, text), err
}

func answerJSON(r *http.Request, status int, text []byte) *http.Response {
	return &http.Response{
		StatusCode:    status,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(strings.NewReader(string(text))),
		ContentLength: int64(len(text)),
		Request:       r,
	}
}

// token is the token endpoint.
func (e *instantEntra) token(fake *fakeentra.Fake, form url.Values) map[string]any {
	if form.Get("grant_type") == "refresh_token" {
		return e.refresh(form)
	}
	text, err := base64.RawURLEncoding.DecodeString(form.Get("code"))
	var code entraCode
	if err != nil || json.Unmarshal(text, &code) != nil || code.Challenge != challenge(form.Get("code_verifier")) {
		return refusal(70000)
	}
	signed, err := fake.Mint(fakeentra.Token{
		Kind:   fakeentra.IDToken,
		Nonce:  code.Nonce,
		Claims: e.claims(code.Person),
	})
	if err != nil {
		return map[string]any{"error": "server_error", "error_description": err.Error()}
	}
	answer := e.issue(code.Person, code.Scope)
	answer["id_token"] = signed
	return answer
}

func (e *instantEntra) claims(person int) map[string]any {
	now := e.now().Unix()
	return map[string]any{
		"iat":                now,
		"nbf":                now,
		"exp":                now + 3600,
		"oid":                objectID(person),
		"sub":                fmt.Sprint("subject of ", person),
		"name":               fmt.Sprint("Person ", person),
		"preferred_username": userName(person),
	}
}

// objectID returns the object ID of a person.
func objectID(person int) string { return fmt.Sprintf("%08d-0000-4000-8000-000000000000", person) }

// userName returns the user name of a person.
func userName(person int) string { return fmt.Sprintf("person%d@contoso.example", person) }

// upstreamLifetime is the lifetime of the stub's access tokens.
const upstreamLifetime = time.Hour

const refreshPrefix = "entra-refresh-token-"

// issue makes tokens of a person.
func (e *instantEntra) issue(person int, scope string) map[string]any {
	e.mu.Lock()
	e.serials++
	e.owners[e.serials] = person
	access := fmt.Sprint("entra-access-token-", e.serials, "-")
	refresh := fmt.Sprint(refreshPrefix, e.serials)
	e.mu.Unlock()
	e.remember(access, refresh)
	return map[string]any{
		"access_token":  access,
		"refresh_token": refresh,
		"token_type":    "Bearer",
		"expires_in":    int(upstreamLifetime.Seconds()),
		"scope":         scope,
	}
}

func (e *instantEntra) refresh(form url.Values) map[string]any {
	serial, err := strconv.Atoi(strings.TrimPrefix(form.Get("refresh_token"), refreshPrefix))
	e.mu.Lock()
	person, known := e.owners[serial]
	ended := e.ended[serial]
	e.mu.Unlock()
	if err != nil || !known || ended {
		return refusal(50173)
	}
	return e.issue(person, form.Get("scope"))
}

// refusal is an answer with one of Entra's error numbers.
func refusal(aadsts int) map[string]any {
	return map[string]any{
		"error":             "invalid_grant",
		"error_description": fmt.Sprintf("AADSTS%d: the stub refuses.", aadsts),
		"error_codes":       []int{aadsts},
	}
}

// tenantID and clientID name the broker's registration.
const (
	tenantID = directory.DefaultTenantID
	clientID = directory.DefaultClientID
)
