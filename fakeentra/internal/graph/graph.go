package graph

import (
	"context"
	"net/http"
	"strings"
	"time"

	"mcpentra/fakeentra/directory"
)

// A Config connects Graph to a fake Entra ID. Caller, Now and NewID are required.
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
	// PageSize returns the number of entries of a page without $top. Nil means DefaultPageSize.
	PageSize func() int
	// Batched wraps the handler of each request in a batch. Nil leaves it as it is.
	Batched func(http.Handler) http.Handler
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

// Handler serves the paths of Routes, their aliases below /beta, and batches of them. It also
// serves getMemberObjects of Azure AD Graph, because a token with too many groups points there.
func Handler(config Config) http.Handler {
	if config.Origin == "" {
		config.Origin = "https://graph.microsoft.com"
	}
	if config.Authority == "" {
		config.Authority = "https://login.microsoftonline.com"
	}
	g := &server{Config: config}
	mux := http.NewServeMux()
	for _, route := range Routes() {
		mux.HandleFunc(route.Method+" "+route.Path, g.serve(route))
		if rest, found := strings.CutPrefix(route.Path, "/v1.0/"); found {
			mux.HandleFunc(route.Method+" /beta/"+rest, g.serve(route))
		}
		if route.Path == "/v1.0/users/{user}/getMemberObjects" {
			mux.HandleFunc("POST /{tenant}/users/{user}/getMemberObjects", g.serve(route))
		}
	}
	mux.HandleFunc("POST /v1.0/$batch", g.batch)
	mux.HandleFunc("POST /beta/$batch", g.batch)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		segment := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v1.0/"), "/beta/")
		g.fail(w, http.StatusNotFound, "ResourceNotFound", "Resource not found for the segment '"+segment+"'.")
	})
	served := g.identified(crossOrigin(mux))
	g.batched = served
	if config.Batched != nil {
		g.batched = config.Batched(served)
	}
	return served
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

type server struct {
	Config
	batched http.Handler // for one request of a batch
}

// pageSize returns the number of entries of a page without $top.
func (g *server) pageSize() int {
	if g.PageSize == nil {
		return DefaultPageSize
	}
	return g.PageSize()
}

// context returns an address in the metadata, in the version of the request.
func (c *call) context(fragment string) string {
	version := "v1.0"
	if strings.HasPrefix(c.r.URL.Path, "/beta/") {
		version = "beta"
	}
	return c.Origin + "/" + version + "/$metadata#" + fragment
}

func (c *call) failWith(wrong *problem) { c.fail(c.w, wrong.status, wrong.code, wrong.message) }

func (c *call) write(status int, value any) { write(c.w, status, value) }

func (g *server) fail(w http.ResponseWriter, status int, code, message string) {
	write(w, status, ErrorBody(code, message, g.Now(), w.Header()))
}

// ErrorBody returns the body of an error answer. The header of the answer has its IDs.
func ErrorBody(code, message string, now time.Time, header http.Header) any {
	return object{{"error", object{
		{"code", code},
		{"message", message},
		{"innerError", object{
			{"date", now.UTC().Format("2006-01-02T15:04:05")},
			{"request-id", header.Get("request-id")},
			{"client-request-id", header.Get("client-request-id")},
		}},
	}}}
}

func write(w http.ResponseWriter, status int, value any) {
	text, err := marshal(value)
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
