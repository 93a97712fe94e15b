package doctor_test

import (
	"net/url"
	"strings"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// A deployment is a world with one fault.
type deployment struct {
	name  string
	proxy string           // nginx or caddy, also with " with TLS"; empty for none
	fake  fakeentra.Config // of the world
	// breaks puts the fault into a healthy world in broker mode.
	breaks func(w *world)
	// want are the codes of the faults that doctor finds, in their order. If isWarning is true, the
	// fault is a warning to doctor.
	want      []string
	isWarning bool
	mend      remedy
}

// setting returns a fault in a setting of the server. An empty value removes it.
func setting(key, value string) func(*world) {
	return func(w *world) {
		w.set(key, value)
	}
}

// editApp returns a fault in an app registration of the tenant.
func editApp(index int, change func(*directory.App)) func(*world) {
	return func(w *world) { w.register(onApp(index, change)) }
}

// onApp returns a change of an app registration of the tenant.
func onApp(index int, change func(*directory.App)) func(*directory.Tenant) {
	return func(tenant *directory.Tenant) { change(&tenant.Apps[index]) }
}

// changeDirect returns a fault in a world in direct mode.
func changeDirect(change func(*world)) func(*world) {
	return func(w *world) {
		w.direct()
		if change != nil {
			change(w)
		}
	}
}

// withoutIdentifierURL leaves the API the identifier URI that the portal proposes.
func withoutIdentifierURL(w *world) {
	w.set("AUTH_AUDIENCE", "")
	w.register(func(tenant *directory.Tenant) { tenant.Apps[1].IdentifierURIs = []string{apiURI} })
}

// otherClient makes the first app the client, and changes the tenant.
func otherClient(change func(*directory.Tenant)) func(*world) {
	return func(w *world) {
		w.clientID = directory.DefaultClientID
		w.register(func(tenant *directory.Tenant) {
			tenant.Apps[0].PublicClient = []string{"http://localhost/callback"}
			change(tenant)
		})
	}
}

// foreignNotListed asks for all permissions of an API that the client does not list.
func foreignNotListed(w *world) {
	foreignDirect(w.public + "/mcp/.default")(w)
	otherClient(func(tenant *directory.Tenant) { tenant.Apps[0].Permissions = []string{"User.Read"} })(w)
}

// atOrigin moves the endpoint to the origin. Clients then write a slash at its end, and an
// identifier URI must not have one.
func atOrigin(w *world) {
	w.set("MCP_PATH", "/")
	w.set("AUTH_AUDIENCE", w.public)
	w.register(func(tenant *directory.Tenant) {
		tenant.Apps[1].IdentifierURIs = []string{apiURI, w.public}
	})
}

// fromOrigin moves the endpoint to a path, and registers its URL.
func fromOrigin(w *world, _ string) {
	w.set("MCP_PATH", "/mcp")
	w.set("AUTH_AUDIENCE", w.public+"/mcp")
	w.register(func(tenant *directory.Tenant) {
		tenant.Apps[1].IdentifierURIs = []string{apiURI, w.public + "/mcp"}
	})
}

// foreignDirect replaces the server by one of other people that sends clients to the tenant.
func foreignDirect(scopes ...string) func(*world) {
	return func(w *world) {
		w.direct()
		w.foreign = &foreignSite{issuer: w.fake.Issuer(directory.DefaultTenantID), scopes: scopes}
	}
}

// foreignIssuer replaces the server by one that sends clients to a shared issuer.
func foreignIssuer(segment string) func(*world) {
	return func(w *world) {
		foreignDirect(w.public + "/mcp/tool.read")(w)
		w.foreign.issuer = strings.Replace(w.foreign.issuer, directory.DefaultTenantID, segment, 1)
	}
}

// foreignUpstream replaces the server by one with a broker that changes its request to Entra ID.
func foreignUpstream(change func(toEntra, fromClient url.Values)) func(*world) {
	return func(w *world) { w.foreign = &foreignSite{upstream: change} }
}

// foreignBroker is foreignUpstream for a value. An empty value removes the parameter.
func foreignBroker(name, value string) func(*world) {
	return foreignUpstream(func(toEntra, _ url.Values) {
		toEntra.Set(name, value)
		if value == "" {
			toEntra.Del(name)
		}
	})
}

// scopesOfAPI lists the scope of the API in the metadata.
func scopesOfAPI(w *world, _ string) { w.foreign.scopes = []string{apiURI + "/tool.read"} }

// listedScope lists the scope of a fix, "scopes_supported": ["…"].
func listedScope(w *world, text string) { w.foreign.scopes = []string{quotedIn(w, text, 1)} }

// issuerOfTenant names the issuer of the tenant in the metadata.
func issuerOfTenant(w *world, _ string) { w.foreign.issuer = w.fake.Issuer(directory.DefaultTenantID) }

// listPermission adds the API to the permissions of the client.
func listPermission(w *world, _ string) {
	w.register(onApp(0, func(app *directory.App) { app.Permissions = append(app.Permissions, apiURI+"/tool.read") }))
}

// healthyForeign is a foreign server whose scopes and identifier URI fit its registration.
func healthyForeign(w *world) {
	foreignDirect(w.public + "/mcp/tool.read")(w)
}
