package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"
)

// A registeredClient is a client that is registered beforehand, from flags.
type registeredClient struct {
	id         string
	secretFile string
	redirect   string
}

// secretVariable is the environment variable with the secret of the registered client.
const secretVariable = "MCP_CLIENT_SECRET"

func (o *registeredClient) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.id, "client-id", "", "use the registered client with this `ID`")
	flags.StringVar(
		&o.secretFile,
		"client-secret-file",
		"",
		"read its secret from `FILE`, in place of $"+secretVariable,
	)
	flags.StringVar(
		&o.redirect,
		"redirect-uri",
		"http://127.0.0.1:33418/callback",
		"redirect `URI` of that client; --sign-in needs one on loopback",
	)
}

// secret returns the secret of the registered client. It is empty for a public one.
func (o *registeredClient) secret() (string, error) {
	switch {
	case o.id == "" && o.secretFile != "":
		return "", errors.New("--client-secret-file needs the ID of its client; give --client-id too")
	case o.id == "":
		return "", nil
	case o.secretFile == "":
		return os.Getenv(secretVariable), nil
	}
	secret, err := readSecretFile(o.secretFile)
	if err != nil {
		return "", fmt.Errorf("--client-secret-file: %w", err)
	}
	return string(secret), nil
}
