package main

import (
	"log/slog"
	"net/http"
	"slices"

	"mcpentra/server/entra"
	"mcpentra/server/entra/managedidentity"
)

// credentialKeys are the settings that prove the registration. One at most may be set.
var credentialKeys = []string{
	"AUTH_CLIENT_SECRET", "AUTH_CLIENT_SECRET_FILE", "AUTH_CERTIFICATE_FILE", "AUTH_FEDERATED_TOKEN_FILE",
	"AUTH_MANAGED_IDENTITY",
}

// readCredentials finds the one setting that proves the registration.
func (s *settings) readCredentials() error {
	given := slices.DeleteFunc(slices.Clone(credentialKeys), func(key string) bool { return s.get(key) == "" })
	if len(given) > 1 {
		return s.wrong(given[1], "is set beside %s (%s): keep one of the two, because the server proves itself "+
			"to Entra with one credential", given[0], s.origin(given[0]))
	}
	if len(given) == 1 {
		s.credentialKey = given[0]
	}
	return nil
}

// credential returns the credential of the registration. It is nil if a secret is the credential,
// or if there is none.
func (s *settings) credential(logger *slog.Logger) (entra.Credential, error) {
	text := s.get(s.credentialKey)
	switch s.credentialKey {
	case "AUTH_CLIENT_SECRET_FILE":
		return asCredential(entra.NewSecretFile(text))
	case "AUTH_CERTIFICATE_FILE":
		return asCredential(entra.NewCertificateFile(text, logger))
	case "AUTH_FEDERATED_TOKEN_FILE":
		return asCredential(entra.NewFederatedTokenFile(text))
	case "AUTH_MANAGED_IDENTITY":
		// The platform is this machine or a link-local address, so no proxy leads there.
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.Proxy = nil
		return asCredential(managedidentity.New(managedidentity.Config{
			Identity:   text,
			HTTPClient: &http.Client{Transport: transport},
		}))
	}
	return nil, nil
}

// asCredential keeps a nil pointer from becoming a credential.
func asCredential[C entra.Credential](made C, err error) (entra.Credential, error) {
	if err != nil {
		return nil, err
	}
	return made, nil
}
