package console

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"mcpentra/client"
)

// Steps tells the steps of a sign-in, numbered, in plain words.
type Steps struct {
	out     io.Writer
	manual  bool // the person opens the page
	mu      sync.Mutex
	counted int
}

// NewSteps writes to out. manual is for when the person opens the authorization page.
func NewSteps(out io.Writer, manual bool) *Steps { return &Steps{out: out, manual: manual} }

// Trace is a client.Config.Trace.
func (s *Steps) Trace(event client.Event) {
	switch e := event.(type) {
	case client.Challenged:
		s.Step(fmt.Sprintf("%s %s", e.Method, e.URL), fmt.Sprintf("answer: %d", e.Status), "WWW-Authenticate: "+orNone(e.Challenge))
	case client.ResourceFound:
		if e.Location == "" {
			s.Step("No protected resource metadata: the server is taken for one of MCP 2025-03-26, its own authorization server")
			return
		}
		s.Step("Protected resource metadata: "+e.Location, "resource: "+e.Resource, "authorization servers: "+strings.Join(e.AuthorizationServers, ", "))
	case client.IssuerFound:
		if e.Location == "" {
			s.Step("No authorization server metadata: the default paths of MCP 2025-03-26 are used", "authorization: "+e.AuthorizationEndpoint, "token: "+e.TokenEndpoint)
			return
		}
		s.Step("Authorization server metadata: "+e.Location, "issuer: "+e.Issuer, "authorization: "+e.AuthorizationEndpoint, "token: "+e.TokenEndpoint)
	case client.Registered:
		how := "Registered with the authorization server"
		switch {
		case e.Preregistered:
			how = "Known to the authorization server beforehand"
		case e.Document:
			how = "Known to the authorization server by a client ID metadata document"
		}
		s.Step(how, "client ID: "+e.ClientID, "authentication: "+e.AuthMethod)
	case client.PageReady:
		what := "Opening the browser to sign in and approve"
		if s.manual || e.Paste {
			what = "Open this page to sign in and approve"
		}
		if e.Paste {
			s.Step(what, e.URL, "then paste the address that the browser ends at, which begins with "+e.RedirectURI+"?")
			return
		}
		s.Step(what, e.URL, "waiting for the answer at "+e.RedirectURI)
	case client.BrowserFailed:
		s.Step(firstLine(e.Reason), slices.Concat(strings.Split(e.Reason, "\n")[1:], byHand)...)
	case client.PasteRefused:
		s.Step("That is not the answer yet", e.Reason)
	case client.DeviceReady:
		where := []string{e.URL, "and enter the code " + e.UserCode}
		if e.Complete != "" {
			where = append(where, "or open "+e.Complete)
		}
		s.Step("Open this page on any device to sign in and approve", append(where, "within "+e.Lifetime.Round(time.Second).String())...)
	case client.Answered:
		issuer := "does not say who it is from"
		if e.Issuer != "" {
			issuer = "is from " + e.Issuer
		}
		s.Step("The answer has arrived: its state is right, and it " + issuer)
	case client.Issued:
		what := "Got an access token"
		if e.Refreshed {
			what = "Got a new access token with the refresh token"
		}
		kind := "Bearer"
		if e.Bound {
			kind = "DPoP, bound to a key of this program"
		}
		details := []string{"type: " + kind + ", scopes: " + orNone(strings.Join(e.Scopes, " "))}
		if e.Lifetime > 0 {
			details = append(details, "good for "+e.Lifetime.Round(time.Second).String())
		}
		if e.Renewable {
			details = append(details, "with a refresh token")
		}
		s.Step(what, strings.Join(details, ", "))
	}
}

// byHand says how a person signs in where no browser was opened.
var byHand = []string{
	"Open the page's address yourself in a browser on this machine: the program waits for the answer.",
	"If the browser is on another machine, press Ctrl-C and start again with --paste.",
	"With --no-browser the program does not try to open one.",
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// TellPerson writes no more of an event than what a person has to open, type or correct. It writes
// nothing of most events.
func TellPerson(out io.Writer, event client.Event) {
	switch e := event.(type) {
	case client.PageReady:
		fmt.Fprintln(out, Printable(e.URL))
	case client.BrowserFailed:
		fmt.Fprintln(out, Printable(e.Reason))
		fmt.Fprintln(out, Printable(e.URL))
		fmt.Fprintln(out, strings.Join(byHand, "\n"))
	case client.PasteRefused:
		fmt.Fprintln(out, Printable(e.Reason))
	case client.DeviceReady:
		fmt.Fprintln(out, Printable(e.URL), Printable(e.UserCode))
	}
}

// Connected tells that there is a connection.
func (s *Steps) Connected(session *Session) {
	s.Step(fmt.Sprintf("Connected to %s %s, speaking MCP %s", session.Name, session.Version, session.Revision))
}

// Step writes one step. Everything in it may come from a server.
func (s *Steps) Step(title string, details ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counted++
	var text strings.Builder
	fmt.Fprintf(&text, "%2d. %s\n", s.counted, Printable(title))
	for _, detail := range details {
		fmt.Fprintf(&text, "    %s\n", Printable(detail))
	}
	_, _ = io.WriteString(s.out, text.String())
}

func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}
