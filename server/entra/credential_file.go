package entra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
)

// maxCredentialFile bounds the file of a credential, in bytes.
const maxCredentialFile = 256 << 10

// readCredentialFile reads a file of at most maxCredentialFile bytes. The error names the file and
// none of its contents.
func readCredentialFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxCredentialFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxCredentialFile:
		return nil, fmt.Errorf("%s: want at most %d bytes", path, maxCredentialFile)
	case len(strings.TrimSpace(string(text))) == 0:
		return nil, fmt.Errorf("%s: the file is empty", path)
	}
	return text, nil
}

// A SecretFile is a client secret in a file. Every token request reads the file.
type SecretFile struct {
	path string
}

// NewSecretFile reads the file once, to find mistakes. The error is a [*ConfigError].
func NewSecretFile(path string) (*SecretFile, error) {
	if _, err := readCredentialFile(path); err != nil {
		return nil, &ConfigError{"AUTH_CLIENT_SECRET_FILE", fmt.Sprintf("cannot be read: %v", err)}
	}
	return &SecretFile{path: path}, nil
}

// Authenticate implements [Credential].
func (f *SecretFile) Authenticate(context.Context, CredentialRequest) (url.Values, error) {
	text, err := readCredentialFile(f.path)
	if err != nil {
		return nil, err
	}
	return url.Values{"client_secret": {strings.TrimSpace(string(text))}}, nil
}

// A FederatedTokenFile is a token of another issuer in a file ("Workload identity federation"). The
// platform, such as Kubernetes, replaces the token before it expires. So every token request reads
// the file.
type FederatedTokenFile struct {
	path string
}

// NewFederatedTokenFile reads the file once, to find mistakes. The error is a [*ConfigError].
func NewFederatedTokenFile(path string) (*FederatedTokenFile, error) {
	f := &FederatedTokenFile{path: path}
	if _, err := f.read(); err != nil {
		return nil, &ConfigError{"AUTH_FEDERATED_TOKEN_FILE", fmt.Sprintf("cannot be used: %v", err)}
	}
	return f, nil
}

// Authenticate implements [Credential].
func (f *FederatedTokenFile) Authenticate(context.Context, CredentialRequest) (url.Values, error) {
	token, err := f.read()
	if err != nil {
		return nil, err
	}
	return AssertionParameters(token), nil
}

// read returns the token. Entra judges its claims.
func (f *FederatedTokenFile) read() (string, error) {
	text, err := readCredentialFile(f.path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if strings.Count(token, ".") != 2 || strings.ContainsAny(token, " \r\n\t") {
		return "", errors.New(f.path + ": want one signed JWT, such as Kubernetes writes for a service account")
	}
	return token, nil
}
