package loopback

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// Ports that FreePort chooses from. Systems assign higher ones to connections and to listeners at
// port 0: Linux from 32768 on, others from 49152 on (RFC 6335 section 6).
const (
	firstPort = 15000
	lastPort  = 31999
)

// portAttempts bounds the search for a free port.
const portAttempts = 100

// FreePort returns a port that is free on both loopback addresses, for a program that cannot listen
// at port 0. The system assigns higher ports only, so no connection takes this one meanwhile.
func FreePort() (string, error) {
	var last error
	for range portAttempts {
		port := strconv.Itoa(firstPort + rand.IntN(lastPort-firstPort+1))
		if last = bind(port); last == nil {
			return port, nil
		}
	}
	return "", fmt.Errorf("want a free port between %d and %d, found none in %d attempts: %w",
		firstPort, lastPort, portAttempts, last)
}

// bind listens on a port of both loopback addresses for a moment. A machine may lack one of them.
func bind(port string) error {
	listening := 0
	var last error
	for _, host := range []string{"127.0.0.1", "::1"} {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
		switch {
		case err == nil:
			listening++
			_ = listener.Close()
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			last = err
		default:
			return err
		}
	}
	if listening == 0 {
		return last
	}
	return nil
}
