package broker

import "net/http"

// newRoutes lists the endpoints. Their paths are the ones that a client of MCP 2025-03-26 assumes
// without metadata.
func (b *Broker) newRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/oauth-authorization-server", b.open(b.handleMetadata, http.MethodGet))
	mux.HandleFunc("/.well-known/openid-configuration", b.open(b.handleOpenIDConfiguration, http.MethodGet))
	mux.HandleFunc("/jwks", b.open(b.handleKeys, http.MethodGet))
	mux.HandleFunc("/register", b.open(b.handleRegister, http.MethodPost))
	mux.HandleFunc("/token", b.open(b.handleToken, http.MethodPost))
	mux.HandleFunc(introspectionPath, b.open(b.handleIntrospect, http.MethodPost))
	mux.HandleFunc("/revoke", b.open(b.handleRevoke, http.MethodPost))
	mux.HandleFunc(deviceAuthorizationPath, b.open(b.handleDeviceAuthorization, http.MethodPost))
	mux.HandleFunc("GET /authorize", b.navigated(b.handleAuthorize))
	mux.HandleFunc("POST /authorize", b.navigated(b.handleAuthorize))
	mux.HandleFunc("POST "+consentPath, b.handleConsent)
	mux.HandleFunc("GET "+CallbackPath, b.navigated(b.handleCallback))
	mux.HandleFunc("GET "+devicePath, b.navigated(b.handleDevicePage))
	mux.HandleFunc("POST "+devicePath, b.handleUserCode)
	mux.HandleFunc("GET "+connectionsPath, b.navigated(b.handleConnections))
	mux.HandleFunc("POST "+connectionsPath, b.endConnections)
	mux.HandleFunc("POST "+connectionsSignInPath, b.signInForConnections)
	mux.HandleFunc(connectionsPath, b.otherMethod("GET, HEAD, POST"))
	mux.HandleFunc(connectionsSignInPath, b.otherMethod("POST"))
	mux.HandleFunc("/authorize", b.otherMethod("GET, HEAD, POST"))
	mux.HandleFunc(consentPath, b.otherMethod("POST"))
	mux.HandleFunc(CallbackPath, b.otherMethod("GET, HEAD"))
	mux.HandleFunc(devicePath, b.otherMethod("GET, HEAD, POST"))
	return mux
}

// Paths lists the paths at which the broker must be mounted.
func Paths() []string {
	return []string{
		"/.well-known/oauth-authorization-server",
		"/.well-known/openid-configuration",
		"/jwks",
		"/register",
		"/token",
		"/revoke",
		introspectionPath,
		"/authorize",
		consentPath,
		CallbackPath,
		deviceAuthorizationPath,
		devicePath,
		connectionsPath,
		connectionsSignInPath,
	}
}

// open lets scripts of every site use an endpoint. These endpoints have no cookies. The
// authorization endpoint is not among them (OAuth 2.1 section 3.1).
func (b *Broker) open(next http.HandlerFunc, method string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("X-Content-Type-Options", "nosniff")
		switch {
		case r.Method == http.MethodOptions:
			header.Set("Access-Control-Allow-Methods", method+", OPTIONS")
			header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, MCP-Protocol-Version")
			header.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
		case sentBlindly(r):
			problem := badRequest("invalid_request", "a page of another site sent this without asking (CORS)")
			problem.status = http.StatusForbidden
			b.refuse(w, r, problem.saw("origin", r.Header.Get("Origin")).
				saw("mode", r.Header.Get("Sec-Fetch-Mode")))
		case r.Method == method, method == http.MethodGet && r.Method == http.MethodHead:
			next(w, r)
		default:
			header.Set("Allow", method+", OPTIONS")
			problem := badRequest("invalid_request", "this endpoint takes "+method+" only").saw("method", r.Method)
			problem.status = http.StatusMethodNotAllowed
			b.refuse(w, r, problem)
		}
	}
}

// otherMethod refuses the other methods at a page of the sign-in.
func (b *Broker) otherMethod(allowed string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allowed)
		b.showProblem(w, r, http.StatusMethodNotAllowed, "This page takes "+allowed+" only.", sight{"method", r.Method})
	}
}
