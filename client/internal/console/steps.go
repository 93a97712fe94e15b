package console

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"mcpentra/client"
)

// Steps writes the steps of a sign-in, numbered, in words.
type Steps struct {
	out    io.Writer
	manual bool // the person opens the page

	mu    sync.Mutex
	count int
}

// NewSteps writes steps to out. Set manual if the person opens the authorization page.
func NewSteps(out io.Writer, manual bool) *Steps { return &Steps{out: out, manual: manual} }

// Trace writes the step of an event. It can be client.Config.Trace.
func (s *Steps) Trace(event client.Event) {
	title, details := describeEvent(event, s.manual)
	if title != "" {
		s.Step(title, details...)
	}
}

// Connected writes that there is a connection.
func (s *Steps) Connected(session *Session) {
	s.Step(fmt.Sprintf("Connected to %s %s, speaking MCP %s", session.Name, session.Version, session.Revision))
}

// Step writes one step. The text may come from a server.
func (s *Steps) Step(title string, details ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	var text strings.Builder
	fmt.Fprintf(&text, "%2d. %s\n", s.count, Printable(title))
	for _, detail := range details {
		fmt.Fprintf(&text, "    %s\n", Printable(detail))
	}
	_, _ = io.WriteString(s.out, text.String())
}

// TellPerson writes only what a person has to open, type or correct. It writes nothing for other
// events.
func TellPerson(out io.Writer, event client.Event) {
	switch e := event.(type) {
	case client.PageReady:
		fmt.Fprintln(out, Printable(e.URL))
	case client.BrowserFailed:
		fmt.Fprintln(out, Printable(e.Reason))
		fmt.Fprintln(out, Printable(e.URL))
		fmt.Fprintln(out, strings.Join(openByHand, "\n"))
	case client.PasteRefused:
		fmt.Fprintln(out, Printable(e.Reason))
	case client.DeviceReady:
		fmt.Fprintln(out, Printable(e.URL), Printable(e.UserCode))
	}
}
