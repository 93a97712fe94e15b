package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"mcpentra/server/loopback"
)

// explainListen says what to do about an address that cannot be listened on.
func explainListen(address string, err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("is %s: address already in use, perhaps by another mcp-entra-server; stop it, "+
			"or take another address, such as --addr localhost:8001, or --addr localhost:0 for a free port", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Sprintf("is %s, and this user may not listen there: take a port above 1023, such as --addr "+
			"localhost:8000", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf("is %s, which is no address of this machine: take one that is, such as --addr "+
			"localhost:8000", address)
	}
	return fmt.Sprintf("is %q, and listening there fails (%v): write HOST:PORT, such as --addr localhost:8000",
		address, err)
}

// listen takes an address. The name localhost means both loopback addresses at the same port, or
// none: with only one of them, another program could take the other and be reached in this one's
// place. A machine without IPv6 has just the one.
func listen(address string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if !loopback.IsName(host) {
		one, err := net.Listen("tcp", address)
		if err != nil {
			return nil, err
		}
		return []net.Listener{one}, nil
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
