package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"mcpentra/server/admin"
)

// adminSettings are the settings of the admin API. An empty address means that there is none.
type adminSettings struct {
	address    string
	secretFile string
}

// readAdmin reads the settings of the admin API.
func (s *settings) readAdmin() error {
	s.admin = adminSettings{address: s.get("MCP_ADMIN_ADDR"), secretFile: s.get("MCP_ADMIN_SECRET_FILE")}
	switch {
	case s.admin == adminSettings{}:
		return nil
	case s.admin.address == "":
		return s.wrong("MCP_ADMIN_SECRET_FILE", "is for MCP_ADMIN_ADDR, which is not set: set that too, or remove this")
	case s.direct != nil:
		return s.wrong("MCP_ADMIN_ADDR", "is for AUTH_MODE=broker: in direct mode this server has no grants; remove it")
	}
	if _, _, err := net.SplitHostPort(s.admin.address); err != nil {
		return s.wrong("MCP_ADMIN_ADDR", "is %q: write HOST:PORT, such as localhost:8001", s.admin.address)
	}
	if s.admin.secretFile == "" {
		return s.wrong("MCP_ADMIN_SECRET_FILE", "is missing: the admin API (MCP_ADMIN_ADDR) needs a bearer secret, "+
			"also on loopback; make a file with (umask 077; openssl rand -base64 32 > admin.secret)")
	}
	if _, err := s.admin.secret(); err != nil {
		return s.wrong("MCP_ADMIN_SECRET_FILE", "cannot be used: %v", err)
	}
	return nil
}

// secret reads the bearer secret of the admin API. Only the owner may be able to read the file.
func (a adminSettings) secret() (string, error) {
	info, err := os.Stat(a.secretFile)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular() || info.Size() > 4096:
		return "", fmt.Errorf("%s is not a file of at most 4096 bytes", a.secretFile)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("other users can read %s: chmod 600 it", a.secretFile)
	}
	text, err := os.ReadFile(a.secretFile)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	switch {
	case strings.ContainsAny(secret, " \t\r\n"):
		return "", errors.New("want one line without blanks in the file")
	case len(secret) < admin.MinSecret:
		return "", fmt.Errorf("the secret has %d characters, want at least %d: make one with openssl rand -base64 32",
			len(secret), admin.MinSecret)
	}
	return secret, nil
}

// hosts returns the name by which programs reach the API, if the address has one.
func (a adminSettings) hosts() []string {
	host, _, err := net.SplitHostPort(a.address)
	if err != nil || host == "" {
		return nil
	}
	return []string{strings.ToLower(host)}
}
