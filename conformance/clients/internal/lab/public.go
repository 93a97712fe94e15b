package lab

import (
	"context"
	"io"
	"net"
	"net/http"

	"mcpentra/conformance/loopback"
)

// publicNames are the host names of the parties in a lab with public names. The trap is a subdomain
// of the MCP server.
var publicNames = map[Party]string{
	Server: "mcp.example.com",
	Issuer: "login.example.net",
	Second: "login.example.org",
	Trap:   "elsewhere.mcp.example.com",
}

// partyAt returns the party at a public name and port. The trap also answers at the other ports of
// the MCP server's name.
func partyAt(address string) (Party, bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", false
	}
	for party, name := range publicNames {
		switch {
		case host != name:
		case port == "443":
			return party, true
		case party == Server:
			return Trap, true
		}
	}
	return "", false
}

// serveProxy is the proxy. In a lab with public names it connects to the parties. Other targets get
// a 502.
func (l *Lab) serveProxy(w http.ResponseWriter, r *http.Request) {
	party, found := partyAt(r.RequestURI)
	if found && l.script.Public && r.Method == http.MethodConnect {
		l.tunnel(w, party)
		return
	}
	http.Error(w, "this proxy has no route to the host", http.StatusBadGateway)
}

// tunnel connects a client of the proxy to a party.
func (l *Lab) tunnel(w http.ResponseWriter, to Party) {
	far, err := loopback.Dial(context.Background(), "tcp", l.server(to).Listener.Addr().String())
	if err != nil {
		http.Error(w, "the host does not answer", http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "the connection cannot be tunnelled", http.StatusBadGateway)
		return
	}
	defer near.Close()
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	ended := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(far, buffered); ended <- struct{}{} }()
	go func() { _, _ = io.Copy(near, far); ended <- struct{}{} }()
	<-ended // one side; closing both ends the other
}

// transport returns a transport for the lab's own requests. It resolves public names itself.
func (l *Lab) transport() *http.Transport {
	if l.ca == nil {
		return &http.Transport{DialContext: loopback.Dial, DisableKeepAlives: true}
	}
	transport := l.ca.transport()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if party, found := partyAt(address); found && l.script.Public {
			address = l.server(party).Listener.Addr().String()
		}
		return loopback.Dial(ctx, network, address)
	}
	return transport
}

// Visit sends a GET request of the check itself. It reports whether an answer came.
func (l *Lab) Visit(ctx context.Context, address string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false
	}
	transport := l.transport()
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil
}

// Loopback returns the origin of a party on this machine, even if it has a public name.
func (l *Lab) Loopback(party Party) string { return l.server(party).URL }

// ProxyTargets returns the targets of the requests to the proxy.
func (l *Lab) ProxyTargets() []string {
	var targets []string
	for _, request := range l.Find(func(r *Request) bool { return r.Party == Proxy }) {
		targets = append(targets, request.Path)
	}
	return targets
}

// IsPublic reports whether a target of the proxy is a party with a public name.
func IsPublic(target string) bool {
	_, found := partyAt(target)
	return found
}
