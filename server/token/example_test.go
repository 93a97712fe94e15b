package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mcpentra/server/token"
)

func Example() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "2026"}},
		(&jose.SignerOptions{}).WithType("at+jwt"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	mint := func(audience string) string {
		raw, err := jwt.Signed(signer).Claims(jwt.Claims{
			Issuer:   "https://as.example",
			Audience: jwt.Audience{audience},
			Subject:  "adele",
			Expiry:   jwt.NewNumericDate(time.Now().Add(time.Hour)),
		}).Serialize()
		if err != nil {
			panic(err)
		}
		return raw
	}

	verifier := &token.Verifier{
		Issuer:     "https://as.example",
		Audiences:  []string{"https://mcp.example/mcp"},
		Algorithms: []string{"ES256"},
		Types:      []string{"at+jwt"},
		Keys:       token.StaticKeys(jose.JSONWebKey{Key: key.Public(), KeyID: "2026"}),
	}
	claims, err := verifier.Verify(context.Background(), mint("https://mcp.example/mcp"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(claims.Subject)

	_, err = verifier.Verify(context.Background(), mint("https://other.example/mcp"))
	var invalid *token.InvalidError
	fmt.Println(errors.As(err, &invalid), err)
	// Output:
	// adele
	// true token refused: for another audience
}
