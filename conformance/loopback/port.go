package loopback

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// Ports that ReservePort chooses from. Systems assign higher ones to connections and to listeners
// at port 0: Linux from 32768 on, others from 49152 on (RFC 6335 section 6). Each port has a second
// one, which is guardDistance higher.
const (
	firstPort     = 15000
	lastPort      = 23499
	guardDistance = lastPort - firstPort + 1
)

// portAttempts bounds the search for a free port.
const portAttempts = 100

// ReservePort returns a port that is free on both loopback addresses, for a program that cannot
// listen at port 0. The system assigns higher ports only. Until release, no other caller gets this
// port, in any process: ReservePort listens at a second port for it.
func ReservePort() (port string, release func(), err error) {
	var last error
	for range portAttempts {
		number := firstPort + rand.IntN(lastPort-firstPort+1)
		guard, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(number+guardDistance)))
		if err != nil {
			last = err
			continue
		}
		port := strconv.Itoa(number)
		if last = bind(port); last == nil {
			return port, func() { _ = guard.Close() }, nil
		}
		_ = guard.Close()
	}
	return "", nil, fmt.Errorf("want a free port between %d and %d, found none in %d attempts: %w",
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
