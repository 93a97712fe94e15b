package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"mcpentra/conformance/servers"
)

// mintTokens makes tokens from the good token with the issuer's key. Tokens from files stay.
func mintTokens(ctx context.Context, target *servers.Target, file string) error {
	good := target.Tokens[servers.Good]
	if good == nil {
		return errors.New("--issuer-key changes a good token: add --sign-in, --fakeentra or --token-file")
	}
	token, err := good(ctx)
	if err != nil {
		return fmt.Errorf("--issuer-key: %w", err)
	}
	key, err := readIssuerKey(file, token)
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

// readIssuerKey reads a private key in PEM (PKCS 8, PKCS 1 or SEC 1), or the secret of an HMAC that
// signs the good token.
func readIssuerKey(file, good string) (any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--issuer-key: %w", err)
	}
	if !bytes.Contains(text, []byte("-----BEGIN ")) {
		return readSecret(file, text, good)
	}
	if key := privateKeyInPEM(text); key != nil {
		return key, nil
	}
	return nil, fmt.Errorf("--issuer-key: want a PEM file with a private key that can sign, but %s has none", file)
}

// privateKeyInPEM returns the first private key that can sign, or nil.
func privateKeyInPEM(text []byte) crypto.Signer {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if signer, signs := key.(crypto.Signer); signs {
				return signer
			}
		}
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key
		}
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key
		}
	}
	return nil
}

// readSecret finds the form of a secret that signs the good token: the bytes of the file, without
// the last line break, or decoded from base64.
func readSecret(file string, text []byte, good string) ([]byte, error) {
	trimmed := bytes.TrimRight(text, "\r\n")
	forms := [][]byte{trimmed, text}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		if decoded, err := encoding.DecodeString(string(trimmed)); err == nil {
			forms = append(forms, decoded)
		}
	}
	for _, form := range forms {
		// The right form signs the same bytes in the same way.
		mint := servers.Remint(form, func(context.Context) (string, error) { return good, nil })
		same := servers.Edits{Encoded: func(string) string { return signedPart(good) }}
		again, err := mint(context.Background(), same)
		if err == nil && again == good {
			return form, nil
		}
	}
	return nil, fmt.Errorf(
		"--issuer-key: want a private key in PEM, or the secret that signs the good token with HS256; %s is neither",
		file,
	)
}

// signedPart returns the header and the claims of a token, as they were signed.
func signedPart(token string) string { return token[:max(0, strings.LastIndexByte(token, '.'))] }
