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

// maxBody bounds a request's body in bytes. The largest body is a directory.
const maxBody = 4 << 20

// An Endpoint is an operation of the API.
type Endpoint struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Does   string `json:"does"`

	handle func(*api, *http.Request) (any, error)
}

// Endpoints lists the operations of the API. GET / answers with this list.
func Endpoints() []Endpoint {
	return []Endpoint{
		{"GET", "/fake", "returns addresses, time, tenants, apps and people", (*api).describe},
		{"POST", "/tokens", "mints a token: kind, tenant, user, client, api, scopes, nonce, version, lifetime, " +
			"age, claims, header, key, algorithm", (*api).mint},
		{"POST", "/tokens/bad", "returns tokens that an API must refuse; the body describes a good token, " +
			"like the body of /tokens", (*api).badTokens},
		{"POST", "/tokens/key", "returns the private key, in PEM, that signs a token; the body is like the body of " +
			"/tokens", (*api).privateKey},
		{"GET", "/faults", "lists the faults, and how often each was applied", (*api).faults},
		{"GET", "/faults/unused", "lists the faults that were applied less often than their times",
			(*api).unusedFaults},
		{"POST", "/faults", "adds a fault or a list of faults, with the keys of a directory file", (*api).inject},
		{"DELETE", "/faults", "removes all faults and ends chaos; with ?name= only the faults of this name",
			(*api).clearFaults},
		{"GET", "/chaos", "returns the share of requests that get a fault", (*api).currentChaos},
		{"PUT", "/chaos", "applies faults to a share of all requests: share, seed, faults", (*api).chaos},
		{"GET", "/keys", "lists the published keys; the first one signs", (*api).keys},
		{"POST", "/keys/rotate", "makes a planned key rollover; with emergency true, withdraws the signing key at once",
			(*api).rotate},
		{"GET", "/clock", "returns the time of the fake's clock", (*api).clock},
		{"POST", "/clock", "sets the clock: advance (a duration), freeze (a time), unfreeze (true)", (*api).setClock},
		{"GET", "/journal", "returns the last requests; select by endpoint, client, grant, path, status and aadsts",
			(*api).journal},
		{"GET", "/journal/transcript", "returns the last requests as text", (*api).transcript},
		{"POST", "/journal/take", "removes and returns the oldest matching request; waits for one up to wait " +
			"(a duration)", (*api).take},
		{"DELETE", "/journal", "forgets all requests", (*api).clearJournal},
		{"POST", "/tokens/state", "tells whether a token is still valid: token; the answer has active, " +
			"reason and claims, the challenge after a revocation", (*api).tokenState},
		{"POST", "/sessions/revoke", "ends the sessions and tokens of a user (a name or an object ID): user, event, " +
			"delay; the default event is \"sessions revoked\"", (*api).revoke},
		{"GET", "/directory", "returns the directory, in the format of a directory file", (*api).directory},
		{"PUT", "/directory", "replaces the directory", (*api).setDirectory},
		{"GET", "/service-principals", "lists the apps in each tenant, and tells which consent brought",
			(*api).servicePrincipals},
		{"POST", "/reset", "resets everything except the directory", (*api).reset},
	}
}

// Handler serves the API of one fake. Answers are JSON. An error is an object with the member
// error. Status 400 means that the request has a mistake and changed nothing.
func Handler(fake *fakeentra.Fake) http.Handler {
	a := &api{fake}
	mux := http.NewServeMux()
	for _, endpoint := range Endpoints() {
		mux.HandleFunc(endpoint.Method+" "+endpoint.Path, func(w http.ResponseWriter, r *http.Request) {
			a.answer(w, r, endpoint)
		})
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, Endpoints()) })
	mux.HandleFunc("/", missing)
	return refusePages(mux)
}

// missing answers requests that match no endpoint.
func missing(w http.ResponseWriter, r *http.Request) {
	var methods []string
	for _, endpoint := range Endpoints() {
		if endpoint.Path == r.URL.Path {
			methods = append(methods, endpoint.Method)
		}
	}
	if len(methods) == 0 {
		fail(w, http.StatusNotFound, fmt.Errorf("unknown endpoint %q; GET / lists all endpoints", r.URL.Path))
		return
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	fail(w, http.StatusMethodNotAllowed,
		fmt.Errorf("%s: want %s, got %s", r.URL.Path, strings.Join(methods, " or "), r.Method))
}

// An api has a method for each endpoint.
type api struct{ fake *fakeentra.Fake }

// A text is an answer that is not JSON.
type text string

// errNotFound is the error of take without a matching request.
var errNotFound = errors.New("no matching request was received")

func (a *api) answer(w http.ResponseWriter, r *http.Request, endpoint Endpoint) {
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

// refusePages refuses requests that a web page could send.
func refusePages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		isJSON := err == nil && kind == "application/json"
		hasBody := r.Method == http.MethodPost || r.Method == http.MethodPut
		switch {
		case !isLoopback(r.Host):
			fail(w, http.StatusMisdirectedRequest,
				fmt.Errorf("want localhost or a loopback address as Host, got %q", r.Host))
		case r.Header.Get("Origin") != "" || fromPage(r.Header.Get("Sec-Fetch-Site")):
			fail(w, http.StatusForbidden, errors.New("the admin API refuses requests from web pages"))
		case hasBody && !isJSON:
			fail(w, http.StatusUnsupportedMediaType,
				fmt.Errorf("want Content-Type: application/json, got %q", r.Header.Get("Content-Type")))
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			next.ServeHTTP(w, r)
		}
	})
}

// fromPage reports whether Sec-Fetch-Site says that a page sent the request. It has the value none
// if a person typed the address.
func fromPage(site string) bool { return site != "" && site != "none" }

func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if len(host) > 2 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// read reads a JSON body. An empty body counts as an empty object.
func read(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the body: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("the body: want one JSON value, got more")
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
