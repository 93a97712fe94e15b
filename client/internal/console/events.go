package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mcpentra/client"
)

// openByHand explains how to sign in if no browser was opened.
var openByHand = []string{
	"Open the page's address yourself in a browser on this machine: the program waits for the answer.",
	"If the browser is on another machine, press Ctrl-C and start again with --paste.",
	"With --no-browser the program does not try to open one.",
}

// describeEvent returns the title and the details of an event's step. The title of an unknown event
// is empty. Set manual if the person opens the authorization page.
func describeEvent(event client.Event, manual bool) (title string, details []string) {
	switch e := event.(type) {
	case client.Challenged:
		return challenged(e)
	case client.ResourceFound:
		return resourceFound(e)
	case client.IssuerFound:
		return issuerFound(e)
	case client.Registered:
		return registered(e)
	case client.PageReady:
		return pageReady(e, manual)
	case client.BrowserFailed:
		return browserFailed(e)
	case client.PasteRefused:
		return "That is not the answer yet", []string{e.Reason}
	case client.DeviceReady:
		return deviceReady(e)
	case client.Answered:
		return answered(e), nil
	case client.Issued:
		return issued(e)
	}
	return "", nil
}

func challenged(e client.Challenged) (title string, details []string) {
	return e.Method + " " + e.URL, []string{
		fmt.Sprintf("answer: %d", e.Status),
		"WWW-Authenticate: " + orNone(e.Challenge),
	}
}

func resourceFound(e client.ResourceFound) (title string, details []string) {
	if e.Location == "" {
		return "No protected resource metadata: the client assumes a server of MCP 2025-03-26, " +
			"which is its own authorization server", nil
	}
	return "Protected resource metadata: " + e.Location, []string{
		"resource: " + e.Resource,
		"authorization servers: " + strings.Join(e.AuthorizationServers, ", "),
	}
}

func issuerFound(e client.IssuerFound) (title string, details []string) {
	endpoints := []string{
		"authorization: " + e.AuthorizationEndpoint,
		"token: " + e.TokenEndpoint,
	}
	if e.Location == "" {
		return "No authorization server metadata: the client uses the default paths of MCP 2025-03-26", endpoints
	}
	return "Authorization server metadata: " + e.Location, slices.Concat([]string{"issuer: " + e.Issuer}, endpoints)
}

func registered(e client.Registered) (title string, details []string) {
	title = "Registered with the authorization server"
	switch {
	case e.Preregistered:
		title = "Known to the authorization server beforehand"
	case e.Document:
		title = "Known to the authorization server by a client ID metadata document"
	}
	return title, []string{
		"client ID: " + e.ClientID,
		"authentication: " + e.AuthMethod,
	}
}

func pageReady(e client.PageReady, manual bool) (title string, details []string) {
	title = "Opening the browser to sign in and approve"
	if manual || e.Paste {
		title = "Open this page to sign in and approve"
	}
	next := "waiting for the answer at " + e.RedirectURI
	if e.Paste {
		next = "then paste the address that the browser ends at, which begins with " + e.RedirectURI + "?"
	}
	return title, []string{e.URL, next}
}

func browserFailed(e client.BrowserFailed) (title string, details []string) {
	lines := strings.Split(e.Reason, "\n")
	return lines[0], slices.Concat(lines[1:], openByHand)
}

func deviceReady(e client.DeviceReady) (title string, details []string) {
	details = []string{e.URL, "and enter the code " + e.UserCode}
	if e.Complete != "" {
		details = append(details, "or open "+e.Complete)
	}
	details = append(details, "within "+e.Lifetime.Round(time.Second).String())
	return "Open this page on any device to sign in and approve", details
}

func answered(e client.Answered) (title string) {
	issuer := "does not name its issuer"
	if e.Issuer != "" {
		issuer = "is from " + e.Issuer
	}
	return "The answer has arrived: its state is right, and it " + issuer
}

func issued(e client.Issued) (title string, details []string) {
	title = "Got an access token"
	if e.Refreshed {
		title = "Got a new access token with the refresh token"
	}
	kind := "Bearer"
	if e.Bound {
		kind = "DPoP, bound to a key of this program"
	}
	facts := []string{"type: " + kind, "scopes: " + orNone(strings.Join(e.Scopes, " "))}
	if e.Lifetime > 0 {
		facts = append(facts, "good for "+e.Lifetime.Round(time.Second).String())
	}
	if e.Renewable {
		facts = append(facts, "with a refresh token")
	}
	return title, []string{strings.Join(facts, ", ")}
}

func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}
