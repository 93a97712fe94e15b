package envfile

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/doctor/aadsts"
)

// checkAPI asks for a token of the API in direct mode, and reads its version.
func (e *exam) checkAPI(ctx context.Context) bool {
	unusable := e.tenant == nil || e.wrong["AUTH_CLIENT_ID"] || e.wrong["AUTH_AUDIENCE"]
	if !e.isDirect() || unusable {
		return true
	}
	credentials := e.credentials()
	if len(credentials) != 1 || e.wrong[credentials[0]] {
		e.did("not tried: a token of the API needs a credential that works")
		return true
	}
	proof := e.parameters()
	if proof == nil {
		return true
	}
	audience := e.get("AUTH_AUDIENCE")
	if audience == "" {
		audience = "api://" + e.get("AUTH_CLIENT_ID")
	}
	answer := e.requestToken(ctx, audience+"/.default", proof)
	if answer == nil {
		return false
	}
	if strings.Contains(string(answer.body), "AADSTS90009") { // the URI is right, and only its form is refused
		answer = e.requestToken(ctx, e.get("AUTH_CLIENT_ID")+"/.default", proof)
		if answer == nil {
			return false
		}
	}
	if answer.status == http.StatusOK {
		e.checkToken(answer.body)
		return true
	}
	isPolicy := slices.ContainsFunc(aadsts.Find(string(answer.body)), func(f aadsts.Finding) bool {
		return slices.Contains(allowed, f.Code)
	})
	if isPolicy {
		e.did("a policy keeps the app from a token of its own, so the version is not visible")
		return true
	}
	e.refused("AUTH_AUDIENCE", answer, e.write("AUTH_AUDIENCE", "THE-APPLICATION-ID-URI"),
		e.portal("Expose an API > Application ID URI", "compare it with "+audience+", and add it if it is missing"))
	return true
}

// checkToken compares the version of an access token with AUTH_TOKEN_VERSION.
func (e *exam) checkToken(body []byte) {
	var answer struct {
		Token string `json:"access_token"`
	}
	var claims struct {
		Version string `json:"ver"`
	}
	err := json.Unmarshal(body, &answer)
	e.secrets.Add(answer.Token)
	parts := strings.Split(answer.Token, ".")
	if err != nil || len(parts) != 3 {
		return
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return
	}
	version, _, _ := strings.Cut(claims.Version, ".")
	accepted := list(e.get("AUTH_TOKEN_VERSION"))
	if len(accepted) == 0 {
		accepted = []string{"2"}
	}
	if version != "1" && version != "2" {
		return
	}
	if slices.Contains(accepted, version) {
		e.fine("api-token", "Entra issues tokens of version "+version+" for the API, as AUTH_TOKEN_VERSION says")
		return
	}
	e.fault("AUTH_TOKEN_VERSION", "token-version",
		fmt.Sprintf("Entra issues tokens of version %s for the API, and the "+
			"server accepts %s", version, strings.Join(accepted,
			" and ")), "The server answers 401 to every token, and clients "+
			"sign in again and again.",
		e.portal("Manifest", `"requestedAccessTokenVersion": `+accepted[0]), e.write("AUTH_TOKEN_VERSION", version))
}

// graphScope returns the address of Microsoft Graph in scopes. A fake has the public cloud's.
func (e *exam) graphScope() string {
	if _, home := e.authority(); home != nil {
		return home.graph
	}
	return clouds[0].graph
}

// graphAddress returns the address where Microsoft Graph answers. A fake serves it beside Entra.
func (e *exam) graphAddress() string {
	if text := e.get("AUTH_GRAPH_URL"); text != "" && !e.wrong["AUTH_GRAPH_URL"] {
		return strings.TrimRight(text, "/")
	}
	if authority, home := e.authority(); home == nil {
		return authority
	}
	return e.graphScope()
}

// checkGraph asks Graph without a token. Any answer shows that it can be reached.
func (e *exam) checkGraph(ctx context.Context) bool {
	if e.tenant == nil {
		return true
	}
	address := e.graphAddress()
	answer, err := e.fetch(ctx, address+"/v1.0/me")
	if err != nil {
		e.warn("graph-unreachable", e.secrets.Shown(fmt.Sprintf("%s gives no answer: %v", address, err)),
			"People can sign in, but tools that ask Graph fail.", e.line("AUTH_GRAPH_URL",
				"let the firewall pass "+address))
		return true
	}
	e.did("GET %s/v1.0/me without a token: %d", address, answer.status)
	if answer.status != http.StatusUnauthorized {
		e.warn("graph-strange", fmt.Sprintf("%s answers %d without a token: want 401", address, answer.status),
			"Something else than Graph may answer, such as a proxy.", e.line("AUTH_GRAPH_URL", "check the proxy"))
	}
	e.fine("graph-reached", "Microsoft Graph answers")
	return true
}
