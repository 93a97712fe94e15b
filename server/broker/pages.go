package broker

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
)

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// The templates.
const (
	consentPage = "consent.html"
	onwardPage  = "onward.html"
	problemPage = "problem.html"

	devicePage        = "device.html"
	deviceConsentPage = "device_consent.html"
	connectionsPage   = "connections.html"
)

// holdScript makes the buttons of a page wait for half a second after the page has appeared.
// Without scripts they do not wait.
//
//go:embed pages/hold.js
var holdScript string

// holdSource is the source of the script in a Content-Security-Policy (CSP Level 3 section 2.3.1).
var holdSource = sourceOf(holdScript)

// sourceOf returns the hash that allows an inline script.
func sourceOf(script string) string {
	sum := sha256.Sum256([]byte(script))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// isHeld reports whether the buttons of a template wait.
func isHeld(name string) bool { return name == consentPage || name == deviceConsentPage }

// hasForm reports whether a template has a form.
func hasForm(name string) bool {
	return name == consentPage || name == connectionsPage || name == devicePage || name == deviceConsentPage
}

// A page holds the values of the templates.
type page struct {
	Title       string
	Server      string
	Client      string
	ClientID    string
	DescribedBy string // the host of the client's document, or empty
	To          destination
	Warnings    []string
	Resource    *shownResource // nil if there is only one
	Scopes      []string
	Kept        []string // what the client has already
	Transaction string
	CSRF        string
	Person      string
	Onward      template.URL // an address of Entra's, or a redirect URI that was checked
	Message     string
	Script      template.JS
	Device      *shownDevice

	SignedIn        bool // a person looks at their connections
	Connections     []connection
	MoreConnections int // that the page has no room for

	Preregistered   bool
	NamedByOperator bool // the client is pre-registered, but another program may have asked
	AnyProgram      bool // any program on this computer can ask in the client's name
}

// A shownDevice is what the consent page of a device says about the request.
type shownDevice struct {
	Address  string
	IsNearby bool // the browser is in the same network
	Begun    string
	Ago      string
}

// A shownResource is what pages say about the resource of a grant.
type shownResource struct {
	Name    string
	Address string
}

// shownResource returns what a page says about the resource of scopes. It returns nil if people
// have no resources to tell apart.
func (b *Broker) shownResource(scopes []string) *shownResource {
	if !b.hasSeveral() {
		return nil
	}
	r := b.resourceOf(scopes)
	return &shownResource{Name: r.Name, Address: r.URL}
}

// isolated keeps the direction of a text from changing the order of the text around it (Unicode
// Standard Annex 9).
func isolated(text string) string { return "\u2068" + text + "\u2069" }

// showOnward renders a page that redirects automatically, with a link as fallback.
func (b *Broker) showOnward(w http.ResponseWriter, address, title string) {
	content := page{Title: title, Server: b.config.ResourceName, Onward: template.URL(address)}
	if isPrivateUse(address) {
		content.To = newDestination(address)
	}
	b.show(w, http.StatusOK, onwardPage, content)
}

// showDone answers a person who clicked again after the client has redeemed its code. The grant may
// have ended since.
func (b *Broker) showDone(w http.ResponseWriter, tx *transaction) {
	b.show(w, http.StatusOK, problemPage, page{
		Title:   "This sign-in is complete",
		Server:  b.config.ResourceName,
		Message: "The answer has reached “" + isolated(tx.displayName()) + "”. Go back to it.",
	})
}

// showProblem shows a message to a person, and logs the values that came.
func (b *Broker) showProblem(w http.ResponseWriter, r *http.Request, status int, message string, seen ...sight) {
	b.showRefusal(w, r, &protocolError{status: status, code: "page", description: message, seen: seen})
}

// showRefusal is showProblem for a problem that names a setting or is a warning.
func (b *Broker) showRefusal(w http.ResponseWriter, r *http.Request, problem *protocolError) {
	b.logRefusal(r, problem)
	b.show(w, problem.status, problemPage, page{
		Title:   "This did not work",
		Server:  b.config.ResourceName,
		Message: problem.description,
	})
}

// show renders a page. No other page can frame it. It runs no script but ours, loads nothing from
// other origins, and sends its form to this origin only.
func (b *Broker) show(w http.ResponseWriter, status int, name string, content page) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	policy := "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; " +
		"base-uri 'none'"
	if isHeld(name) {
		content.Script = template.JS(holdScript)
		policy += "; script-src " + holdSource
	}
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Frame-Options", "DENY")
	// The site that opened the window keeps no reference to it.
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("X-Content-Type-Options", "nosniff")
	if hasForm(name) {
		// The form's Origin would be "null" under no-referrer.
		header.Set("Referrer-Policy", "same-origin")
	} else {
		header.Set("Referrer-Policy", "no-referrer")
	}
	w.WriteHeader(status)
	if err := pages.ExecuteTemplate(w, name, content); err != nil {
		b.log.Error("page", "name", name, "error", err)
	}
}
