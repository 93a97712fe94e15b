package graph

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcpentra/fakeentra/directory"
)

// A Config says where Graph's knowledge comes from. All fields but the addresses are required.
type Config struct {
	// Origin is the scheme and host of addresses in answers. Empty means
	// https://graph.microsoft.com.
	Origin string
	// Authority is the scheme and host of Entra ID in challenges. Empty means
	// https://login.microsoftonline.com.
	Authority string
	// Caller judges a bearer token. Its error means that the token is not one for Graph.
	Caller func(ctx context.Context, token string) (*Caller, error)
	Now    func() time.Time
	NewID  func() string
}

// A Caller is the bearer of a token.
type Caller struct {
	Tenant *directory.Tenant
	User   *directory.User // nil for an app
	Scopes []string
	// SubjectAtClient is the person's sub in the client's ID tokens.
	SubjectAtClient string
}

func (c *Caller) has(scope string) bool { return slices.Contains(c.Scopes, scope) }

const (
	maxBody = 64 << 10
	// maxPage is the most entries of one answer; defaultPage is how many it has unasked.
	maxPage, defaultPage = 999, 100
)

// Handler serves /v1.0/me, the groups and appointments of the caller, and /oidc/userinfo.
func Handler(config Config) http.Handler {
	if config.Origin == "" {
		config.Origin = "https://graph.microsoft.com"
	}
	if config.Authority == "" {
		config.Authority = "https://login.microsoftonline.com"
	}
	g := &server{config}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1.0/me", g.me)
	mux.HandleFunc("GET /v1.0/me/memberOf", g.memberOf)
	mux.HandleFunc("POST /v1.0/me/getMemberObjects", g.getMemberObjects)
	mux.HandleFunc("GET /v1.0/me/events", g.events)
	mux.HandleFunc("GET /oidc/userinfo", g.userInfo)
	mux.HandleFunc("POST /oidc/userinfo", g.userInfo)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		g.fail(
			w,
			http.StatusNotFound,
			"ResourceNotFound",
			"Resource not found for the segment '"+strings.TrimPrefix(r.URL.Path, "/v1.0/")+"'.",
		)
	})
	return g.identified(crossOrigin(mux))
}

// identified gives each answer its ID, and the client's own where it sent one.
func (g *server) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := g.NewID()
		client := r.Header.Get("client-request-id")
		if !directory.IsGUID(client) {
			client = id
		}
		w.Header().Set("request-id", id)
		w.Header().Set("client-request-id", client)
		next.ServeHTTP(w, r)
	})
}

// crossOrigin lets scripts of any site call, as Graph does: what counts is the token.
func crossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
			w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
			w.WriteHeader(http.StatusOK)
			return
		}
		next.ServeHTTP(w, r)
	})
}

type server struct{ Config }

// person finds the person who calls, and wants one of some scopes. It reports done when it has
// answered.
func (g *server) person(w http.ResponseWriter, r *http.Request, scopes ...string) (caller *Caller, done bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token == "" || !strings.EqualFold(scheme, "Bearer") {
		g.refuse(w, "Access token is empty.")
		return nil, true
	}
	caller, err := g.Caller(r.Context(), strings.TrimSpace(token))
	switch {
	case err != nil:
		g.refuse(w, "Access token validation failure.")
	case caller.User == nil:
		g.fail(w, http.StatusBadRequest, "BadRequest", "/me request is only valid with delegated authentication flow.")
	case !slices.ContainsFunc(scopes, caller.has):
		g.fail(
			w,
			http.StatusForbidden,
			"Authorization_RequestDenied",
			"Insufficient privileges to complete the operation.",
		)
	default:
		return caller, false
	}
	return nil, true
}

func (g *server) context(what string) string { return g.Origin + "/v1.0/$metadata#" + what }

// list answers with a collection, page by page: $top says how many, $skip from where.
func (g *server) list(w http.ResponseWriter, r *http.Request, what string, all []any) {
	top := defaultPage
	skip := 0
	for name, into := range map[string]*int{"$top": &top, "$skip": &skip} {
		if text := r.URL.Query().Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 || name == "$top" && (n == 0 || n > maxPage) {
				g.fail(w, http.StatusBadRequest, "BadRequest", "Invalid value '"+text+"' for '"+name+"' query option.")
				return
			}
			*into = n
		}
	}
	skip = min(skip, len(all))
	end := min(skip+top, len(all))
	answer := struct {
		Context string `json:"@odata.context"`
		Next    string `json:"@odata.nextLink,omitempty"`
		Value   []any  `json:"value"`
	}{Context: g.context(what), Value: all[skip:end]}
	if end < len(all) {
		answer.Next = g.Origin + r.URL.Path + "?$top=" + strconv.Itoa(top) + "&$skip=" + strconv.Itoa(end)
	}
	write(w, http.StatusOK, answer)
}

func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	return json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(into)
}

// refuse asks for a token. M: what the challenge holds, and the text of 403 above.
func (g *server) refuse(w http.ResponseWriter, message string) {
	w.Header().Set(
		"WWW-Authenticate",
		`Bearer realm="", authorization_uri="`+g.Authority+`/common/oauth2/authorize", `+
			`client_id="`+directory.GraphAppID+`"`,
	)
	g.fail(w, http.StatusUnauthorized, "InvalidAuthenticationToken", message)
}

func (g *server) fail(w http.ResponseWriter, status int, code, message string) {
	type inner struct {
		Date      string `json:"date"`
		RequestID string `json:"request-id"`
		ClientID  string `json:"client-request-id"`
	}
	type problem struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Inner   inner  `json:"innerError"`
	}
	write(w, status, struct {
		Error problem `json:"error"`
	}{problem{code, message, inner{
		g.Now().UTC().Format("2006-01-02T15:04:05"), w.Header().Get("request-id"), w.Header().Get("client-request-id"),
	}}})
}

func write(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // our own structs
	}
	w.Header().Set(
		"Content-Type",
		"application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
	)
	w.Header().Set("Cache-Control", "private")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
