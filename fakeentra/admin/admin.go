package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"

	"mcpentra/fakeentra"
)

// maxBody bounds a request's body in bytes. A directory is the largest thing that is sent.
const maxBody = 4 << 20

// An Endpoint is something that the API can do.
type Endpoint struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Does   string `json:"does"`

	handle func(*api, *http.Request) (any, error)
}

// Endpoints lists the API. GET / answers with it, too.
func Endpoints() []Endpoint {
	return []Endpoint{
		{"GET", "/fake", "addresses, time and tenants", (*api).describe},
		{
			"POST",
			"/tokens",
			"mints a token: kind, tenant, user, client, api, scopes, nonce, version, lifetime, age, claims, header, " +
				"key, algorithm",
			(*api).mint,
		},
		{"POST", "/tokens/bad", "tokens that the API of a good one, given as above, has to refuse", (*api).badTokens},
		{"GET", "/faults", "the script, and how often each fault has struck", (*api).faults},
		{"GET", "/faults/unused", "the faults that have not struck as often as they say", (*api).unusedFaults},
		{"POST", "/faults", "appends a fault or a list of them, as in a directory file", (*api).inject},
		{"DELETE", "/faults", "empties the script and ends chaos", (*api).clearFaults},
		{"PUT", "/chaos", "spoils a share of everything: share, seed, faults", (*api).chaos},
		{
			"POST",
			"/keys/rotate",
			"a planned key rollover, or with emergency true the withdrawal of the key that signs",
			(*api).rotate,
		},
		{"GET", "/clock", "the time by the fake's clock", (*api).clock},
		{"POST", "/clock", "advance (a duration), freeze (a time), unfreeze (true)", (*api).setClock},
		{
			"GET",
			"/journal",
			"the requests that were received; endpoint, client, grant, path, status and aadsts select",
			(*api).journal,
		},
		{"GET", "/journal/transcript", "the same as text", (*api).transcript},
		{
			"POST",
			"/journal/take",
			"removes and returns the oldest request that is selected, and waits for it up to wait (a duration)",
			(*api).take,
		},
		{"DELETE", "/journal", "forgets all requests", (*api).clearJournal},
		{
			"POST",
			"/sessions/revoke",
			"ends the sessions and refresh tokens of a user (a name or an object ID)",
			(*api).revoke,
		},
		{"GET", "/directory", "the directory, as a directory file has it", (*api).directory},
		{"PUT", "/directory", "replaces the directory", (*api).setDirectory},
		{"POST", "/reset", "forgets everything but the directory", (*api).reset},
	}
}

// Handler serves the API for one fake. Answers are JSON; an error is an object with the member
// error, and status 400 where the request is wrong, which then has changed nothing.
func Handler(fake *fakeentra.Fake) http.Handler {
	a := &api{fake}
	mux := http.NewServeMux()
	for _, endpoint := range Endpoints() {
		mux.HandleFunc(endpoint.Method+" "+endpoint.Path, func(w http.ResponseWriter, r *http.Request) {
			answer(
				w,
				r,
				a,
				endpoint,
			)
		})
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, Endpoints()) })
	mux.HandleFunc("/", missing)
	return guarded(mux)
}

// missing answers what is no endpoint.
func missing(w http.ResponseWriter, r *http.Request) {
	var methods []string
	for _, endpoint := range Endpoints() {
		if endpoint.Path == r.URL.Path {
			methods = append(methods, endpoint.Method)
		}
	}
	if len(methods) == 0 {
		fail(w, http.StatusNotFound, fmt.Errorf("no endpoint %q; GET / lists them", r.URL.Path))
		return
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	fail(
		w,
		http.StatusMethodNotAllowed,
		fmt.Errorf("%s: want %s, got %s", r.URL.Path, strings.Join(methods, " or "), r.Method),
	)
}

// api has a method for each endpoint.
type api struct{ fake *fakeentra.Fake }

// text is an answer that is not JSON.
type text string

// errNotFound is what was asked for and is not there.
var errNotFound = errors.New("no such request was received")

func answer(w http.ResponseWriter, r *http.Request, a *api, endpoint Endpoint) {
	result, err := endpoint.handle(a, r)
	plain, isText := result.(text)
	switch {
	case errors.Is(err, errNotFound):
		fail(w, http.StatusNotFound, err)
	case err != nil:
		fail(w, http.StatusBadRequest, err)
	case isText:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = io.WriteString(w, string(plain))
	case result == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		write(w, http.StatusOK, result)
	}
}

// guarded refuses what a web page could send.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); {
		case !loopback(r.Host):
			fail(
				w,
				http.StatusMisdirectedRequest,
				fmt.Errorf("want localhost or a loopback address as Host, got %q", r.Host),
			)
		case r.Header.Get("Origin") != "" || fromPage(r.Header.Get("Sec-Fetch-Site")):
			fail(w, http.StatusForbidden, errors.New("the admin API does not answer web pages"))
		case (r.Method == http.MethodPost || r.Method == http.MethodPut) && (err != nil || kind != "application/json"):
			fail(
				w,
				http.StatusUnsupportedMediaType,
				fmt.Errorf("want Content-Type: application/json, got %q", r.Header.Get("Content-Type")),
			)
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			next.ServeHTTP(w, r)
		}
	})
}

// fromPage reports whether a browser says that a page has sent a request. A person who types the
// address sends none.
func fromPage(site string) bool { return site != "" && site != "none" }

func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if len(host) > 2 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// read reads a JSON body. No body is an empty object.
func read(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the body: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("the body: want one JSON value")
	}
	return nil
}

func write(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

func fail(w http.ResponseWriter, status int, err error) {
	write(w, status, map[string]string{"error": err.Error()})
}
