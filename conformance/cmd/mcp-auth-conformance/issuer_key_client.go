package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/pflag"

	"mcpentra/conformance/issuers"
)

// keyClientOptions are the flags about a client that is registered with a key (private_key_jwt).
type keyClientOptions struct {
	id  string
	key string // a file
}

func (o *keyClientOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(
		&o.id,
		"key-client",
		"",
		"use the client with this `ID` for the checks of assertions; it is registered for private_key_jwt",
	)
	flags.StringVar(
		&o.key,
		"key-client-key",
		"",
		"its private key: a `FILE` with a JWK or a PEM key, which only you can read",
	)
}

// client returns the client, or nil if there is none.
func (o *keyClientOptions) client(redirect string) (*issuers.KeyClient, error) {
	switch {
	case o.id == "" && o.key == "":
		return nil, nil
	case o.id == "":
		return nil, errors.New("--key-client-key needs the ID of its client; give --key-client too")
	case o.key == "":
		return nil, errors.New("--key-client needs the private key of the client; give --key-client-key too")
	}
	made, err := readClientKey(o.key)
	if err != nil {
		return nil, fmt.Errorf("--key-client-key: %w", err)
	}
	made.Client = &issuers.Client{ID: o.id, RedirectURI: redirect, Method: "private_key_jwt"}
	return made, nil
}

// readClientKey reads a private key with its ID and its algorithm. A PEM file has neither.
func readClientKey(name string) (*issuers.KeyClient, error) {
	if err := checkPrivate(name); err != nil {
		return nil, err
	}
	text, err := readSecretFile(name)
	if err != nil {
		return nil, err
	}
	made := &issuers.KeyClient{}
	if bytes.Contains(text, []byte("-----BEGIN ")) {
		made.Key = privateKeyInPEM(text)
	} else {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(text); err != nil {
			return nil, fmt.Errorf("%s: want a private key as a JWK or in PEM: %w", name, err)
		}
		made.Key = key.Key
		made.KeyID = key.KeyID
		made.Algorithm = key.Algorithm
	}
	switch key := made.Key.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return made, nil
		}
	case *rsa.PrivateKey:
		return made, nil
	}
	return nil, fmt.Errorf("%s: want the private key of an RSA key or an EC key on P-256, got another", name)
}

// checkPrivate refuses a file that other users can read. Windows has other rights than modes.
func checkPrivate(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return fmt.Errorf("%s: want a file that only its owner can read, got mode %04o: run chmod 600", name, mode)
	}
	return nil
}
