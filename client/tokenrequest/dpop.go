package tokenrequest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// A DPoP proves that the sender of a token holds the key that the token is bound to (RFC 9449). It
// signs a new proof for each request, and keeps the nonces that servers want in their proofs. It is
// safe for concurrent use.
type DPoP struct {
	key    *ecdsa.PrivateKey
	signer jose.Signer
	now    func() time.Time

	mu     sync.Mutex
	nonces map[string]string // by origin
}

// Algorithm is the signature algorithm of the proofs.
const Algorithm = string(jose.ES256)

const (
	useNonce = "use_dpop_nonce"
	// maxNonces and maxNonce bound the number of stored nonces, and the bytes of each.
	maxNonces = 64
	maxNonce  = 1024
)

// NewDPoP makes a key. Nil for now means time.Now.
func NewDPoP(now func() time.Time) (*DPoP, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("DPoP: %w", err)
	}
	return newDPoP(key, now)
}

// ReadDPoP reads a private key in the form that Key returns. Nil for now means time.Now.
func ReadDPoP(key []byte, now func() time.Time) (*DPoP, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(key)
	if err != nil {
		// The cause may quote the key.
		return nil, errors.New("DPoP: want a private key in PKCS #8, got other bytes; sign in again for a new key")
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("DPoP: want an ECDSA key on P-256, got another; sign in again for a new key")
	}
	return newDPoP(private, now)
}

func newDPoP(key *ecdsa.PrivateKey, now func() time.Time) (*DPoP, error) {
	if now == nil {
		now = time.Now
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: key},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"),
	)
	if err != nil {
		return nil, fmt.Errorf("DPoP: %w", err)
	}
	return &DPoP{key: key, signer: signer, now: now, nonces: map[string]string{}}, nil
}

// Key returns the private key in PKCS #8. Store it with the tokens that are bound to it.
func (d *DPoP) Key() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(d.key) }

// Sign puts a new proof on a request. access is the request's access token; it is empty at a token
// endpoint.
func (d *DPoP) Sign(request *http.Request, access string) error {
	target := *request.URL
	target.RawQuery = ""
	target.Fragment = ""
	target.RawFragment = ""
	target.User = nil
	claims := struct {
		ID       string `json:"jti"`
		Method   string `json:"htm"`
		URL      string `json:"htu"`
		IssuedAt int64  `json:"iat"`
		Hash     string `json:"ath,omitempty"`
		Nonce    string `json:"nonce,omitempty"`
	}{
		ID:       rand.Text(),
		Method:   request.Method,
		URL:      target.String(),
		IssuedAt: d.now().Unix(),
		Nonce:    d.nonce(originOf(request)),
	}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims.Hash = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	proof, err := jwt.Signed(d.signer).Claims(claims).Serialize()
	if err != nil {
		return fmt.Errorf("DPoP: %w", err)
	}
	request.Header.Set("DPoP", proof)
	return nil
}

// KeepNonce keeps the nonce of a response for the next request to its origin. It reports whether
// the nonce is a new one.
func (d *DPoP) KeepNonce(response *http.Response) bool {
	nonce := response.Header.Get("DPoP-Nonce")
	if !isVisibleASCII(nonce) || len(nonce) > maxNonce || response.Request == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	origin := originOf(response.Request)
	if _, known := d.nonces[origin]; !known && len(d.nonces) == maxNonces {
		clear(d.nonces)
	}
	isNew := d.nonces[origin] != nonce
	d.nonces[origin] = nonce
	return isNew
}

func (d *DPoP) nonce(origin string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nonces[origin]
}

func originOf(request *http.Request) string {
	return strings.ToLower(request.URL.Scheme + "://" + request.URL.Host)
}
