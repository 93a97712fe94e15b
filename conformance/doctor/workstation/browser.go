package workstation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"mcpentra/conformance/doctor"
)

// systemOpener returns the operating system's command that opens a page.
func systemOpener(system string) []string {
	switch system {
	case "darwin":
		return []string{"open"}
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	return []string{"xdg-open"}
}

// withoutBrowser are the ways to sign in with a browser on another machine.
var withoutBrowser = []doctor.Fix{
	change("command line", program+" --device-code, to approve with a code on any device"),
	change("command line", program+" --paste, to paste the address at which the other browser ends"),
}

func (m *machine) browser(_ context.Context, step *doctor.Step) {
	m.openers(step)
	if m.env["BROWSER"] == "" {
		m.display(step)
	}
	m.elsewhere(step)
	fine(step, "browser-found", "the client can open the sign-in page")
}

// openers checks the commands that open a page.
func (m *machine) openers(step *doctor.Step) {
	separator := byte(':')
	if m.config.OS == "windows" {
		separator = ';'
	}
	commands, err := browserCommands(m.env["BROWSER"], separator)
	if err != nil {
		step.Add(doctor.Finding{
			Code:    "browser-setting-wrong",
			Kind:    doctor.Fault,
			Seen:    "BROWSER cannot be read: " + err.Error(),
			Why:     "The client splits BROWSER into words as a shell would, and runs no shell.",
			Effects: stops("it ends with status 2"),
			Fixes:   []doctor.Fix{change(environment, "BROWSER=firefox, or remove BROWSER")},
		})
		return
	}
	if len(commands) == 0 {
		m.systemOpener(step)
		return
	}
	for _, words := range commands {
		path, err := m.config.LookPath(words[0])
		if err == nil {
			did(step, "BROWSER begins with %s, which is %s", words[0], path)
			return
		}
		did(step, "BROWSER names %s: %v", words[0], err)
	}
	unset := change(environment, "set BROWSER to a program that exists, or remove it")
	step.Add(doctor.Finding{
		Code:    "browser-not-found",
		Kind:    doctor.Warning,
		Seen:    "no program in BROWSER can be started",
		Why:     "The client runs the programs in BROWSER, and no other.",
		Effects: stops("it opens no page, and waits until you open the printed address"),
		Fixes:   append([]doctor.Fix{unset}, withoutBrowser...),
	})
}

func (m *machine) systemOpener(step *doctor.Step) {
	opener := systemOpener(m.config.OS)[0]
	path, err := m.config.LookPath(opener)
	if err == nil {
		did(step, "%s is %s", opener, path)
		return
	}
	step.Add(doctor.Finding{
		Code:    "opener-missing",
		Kind:    doctor.Warning,
		Seen:    fmt.Sprintf("there is no program %s, and BROWSER is not set", opener),
		Why:     "The client opens the sign-in page with it.",
		Effects: stops("it opens no page, and waits until you open the printed address"),
		Fixes: append([]doctor.Fix{
			change("package xdg-utils", "install it, or set BROWSER to a browser"),
		}, withoutBrowser...),
	})
}

// display finds systems without a screen.
func (m *machine) display(step *doctor.Step) {
	hasScreen := m.env["DISPLAY"] != "" || m.env["WAYLAND_DISPLAY"] != ""
	if m.config.OS == "darwin" || m.config.OS == "windows" || hasScreen {
		return
	}
	step.Add(doctor.Finding{
		Code:    "no-display",
		Kind:    doctor.Warning,
		Seen:    "neither DISPLAY nor WAYLAND_DISPLAY is set",
		Why:     "A browser needs a screen. Without one, xdg-open fails or starts a browser in the terminal.",
		Effects: stops("no page opens"),
		Fixes:   withoutBrowser,
	})
}

// elsewhere finds sessions whose person has the browser on another machine. The browser there does
// not reach the callback here.
func (m *machine) elsewhere(step *doctor.Step) {
	why := "The browser on your own machine does not reach the callback on this one."
	effects := stops("the browser ends at a page that cannot be found")
	if m.env["SSH_CONNECTION"] != "" || m.env["SSH_TTY"] != "" {
		forward := change("ssh on your own machine",
			"ssh -L 8765:localhost:8765 HOST, and here MCP_REDIRECT_URI=http://localhost:8765/callback")
		step.Add(doctor.Finding{
			Code:    "ssh-session",
			Kind:    doctor.Warning,
			Seen:    "this is a session over ssh",
			Why:     why,
			Effects: effects,
			Fixes:   append(slices.Clone(withoutBrowser), forward),
		})
	}
	if sign := m.containerSign(); sign != "" {
		step.Add(doctor.Finding{
			Code:    "container",
			Kind:    doctor.Warning,
			Seen:    "this is a container or a hosted workspace: " + sign,
			Why:     why,
			Effects: effects,
			Fixes:   withoutBrowser,
		})
	}
}

// containerVariables are set in containers and hosted workspaces.
var containerVariables = []string{
	"container",
	"KUBERNETES_SERVICE_HOST",
	"CODESPACES",
	"REMOTE_CONTAINERS",
	"GITPOD_WORKSPACE_ID",
}

// containerSign returns the sign of a container, or "".
func (m *machine) containerSign() string {
	for _, file := range []string{".dockerenv", "run/.containerenv"} {
		if _, err := os.Lstat(filepath.Join(m.config.Root, file)); err == nil {
			return "there is a file /" + file
		}
	}
	for _, name := range containerVariables {
		if m.env[name] != "" {
			return name + " is set"
		}
	}
	return ""
}
