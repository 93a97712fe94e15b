package discovery_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"

	"mcpentra/client/discovery"
)

// Example goes from a server's 401 to the endpoints of its authorization server.
func Example() {
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := "http://" + r.Host
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/mcp":
			w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+origin+`/about/mcp", scope="files.read"`)
			w.WriteHeader(http.StatusUnauthorized)
		case "/about/mcp":
			fmt.Fprintf(w, `{"resource":"%s/mcp","authorization_servers":["%s/tenant"]}`, origin, origin)
		case "/.well-known/oauth-authorization-server/tenant":
			fmt.Fprintf(w, `{"issuer":"%[1]s/tenant","authorization_endpoint":"%[1]s/tenant/authorize",
				"token_endpoint":"%[1]s/tenant/token","code_challenge_methods_supported":["S256"]}`, origin)
		default:
			http.NotFound(w, r)
		}
	}))
	defer listening.Close()
	ctx := context.Background()

	refusal, err := http.Get(listening.URL + "/mcp")
	if err != nil {
		log.Fatal(err)
	}
	defer refusal.Body.Close()
	challenges, err := discovery.ParseChallenges(refusal.Header)
	if err != nil {
		log.Fatal(err)
	}
	bearer := discovery.TokenChallenge(challenges)
	server, err := url.Parse(listening.URL + "/mcp")
	if err != nil {
		log.Fatal(err)
	}
	fetcher := discovery.Fetcher{HTTPClient: listening.Client()}
	resource, err := fetcher.FindResource(ctx, server, bearer.Params["resource_metadata"])
	if err != nil {
		log.Fatal(err)
	}
	issuer, err := fetcher.FindIssuer(ctx, resource.AuthorizationServers[0], server)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("scope:", bearer.Params["scope"])
	fmt.Println("at the first location:",
		issuer.Location == listening.URL+"/.well-known/oauth-authorization-server/tenant")
	fmt.Println("token endpoint of that issuer:", issuer.TokenEndpoint == issuer.Issuer+"/token")
	// Output:
	// scope: files.read
	// at the first location: true
	// token endpoint of that issuer: true
}
