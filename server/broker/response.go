package broker

import (
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// refuse answers a client with an error, and logs the reason.
func (b *Broker) refuse(w http.ResponseWriter, r *http.Request, problem *protocolError) {
	b.logRefusal(r, problem)
	writeError(w, problem)
}

func writeError(w http.ResponseWriter, problem *protocolError) {
	if problem.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(problem.retryAfter.Seconds())))
	}
	if problem.basic {
		w.Header().Set("WWW-Authenticate", `Basic realm="token", charset="UTF-8"`)
	}
	if problem.challenge != "" {
		w.Header().Set("WWW-Authenticate", problem.challenge)
	}
	writeJSON(w, problem.status, map[string]string{"error": problem.code, "error_description": problem.description})
}

// writeJSON writes an answer that no cache may store.
func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // our own structs
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// sendBack returns an error to the client. A site can register itself and link to a request that is
// sure to fail. So the browser goes to a site automatically only if the site is trusted. Otherwise
// the person reads where the answer would go, and decides (RFC 9700 section 4.11.2).
func (b *Broker) sendBack(w http.ResponseWriter, r *http.Request, tx *transaction, problem *protocolError) {
	b.logRefusal(r, problem.saw("client", tx.ClientID).saw("redirect_uri", seenURL(tx.RedirectURI)))
	if tx.Device != nil {
		b.endDevice(w, r, tx, problem)
		return
	}
	if tx.Trusted {
		b.deliver(w, r, tx, errorResponse(problem))
		return
	}
	content := page{
		Title:   "This did not work",
		Server:  b.config.ResourceName,
		To:      newDestination(tx.RedirectURI),
		Onward:  template.URL(b.responseURL(tx, errorResponse(problem))),
		Message: "The request of “" + isolated(tx.displayName()) + "” failed: " + problem.description + ".",
	}
	status := problem.status
	if r.Method == http.MethodPost && problem.code == "access_denied" {
		content.Title = "You declined"
		content.Message = "“" + isolated(tx.displayName()) + "” gets no access."
		status = http.StatusOK
	}
	content.Warnings = b.warnings(tx.ClientName, content.To)
	b.show(w, status, problemPage, content)
}

func errorResponse(problem *protocolError) url.Values {
	return url.Values{"error": {problem.code}, "error_description": {problem.description}}
}

// deliver sends the browser back to the client with an authorization response. After a POST it
// renders a page that redirects automatically, with a link as fallback: form-action would stop a
// redirect. A private-use scheme gets the page too, because the browser asks before it opens a
// program, and a person who refused needs the link.
func (b *Broker) deliver(w http.ResponseWriter, r *http.Request, tx *transaction, response url.Values) {
	target := b.responseURL(tx, response)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.Method == http.MethodPost || isPrivateUse(target) {
		b.showOnward(w, target, "Back to “"+isolated(tx.displayName())+"”")
		return
	}
	http.Redirect(w, r, target, http.StatusFound)
}

// responseURL adds a response, the state and the issuer (RFC 9207) to the query of the redirect
// URI. The redirect URI stays as the client registered it, character by character.
func (b *Broker) responseURL(tx *transaction, response url.Values) string {
	if tx.HasState {
		response.Set("state", tx.State)
	}
	response.Set("iss", b.config.Issuer)
	separator := "?"
	if strings.Contains(tx.RedirectURI, "?") {
		separator = "&"
	}
	return tx.RedirectURI + separator + response.Encode()
}
