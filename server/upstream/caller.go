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
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mcpentra/server/guard"
)

// CallerHeader names the caller to the upstream.
const CallerHeader = "Mcp-Entra-Caller"

// CallerType is the typ of the JWT in it, which no access token has.
const CallerType = "mcp-entra-caller+jwt"

// callerLifetime is how long the upstream may take to look at the header.
const callerLifetime = time.Minute

// maxGroups is how many groups the upstream is told of. Servers take headers of 8 KiB, and each
// group needs 52 bytes.
const maxGroups = 64

// callerClaims are what the upstream is told. The registered ones are those of RFC 7519; tid, oid,
// azp, scp, roles, groups and hasgroups mean what they mean in Entra's tokens.
type callerClaims struct {
	Issuer   string   `json:"iss"`
	Audience string   `json:"aud"`
	Subject  string   `json:"sub"` // oid.tid
	Expiry   int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	ID       string   `json:"jti"`
	Kind     string   `json:"kind"`                  // user, guest or app
	Stated   bool     `json:"kind_stated,omitempty"` // by Entra; else user is only what nothing contradicts
	Entra    string   `json:"entra_iss"`
	TenantID string   `json:"tid"`
	ObjectID string   `json:"oid"`
	ClientID string   `json:"azp"`
	Scope    string   `json:"scp,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	// HasGroups says that the caller is in groups that are not listed.
	HasGroups bool   `json:"hasgroups,omitempty"`
	Name      string `json:"name,omitempty"`
	Username  string `json:"preferred_username,omitempty"`
}

type signer struct {
	issuer, audience string
	signer           jose.Signer
	document         []byte
	random           io.Reader
	now              func() time.Time
}

func newSigner(config Config, audience string) (*signer, error) {
	if config.Issuer == "" {
		return nil, errors.New("upstream: want an issuer")
	}
	var published jose.JSONWebKeySet
	for _, key := range config.Keys {
		public, err := publicKey(key)
		if err != nil {
			return nil, err
		}
		published.Keys = append(published.Keys, public)
	}
	if len(published.Keys) == 0 {
		return nil, errors.New("upstream: want a key to sign with")
	}
	s := &signer{issuer: config.Issuer, audience: audience, random: config.Rand, now: config.Now}
	var err error
	s.signer, err = jose.NewSigner(
		jose.SigningKey{
			Algorithm: jose.ES256,
			Key:       jose.JSONWebKey{Key: config.Keys[0], KeyID: published.Keys[0].KeyID},
		},
		(&jose.SignerOptions{}).WithType(CallerType),
	)
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	if s.document, err = json.Marshal(published); err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	return s, nil
}

func publicKey(private *ecdsa.PrivateKey) (jose.JSONWebKey, error) {
	if private == nil || private.Curve != elliptic.P256() {
		return jose.JSONWebKey{}, errors.New("upstream: want P-256 keys to sign with")
	}
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.ES256), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("upstream: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return public, nil
}

func (s *signer) sign(caller *guard.Identity) (string, error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(s.random, id); err != nil {
		return "", fmt.Errorf("no randomness: %w", err)
	}
	kind := caller.Kind
	if kind == "" {
		kind = guard.User
	}
	groups := caller.Groups
	incomplete := caller.GroupsIncomplete
	if len(groups) > maxGroups {
		groups = nil
		incomplete = true
	}
	now := s.now()
	return jwt.Signed(s.signer).Claims(callerClaims{
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

// Keys serves the key that callers are signed with (RFC 7517). Anybody may read it.
func (p *Proxy) Keys() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(p.signer.document)
	})
}
