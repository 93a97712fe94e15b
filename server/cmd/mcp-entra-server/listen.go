package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"mcpentra/server/loopback"
)

// explainListen tells the operator what to do if listening on an address fails.
func explainListen(address string, err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("is %s: address already in use, perhaps by another mcp-entra-server; stop it, "+
			"or use another address, such as --addr localhost:8001, or --addr localhost:0 for a free port", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Sprintf("is %s, but this user may not listen there: use a port above 1023, such as --addr "+
			"localhost:8000", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf("is %s, but this machine does not have that address: use one that it has, such as --addr "+
			"localhost:8000", address)
	}
	return fmt.Sprintf("is %q, and listening there fails (%v): write HOST:PORT, such as --addr localhost:8000",
		address, err)
}

// listen listens on an address. The name localhost means both loopback addresses at the same port.
// If one is taken, listen fails: clients could reach the other program in place of this one. A
// machine without IPv6 has one loopback address.
func listen(address string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if !loopback.IsName(host) {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return nil, err
		}
		return []net.Listener{listener}, nil
	}
	for attempt := 0; ; attempt++ {
		first, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return nil, err
		}
		same := strconv.Itoa(first.Addr().(*net.TCPAddr).Port)
		second, err := net.Listen("tcp6", net.JoinHostPort("::1", same))
		switch {
		case err == nil:
			return []net.Listener{first, second}, nil
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			return []net.Listener{first}, nil
		}
		_ = first.Close()
		if port != "0" || attempt == 20 {
			return nil, err
		}
	}
}
