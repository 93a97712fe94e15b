package broker

import (
	"embed"
	"html/template"
	"net/http"
)

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// A page is what the templates are given.
type page struct {
	Title       string
	Server      string
	Client      string
	ClientID    string
	To          destination
	Warnings    []string
	Scopes      []string
	Transaction string
	CSRF        string
	Person      string
	Onward      string
	Message     string
}

func (b *Broker) showConsent(w http.ResponseWriter, tx *transaction, id, csrf string) {
	content := page{
		Title:       "Approve access",
		Server:      b.config.ResourceName,
		Client:      tx.ClientName,
		ClientID:    tx.ClientID,
		To:          newDestination(tx.RedirectURI),
		Transaction: id,
		CSRF:        csrf,
	}
	content.Warnings = b.warnings(tx.ClientName, content.To)
	for _, name := range tx.Scopes {
		content.Scopes = append(content.Scopes, b.scope(name).Description)
	}
	if tx.SignedIn != nil {
		content.Person = tx.SignedIn.Username
	}
	b.show(w, http.StatusOK, "consent.html", content)
}

// showOnward is a page that goes on by itself, and by a link for whom it does not.
func (b *Broker) showOnward(w http.ResponseWriter, address, title string) {
	b.show(w, http.StatusOK, "onward.html", page{Title: title, Server: b.config.ResourceName, Onward: address})
}

// showDone answers a person who clicked again after the client has redeemed its code. The grant may
// have ended since.
func (b *Broker) showDone(w http.ResponseWriter, tx *transaction) {
	b.show(w, http.StatusOK, "problem.html", page{
		Title:   "This sign-in is complete",
		Server:  b.config.ResourceName,
		Message: "The answer has reached “" + isolated(tx.displayName()) + "”. Go back to it.",
	})
}

// showProblem tells a person what is wrong, and the log what was seen.
func (b *Broker) showProblem(w http.ResponseWriter, r *http.Request, status int, message string, seen ...sight) {
	b.showRefusal(w, r, &protocolError{status: status, code: "page", description: message, seen: seen})
}

// showRefusal is showProblem for a problem that names a setting, or is worth a warning.
func (b *Broker) showRefusal(w http.ResponseWriter, r *http.Request, problem *protocolError) {
	b.logRefusal(r, problem)
	status, message := problem.status, problem.description
	b.show(w, status, "problem.html", page{Title: "This did not work", Server: b.config.ResourceName, Message: message})
}

// show renders a page that no other page can frame, that runs no script, loads nothing from
// elsewhere, and sends its form nowhere but here.
func (b *Broker) show(w http.ResponseWriter, status int, name string, content page) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set(
		"Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	)
	header.Set("X-Frame-Options", "DENY")
	header.Set("X-Content-Type-Options", "nosniff")
	if name == "consent.html" {
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
