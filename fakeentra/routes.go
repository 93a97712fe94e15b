package fakeentra

import (
	"net/http"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/internal/managedidentity"
	"mcpentra/fakeentra/internal/pages"
	"mcpentra/fakeentra/internal/rules"
)

// maxBody bounds a request's form in bytes.
const maxBody = 1 << 20

// newRoutes lists the endpoints. Any other path is 404, like at Entra ID. This includes the address
// of RFC 8414 and the form of OpenID Connect's address with the path at its end (M).
func (f *Fake) newRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, path := range []string{
		"/{tenant}/v2.0/.well-known/openid-configuration",
		"/{tenant}/.well-known/openid-configuration",
		"/{tenant}/discovery/v2.0/keys",
		"/{tenant}/discovery/keys",
		"/common/discovery/instance",
	} {
		mux.HandleFunc("OPTIONS "+path, handlePreflight)
	}
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", f.handleDiscovery)
	mux.HandleFunc("GET /{tenant}/.well-known/openid-configuration", f.handleDiscoveryV1)
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", f.handleKeys("2.0"))
	mux.HandleFunc("GET /{tenant}/discovery/keys", f.handleKeys("1.0"))
	mux.HandleFunc("GET /common/discovery/instance", f.handleInstance)
	mux.HandleFunc("/{tenant}/{realm}/{user}", f.handleUserRealm)
	for path, v := range map[string]rules.Version{"/{tenant}/oauth2/v2.0/": rules.V2, "/{tenant}/oauth2/": rules.V1} {
		mux.HandleFunc("GET "+path+"authorize", f.handleAuthorize(byClient, v))
		mux.HandleFunc("POST "+path+"authorize", f.handleAuthorize(byClient, v))
		mux.HandleFunc(path+"token", f.handleToken(v))
		mux.HandleFunc(path+"devicecode", f.handleDeviceCode(v))
		mux.HandleFunc("GET "+path+"logout", f.page(f.handleLogout))
		mux.HandleFunc("POST "+path+"logout", f.page(f.handleLogout))
	}
	mux.HandleFunc("GET /{tenant}/v2.0/adminconsent", f.handleAuthorize(byAdmin, rules.V2))
	mux.HandleFunc("GET /{tenant}/adminconsent", f.handleAuthorize(byAdmin, rules.V1))
	for _, source := range []kind{byClient, byDevice, byAdmin} {
		path := "POST /{tenant}/" + string(source) + "/{version}/"
		mux.HandleFunc(path+"login", f.form(source, f.handleSignIn))
		mux.HandleFunc(path+"consent", f.form(source, f.handleConsent))
		mux.HandleFunc(path+"secondfactor", f.form(source, f.handleSecondFactor))
	}
	identity := managedidentity.Handler(f.machine())
	for _, path := range []string{"/metadata/identity/oauth2/token", "/msi/token", "/MSI/token"} {
		mux.Handle(path, identity)
	}
	mux.HandleFunc("GET /device", f.page(f.handleDevicePage))
	mux.HandleFunc("POST /device", f.page(f.handleDevicePage))
	mux.HandleFunc("GET /error", handleLookup)
	mux.HandleFunc("GET /{$}", f.handleFrontPage)
	if f.config.Face == SpecAlignedFace {
		mux.HandleFunc("GET /.well-known/oauth-authorization-server/{tenant}/v2.0", f.handleDiscovery)
		mux.HandleFunc("GET /.well-known/openid-configuration/{tenant}/v2.0", f.handleDiscovery)
		mux.HandleFunc("POST /{tenant}/oauth2/v2.0/register", f.handleRegister)
	}
	return mux
}

// ServeHTTP answers for every host of the fake.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == HealthPath {
		answerHealth(w)
		return
	}
	if f.portal != nil && forPortal(r) {
		f.portal().ServeHTTP(w, r)
		return
	}
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	if !forGraph(r) { // Graph sets its own ID
		header.Set("X-Ms-Request-Id", f.random.guid())
		header.Set("X-Ms-Ests-Server", "2.1.0 - fakeentra")
		id := r.Header.Get("client-request-id")
		if r.Header.Get("return-client-request-id") == "true" && directory.IsGUID(id) {
			header.Set("client-request-id", id)
		}
	}
	x := f.receive(w, r)
	defer x.done()
	x.fault = f.script.Match(x.call)
	if x.fault != nil {
		f.applyFault(w, x)
		return
	}
	f.serve(&x.answer, r)
	x.send(w)
}

// forGraph reports whether a request is for Graph. At Microsoft, Graph has its own host.
func forGraph(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/oidc/") || endpoint.Of(r.URL.Path) == endpoint.Graph
}

// serve answers a request. The directory stays the same until its end.
func (f *Fake) serve(w *bufferedResponse, r *http.Request) {
	f.directoryMu.RLock()
	defer f.directoryMu.RUnlock()
	if forGraph(r) {
		f.graph().ServeHTTP(w, r)
	} else {
		f.routes().ServeHTTP(w, r)
	}
	if len(f.directory.Differences) > 0 {
		differ(f.directory.Differences, w, r)
	}
}

// writeError answers with the JSON body of an error.
func (f *Fake) writeError(w http.ResponseWriter, r *http.Request, problem *aadsts.Error) {
	noteProblem(w, problem)
	pages.NoStore(w)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(problem.Status)
	_, _ = w.Write(problem.JSON(f.occurrence(w, r)))
}

func noteProblem(w http.ResponseWriter, problem *aadsts.Error) {
	if answer, ok := w.(*bufferedResponse); ok {
		answer.problem = problem.Number
	}
}

// occurrence identifies one error response. A client can choose the correlation ID.
func (f *Fake) occurrence(w http.ResponseWriter, r *http.Request) aadsts.Occurrence {
	correlation := r.Header.Get("client-request-id")
	if !directory.IsGUID(correlation) {
		correlation = r.Form.Get("client-request-id")
	}
	if !directory.IsGUID(correlation) {
		correlation = r.URL.Query().Get("client-request-id") // msal-node puts it there, beside a form
	}
	if !directory.IsGUID(correlation) {
		correlation = f.random.guid()
	}
	trace := w.Header().Get("X-Ms-Request-Id")
	if trace == "" { // a fault replaced an answer of Graph
		trace = f.random.guid()
	}
	return aadsts.Occurrence{
		TraceID:       trace,
		CorrelationID: correlation,
		Time:          f.clock.now(),
		Authority:     f.authority,
		Lines:         f.config.ErrorLines,
	}
}
