package upstream

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mcpentra/server/identity"
)

// CallerHeader is the header that names the caller to the upstream, in a JWT.
const CallerHeader = "Mcp-Entra-Caller"

// CallerType is the typ of that JWT. No access token has it.
const CallerType = "mcp-entra-caller+jwt"

// callerLifetime is how long the JWT is valid.
const callerLifetime = time.Minute

// maxGroups is how many groups the JWT may list. Servers accept headers of 8 KiB, and each group
// needs 52 bytes.
const maxGroups = 64

// callerClaims are the claims of the JWT. RFC 7519 defines the registered ones. The claims tid,
// oid, azp, scp, roles, groups and hasgroups have the same meaning as in Entra's tokens.
type callerClaims struct {
	Issuer   string   `json:"iss"`
	Audience string   `json:"aud"`
	Subject  string   `json:"sub"` // oid.tid
	Expiry   int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	ID       string   `json:"jti"`
	Kind     string   `json:"kind"`                  // user, guest or app
	Stated   bool     `json:"kind_stated,omitempty"` // Entra stated the kind; else user is a default
	Entra    string   `json:"entra_iss"`
	TenantID string   `json:"tid"`
	ObjectID string   `json:"oid"`
	ClientID string   `json:"azp"`
	Scope    string   `json:"scp,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	// HasGroups says that the caller is in groups that Groups does not list.
	HasGroups bool   `json:"hasgroups,omitempty"`
	Name      string `json:"name,omitempty"`
	Username  string `json:"preferred_username,omitempty"`
}

// A callerSigner names callers in signed JWTs.
type callerSigner struct {
	private          []*ecdsa.PrivateKey
	issuer, audience string
	jws              jose.Signer
	keys             []byte // the published JWK set
	random           io.Reader
	now              func() time.Time
}

// callerSigners has the signer of the present keys.
type callerSigners struct {
	config   Config
	audience string
	latest   atomic.Pointer[callerSigner]
}

func newCallerSigners(config Config, audience string) (*callerSigners, error) {
	if config.CurrentKeys == nil {
		config.CurrentKeys = func() []*ecdsa.PrivateKey { return config.Keys }
	}
	s := &callerSigners{config: config, audience: audience}
	_, err := s.current()
	return s, err
}

// current returns the signer of the present keys. It makes a new one after they have changed.
func (s *callerSigners) current() (*callerSigner, error) {
	keys := s.config.CurrentKeys()
	if latest := s.latest.Load(); latest != nil && slices.Equal(latest.private, keys) {
		return latest, nil
	}
	made, err := newCallerSigner(s.config, keys, s.audience)
	if err != nil {
		return nil, err
	}
	s.latest.Store(made)
	return made, nil
}

func newCallerSigner(config Config, private []*ecdsa.PrivateKey, audience string) (*callerSigner, error) {
	if config.Issuer == "" {
		return nil, errors.New("upstream: Issuer is empty: set this server's origin, such as https://mcp.example.com")
	}
	var published jose.JSONWebKeySet
	for _, key := range private {
		public, err := publicKey(key)
		if err != nil {
			return nil, err
		}
		published.Keys = append(published.Keys, public)
	}
	if len(published.Keys) == 0 {
		return nil, errors.New("upstream: Keys is empty: set a P-256 key that signs the callers' names")
	}
	jws, err := jose.NewSigner(
		jose.SigningKey{
			Algorithm: jose.ES256,
			Key:       jose.JSONWebKey{Key: private[0], KeyID: published.Keys[0].KeyID},
		},
		(&jose.SignerOptions{}).WithType(CallerType),
	)
	if err != nil {
		return nil, fmt.Errorf("upstream: sign with the first key: %w", err)
	}
	keys, err := json.Marshal(published)
	if err != nil {
		return nil, fmt.Errorf("upstream: publish the keys: %w", err)
	}
	return &callerSigner{
		private:  slices.Clone(private),
		issuer:   config.Issuer,
		audience: audience,
		jws:      jws,
		keys:     keys,
		random:   config.Rand,
		now:      config.Now,
	}, nil
}

// publicKey makes the JWK of a key. Its thumbprint is its ID (RFC 7638).
func publicKey(private *ecdsa.PrivateKey) (jose.JSONWebKey, error) {
	if private == nil || private.Curve != elliptic.P256() {
		return jose.JSONWebKey{}, errors.New("upstream: Keys has a key of another curve: use P-256 keys")
	}
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.ES256), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("upstream: make a key's ID: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return public, nil
}

// sign makes the JWT that names a caller.
func (s *callerSigner) sign(caller *identity.Caller) (string, error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(s.random, id); err != nil {
		return "", fmt.Errorf("make a JWT's ID: %w", err)
	}
	kind := caller.Kind
	if kind == "" {
		kind = identity.User
	}
	groups := caller.Groups
	incomplete := caller.GroupsIncomplete
	if len(groups) > maxGroups {
		groups = nil
		incomplete = true
	}
	now := s.now()
	return jwt.Signed(s.jws).Claims(callerClaims{
		Issuer:    s.issuer,
		Audience:  s.audience,
		Subject:   caller.ObjectID + "." + caller.TenantID,
		Expiry:    now.Add(callerLifetime).Unix(),
		Issued:    now.Unix(),
		ID:        base64.RawURLEncoding.EncodeToString(id),
		Kind:      string(kind),
		Stated:    caller.KindStated,
		Entra:     caller.Issuer,
		TenantID:  caller.TenantID,
		ObjectID:  caller.ObjectID,
		ClientID:  caller.ClientID,
		Scope:     strings.Join(caller.Scopes, " "),
		Roles:     caller.Roles,
		Groups:    groups,
		HasGroups: incomplete,
		Name:      caller.Name,
		Username:  caller.Username,
	}).Serialize()
}

// Keys serves the public keys of the JWTs that name callers (RFC 7517). It needs no token.
func (p *Proxy) Keys() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		signer, err := p.signers.current()
		if err != nil {
			p.log.ErrorContext(r.Context(), "the keys of callers' names cannot be published", "error", err)
			http.Error(w, "the keys cannot be read", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(signer.keys)
	})
}
