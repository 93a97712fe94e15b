package lab

import (
	"context"
	"io"
	"net"
	"net/http"

	"mcpentra/conformance/loopback"
)

// publicNames are those of the parties of a lab on the public network. That of the trap is below
// the server's.
var publicNames = map[Party]string{
	Server: "mcp.example.com",
	Issuer: "login.example.net",
	Second: "login.example.org",
	Trap:   "elsewhere.mcp.example.com",
}

// partyAt is who answers at a name and port of the public network: besides those that parties have,
// the trap at the other ports of the server.
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

// tunnel connects a client of the proxy to a party.
func (l *Lab) tunnel(w http.ResponseWriter, to Party) {
	far, err := loopback.Dial(context.Background(), "tcp", l.server(to).Listener.Addr().String())
	if err != nil {
		http.Error(w, "nobody there", http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "no tunnel", http.StatusBadGateway)
		return
	}
	defer near.Close()
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	ended := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(far, buffered); ended <- struct{}{} }()
	go func() { _, _ = io.Copy(near, far); ended <- struct{}{} }()
	<-ended // either side; closing both ends the other
}

// transport is that of the lab's own requests, which know their way.
func (l *Lab) transport() *http.Transport {
	if l.ca == nil {
		return &http.Transport{DialContext: loopback.Dial, DisableKeepAlives: true}
	}
	transport := l.ca.transport()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if party, is := partyAt(address); is && l.script.Public {
			address = l.server(party).Listener.Addr().String()
		}
		return loopback.Dial(ctx, network, address)
	}
	return transport
}

// Look goes to an address as anybody could, and reports whether somebody answered.
func (l *Lab) Look(ctx context.Context, address string) bool {
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

// Loopback is the address of a party on this machine, whatever its name on the public network.
func (l *Lab) Loopback(party Party) string { return l.server(party).URL }

// Proxied are the addresses that the proxy was asked for.
func (l *Lab) Proxied() []string {
	var all []string
	for _, one := range l.Find(func(r *Request) bool { return r.Party == Proxy }) {
		all = append(all, one.Path)
	}
	return all
}

// IsPublic reports whether an address that the proxy was asked for is one of a party's.
func IsPublic(address string) bool {
	_, is := partyAt(address)
	return is
}
