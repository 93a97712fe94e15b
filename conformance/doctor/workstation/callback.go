package workstation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"

	"mcpentra/conformance/doctor"
)

// defaultRedirectURI is where the client waits for the answer if MCP_REDIRECT_URI is not set.
const defaultRedirectURI = "http://localhost/callback"

func (m *machine) callback(ctx context.Context, step *doctor.Step) {
	address := m.env["MCP_REDIRECT_URI"]
	if address == "" {
		address = defaultRedirectURI
	}
	parsed, wrong := readRedirectURI(address)
	if wrong != "" {
		step.Add(doctor.Finding{
			Code:    "redirect-uri-wrong",
			Kind:    doctor.Fault,
			Seen:    "MCP_REDIRECT_URI " + wrong,
			Why:     "The client listens at this address for the answer of the sign-in.",
			Effects: stops("it ends with status 2, unless you use --paste or --device-code"),
			Fixes:   []doctor.Fix{change(environment, "MCP_REDIRECT_URI="+defaultRedirectURI+", or remove it")},
		})
		return
	}
	if parsed.Hostname() == "localhost" {
		m.localhost(ctx, step)
	}
	m.bind(step, parsed.Hostname(), parsed.Port())
	fine(step, "callback-free", "the client can listen for the answer")
}

// readRedirectURI returns the redirect URI, or the mistake in it.
func readRedirectURI(address string) (parsed *url.URL, wrong string) {
	parsed, err := url.Parse(address)
	switch {
	case err != nil || parsed.Scheme != "http" || parsed.Host == "":
		return nil, "is not http on a loopback address"
	case parsed.RawQuery != "" || parsed.Fragment != "":
		return nil, "has a query or a fragment"
	}
	ip, err := netip.ParseAddr(parsed.Hostname())
	if parsed.Hostname() != "localhost" && (err != nil || !ip.Unmap().IsLoopback()) {
		return nil, "is not http on a loopback address"
	}
	if number, err := strconv.ParseUint(parsed.Port(), 10, 16); parsed.Port() != "" && (err != nil || number == 0) {
		return nil, "has a port that is not a number from 1 to 65535"
	}
	return parsed, ""
}

// localhost checks that the name leads to this machine.
func (m *machine) localhost(ctx context.Context, step *doctor.Step) {
	ctx, cancel := context.WithTimeout(ctx, m.config.Walk.Patience)
	defer cancel()
	lookup := m.config.LookupHost
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	addresses, err := lookup(ctx, "localhost")
	if err != nil {
		addLocalhost(step, "localhost has no address: "+err.Error())
		return
	}
	did(step, "localhost is %s", listed(addresses[:min(len(addresses), 4)]))
	for _, text := range addresses {
		address, err := netip.ParseAddr(text)
		if err != nil || !address.Unmap().IsLoopback() {
			addLocalhost(step, "localhost leads to "+text+", which is not this machine")
			return
		}
	}
}

func addLocalhost(step *doctor.Step, seen string) {
	step.Add(doctor.Finding{
		Code:    "localhost-elsewhere",
		Kind:    doctor.Fault,
		Seen:    seen,
		Why:     "The browser takes the answer of the sign-in to localhost. Another machine would get it.",
		Effects: stops("it waits for an answer that does not come"),
		Fixes:   []doctor.Fix{change("/etc/hosts", "127.0.0.1 localhost\n::1 localhost")},
	})
}

// bind opens the callback's port on each address as the client does, and closes it at once.
func (m *machine) bind(step *doctor.Step, host, port string) {
	addresses := []string{host}
	if host == "localhost" {
		addresses = []string{"127.0.0.1", "::1"}
	}
	if port == "" {
		port = "0"
	}
	for _, address := range addresses {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, port))
		switch {
		case err == nil:
			did(step, "the client can listen on %s", shownPort(address, port))
			if port == "0" && host == "localhost" {
				port = strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
			}
			defer listener.Close()
		case isMissing(err) && address != addresses[0]:
			did(step, "the machine has no IPv6; the client listens on 127.0.0.1 alone")
		default:
			m.cannotListen(step, address, port, err)
			return
		}
	}
}

func shownPort(address, port string) string {
	if port == "0" {
		return "a free port of " + address
	}
	return net.JoinHostPort(address, port)
}

// isMissing reports whether the machine does not have an address.
func isMissing(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

func (m *machine) cannotListen(step *doctor.Step, address, port string, err error) {
	finding := doctor.Finding{
		Code:    "callback-refused",
		Kind:    doctor.Fault,
		Seen:    fmt.Sprintf("the client cannot listen on %s: %v", shownPort(address, port), rootOf(err)),
		Why:     "The browser takes the answer of the sign-in to this port.",
		Effects: stops("the sign-in fails before the browser opens"),
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && m.env["MCP_REDIRECT_URI"] != "":
		finding.Code = "callback-port-in-use"
		finding.Seen = fmt.Sprintf("the port of MCP_REDIRECT_URI is in use: %s%s",
			net.JoinHostPort(address, port), m.holder(address, port))
		finding.Fixes = []doctor.Fix{
			change("the other program", "end it"),
			change(environment, "set MCP_REDIRECT_URI to another port, and register that address for the client, too"),
		}
	case errors.Is(err, syscall.EACCES):
		finding.Fixes = []doctor.Fix{change(environment, "set MCP_REDIRECT_URI to a port above 1023")}
	default:
		finding.Fixes = append([]doctor.Fix{
			change("network of this machine", "give it the loopback address "+address),
		}, withoutBrowser...)
	}
	step.Add(finding)
}

// holder returns in words which process holds a port, if the system shows it.
func (m *machine) holder(address, port string) string {
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return ""
	}
	pid, name := portHolder(m.config.Root, address, uint16(number))
	if pid == 0 {
		return ", by a process that this user cannot see"
	}
	return fmt.Sprintf(", by process %d (%s)", pid, name)
}

// rootOf returns the system's own words of a network error.
func rootOf(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}
