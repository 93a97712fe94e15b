package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// clientPolicyKeys are the settings of the clients of broker mode. In direct mode they are an
// error, because Entra decides about clients there.
var clientPolicyKeys = []string{
	"AUTH_CLIENTS_FILE", "AUTH_REGISTRATION", "AUTH_REGISTRATION_TOKEN_FILE", "AUTH_REGISTRATION_REDIRECTS",
	"AUTH_PRIVATE_USE_REDIRECTS", "AUTH_CLIENT_DOCUMENTS", "AUTH_ASSERTION_AUDIENCE",
}

// readClients reads which clients can use the broker.
func (s *settings) readClients() error {
	if s.direct != nil {
		for _, key := range clientPolicyKeys {
			if s.get(key) != "" {
				return s.wrong(key, "is for AUTH_MODE=broker: in direct mode clients are registered at Entra; "+
					"remove it")
			}
		}
		return nil
	}
	s.clients.File = s.get("AUTH_CLIENTS_FILE")
	switch text := s.get("AUTH_PRIVATE_USE_REDIRECTS"); text {
	case "", "known":
	case "none":
		s.clients.PrivateUse = []string{}
	default:
		s.clients.PrivateUse = list(text)
	}
	switch text := s.get("AUTH_ASSERTION_AUDIENCE"); text {
	case "", "issuer":
	case "token-endpoint":
		s.clients.TokenEndpointAudience = true
	default:
		return s.wrong("AUTH_ASSERTION_AUDIENCE", "is %q: write issuer or token-endpoint", text)
	}
	if err := s.readDocuments(); err != nil {
		return err
	}
	return s.readRegistration()
}

// readRegistration reads who can register clients.
func (s *settings) readRegistration() error {
	policy := &s.clients.Registration
	tokenFile := s.get("AUTH_REGISTRATION_TOKEN_FILE")
	switch mode := s.get("AUTH_REGISTRATION"); mode {
	case "", "open":
	case "off":
		policy.Off = true
	case "token":
		if tokenFile == "" {
			return s.wrong("AUTH_REGISTRATION_TOKEN_FILE", "is missing: name the file with the initial access token, "+
				"which AUTH_REGISTRATION=token needs")
		}
		var err error
		policy.InitialAccessToken, err = readSecretFile(tokenFile)
		if err != nil {
			return s.wrong("AUTH_REGISTRATION_TOKEN_FILE", "cannot be used: %v", err)
		}
		tokenFile = ""
	default:
		return s.wrong("AUTH_REGISTRATION", "is %q: write open, off or token", mode)
	}
	if tokenFile != "" {
		return s.wrong("AUTH_REGISTRATION_TOKEN_FILE", "is for AUTH_REGISTRATION=token: set that too, or remove this")
	}
	if hosts := list(s.get("AUTH_REGISTRATION_REDIRECTS")); len(hosts) > 0 {
		policy.Redirects = hosts
	}
	return nil
}

// maxSecretFile bounds a file with one secret, in bytes.
const maxSecretFile = 4 << 10

// readSecretFile reads a file with one secret. Only its owner may be able to read it.
func readSecretFile(name string) (string, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular() || info.Size() > maxSecretFile:
		return "", fmt.Errorf("%s is not a file of at most %d bytes", name, maxSecretFile)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("other users can read %s: chmod 600 it", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("%s is empty", name)
	}
	return secret, nil
}
