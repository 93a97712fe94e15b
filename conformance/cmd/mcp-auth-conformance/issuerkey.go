package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"mcpentra/conformance/servers"
)

// mintTokens makes tokens from the good token with the issuer's key. Tokens from files stay.
func mintTokens(target *servers.Target, file string) error {
	good := target.Tokens[servers.Good]
	if good == nil {
		return errors.New("--issuer-key changes a good token: add --sign-in or --token-file")
	}
	key, err := readIssuerKey(file)
	if err != nil {
		return err
	}
	target.Mint = servers.Remint(key, good)
	for kind, change := range map[servers.TokenKind]func(claims map[string]any){
		servers.Expired: func(c map[string]any) { c["exp"] = secondsFromNow(-time.Hour) },
		servers.NotYetValid: func(c map[string]any) {
			c["nbf"] = secondsFromNow(time.Hour)
			c["exp"] = secondsFromNow(2 * time.Hour)
		},
		servers.ForeignAudience: func(c map[string]any) { c["aud"] = "https://other.example/mcp" },
		servers.ForeignIssuer:   func(c map[string]any) { c["iss"] = "https://other.example" },
	} {
		if target.Tokens[kind] == nil {
			target.Tokens[kind] = func(ctx context.Context) (string, error) {
				return target.Mint(ctx, servers.Edits{Claims: change})
			}
		}
	}
	return nil
}

func secondsFromNow(d time.Duration) json.Number {
	return json.Number(strconv.FormatInt(time.Now().Add(d).Unix(), 10))
}

// readIssuerKey reads a private key in PEM: PKCS 8, PKCS 1 or SEC 1.
func readIssuerKey(file string) (crypto.Signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--issuer-key: %w", err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if signer, signs := key.(crypto.Signer); signs {
				return signer, nil
			}
		}
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	}
	return nil, fmt.Errorf("--issuer-key: want a PEM file with a private key that can sign, but %s has none", file)
}
