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

// A Config connects Graph to a fake Entra ID. All fields except Origin and Authority are required.
type Config struct {
	// Origin is the scheme and host of the addresses in answers. Empty means
	// https://graph.microsoft.com.
	Origin string
	// Authority is the scheme and host of Entra ID in challenges. Empty means
	// https://login.microsoftonline.com.
	Authority string
	// Caller checks a bearer token. Its error is a *Refusal. Any other error counts as ErrNotValid.
	Caller func(ctx context.Context, token string) (*Caller, error)
	Now    func() time.Time
	NewID  func() string
}

// A Caller describes the bearer of a token.
type Caller struct {
	Tenant *directory.Tenant
	User   *directory.User // nil for an app
	Scopes []string        // of a person's token
	Roles  []string        // of an app's token
	// SubjectAtClient is the person's sub in the client's ID tokens.
	SubjectAtClient string
}

func (c *Caller) has(scope string) bool { return slices.Contains(c.Scopes, scope) }

const (
	maxBody = 64 << 10 // bytes
	// maxPage bounds the entries of one answer.
	maxPage = 999
	// defaultPage is the number of entries of an answer without $top.
	defaultPage = 100
)

// Handler serves /v1.0/me, the caller's groups and appointments, and /oidc/userinfo.
func Handler(config Config) http.Handler {
	if config.Origin == "" {
		config.Origin = "https://graph.microsoft.com"
	}
	if config.Authority == "" {
		config.Authority = "https://login.microsoftonline.com"
	}
	g := &server{config}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1.0/me", g.forPerson(g.me, "User.Read", "User.Read.All"))
	mux.HandleFunc("GET /v1.0/me/memberOf", g.forPerson(g.memberOf, "GroupMember.Read.All", "User.Read.All"))
	mux.HandleFunc("POST /v1.0/me/getMemberObjects",
		g.forPerson(g.getMemberObjects, "GroupMember.Read.All", "User.Read.All", "User.Read"))
	mux.HandleFunc("GET /v1.0/me/events", g.forPerson(g.events, "Calendars.Read"))
	mux.HandleFunc("GET /oidc/userinfo", g.forPerson(g.userInfo, "openid"))
	mux.HandleFunc("POST /oidc/userinfo", g.forPerson(g.userInfo, "openid"))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		segment := strings.TrimPrefix(r.URL.Path, "/v1.0/")
		g.fail(w, http.StatusNotFound, "ResourceNotFound", "Resource not found for the segment '"+segment+"'.")
	})
	return g.identified(crossOrigin(mux))
}

// identified gives each answer an ID, and repeats the client's ID if it sent one.
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

// crossOrigin accepts calls from scripts of any site, like Graph. Only the token counts.
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

// A personHandler answers the request of a person.
type personHandler func(w http.ResponseWriter, r *http.Request, caller *Caller)

// forPerson serves a personHandler. The token must belong to a person and have one of the scopes.
func (g *server) forPerson(handle personHandler, scopes ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, refusal := g.authenticate(r.Context(), r.Header)
		switch {
		case refusal != nil:
			g.refuse(w, refusal)
		case caller.User == nil:
			g.fail(w, http.StatusBadRequest, "BadRequest",
				"/me request is only valid with delegated authentication flow.")
		case !slices.ContainsFunc(scopes, caller.has):
			g.fail(w, http.StatusForbidden, "Authorization_RequestDenied",
				"Insufficient privileges to complete the operation.")
		default:
			handle(w, r, caller)
		}
	}
}

func (g *server) context(fragment string) string { return g.Origin + "/v1.0/$metadata#" + fragment }

// list answers with a page of a collection. $top is the size of the page, and $skip its start.
func (g *server) list(w http.ResponseWriter, r *http.Request, context string, all []any) {
	top := defaultPage
	skip := 0
	for name, into := range map[string]*int{"$top": &top, "$skip": &skip} {
		if text := r.URL.Query().Get(name); text != "" {
			n, err := strconv.Atoi(text)
			isPageSize := n > 0 && n <= maxPage
			if err != nil || n < 0 || name == "$top" && !isPageSize {
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
	}{Context: g.context(context), Value: all[skip:end]}
	if end < len(all) {
		answer.Next = g.Origin + r.URL.Path + "?$top=" + strconv.Itoa(top) + "&$skip=" + strconv.Itoa(end)
	}
	write(w, http.StatusOK, answer)
}

func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	return json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(into)
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
		Date:      g.Now().UTC().Format("2006-01-02T15:04:05"),
		RequestID: w.Header().Get("request-id"),
		ClientID:  w.Header().Get("client-request-id"),
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
