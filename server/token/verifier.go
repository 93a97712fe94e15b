package token

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
)

// AccessLeeway is the ExpiryLeeway of access tokens. It is short, because a listening stream lasts
// until its token is refused, and should end soon after the token's expiry.
const AccessLeeway = 5 * time.Second

// defaultLeeway covers the skew of clocks that use NTP.
const defaultLeeway = time.Minute

// maxCandidates bounds the signature checks that one token can cause when keys share an id.
const maxCandidates = 4

// Verifier holds the rules for the tokens of one issuer. A Verifier without an issuer, audiences or
// keys accepts nothing: Verify returns an [*UnavailableError].
type Verifier struct {
	// Issuer must equal the claim iss, byte for byte.
	Issuer string
	// Audiences are our own names. The claim aud must contain at least one of them, byte for byte.
	Audiences []string
	// Algorithms are the JWS algorithms the issuer signs with; nil means RS256 alone. "none" and
	// the HMAC family are never accepted, whatever this says.
	Algorithms []string
	// Types are the accepted values of the header typ. Case and a leading "application/" do not
	// count (RFC 7515 section 4.1.9, RFC 9068 section 4). nil accepts any value, and its absence.
	Types []string
	// Keys finds the key that signed a token.
	Keys KeySource
	// OptionalKeyID accepts a token without a key ID. Keys is then asked for the empty ID, and a
	// few of the keys that it returns are tried.
	OptionalKeyID bool
	// Limit bounds how many signatures are checked at once; nil means no bound.
	Limit *Limit
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Leeway is the tolerated clock skew: a token is good from nbf - Leeway until exp + Leeway. 0
	// means one minute, a negative value means no leeway.
	Leeway time.Duration
	// ExpiryLeeway is Leeway for exp alone. 0 means Leeway, a negative value means no leeway.
	ExpiryLeeway time.Duration
}

// KeySource finds the keys, normally one, that may have signed a token; issued is the token's iat,
// or the zero time. It returns [ErrUnknownKey] if the issuer has no key with that ID, and an
// [*UnavailableError] if it cannot find out now.
type KeySource func(ctx context.Context, kid string, issued time.Time) ([]jose.JSONWebKey, error)

// StaticKeys returns a source of keys that do not change, such as a server's own. It keeps only the
// public half of a private key.
func StaticKeys(keys ...jose.JSONWebKey) KeySource {
	public := make([]jose.JSONWebKey, len(keys))
	for i, key := range keys {
		public[i] = key.Public()
	}
	return func(_ context.Context, kid string, _ time.Time) ([]jose.JSONWebKey, error) {
		found := withKeyID(public, kid)
		if len(found) == 0 {
			return nil, ErrUnknownKey
		}
		return found, nil
	}
}

// Claims are the registered claims of a verified token.
type Claims struct {
	Issuer    string
	Subject   string
	ID        string
	Audience  []string
	Expiry    time.Time
	GoodUntil time.Time // from then on the token is refused: Expiry plus the leeway
	NotBefore time.Time // zero when the token has none
	IssuedAt  time.Time // zero when the token has none
	KeyID     string
	Algorithm string
	Type      string

	payload []byte

	// A Cache checks these again: the rules, and the key that verified the signature.
	verifier *Verifier
	key      any
}

// Decode reads the other claims into v. Names must match in case. Verify has already refused
// duplicate names.
func (c *Claims) Decode(v any) error { return json.Unmarshal(c.payload, v) }

// Verify verifies a token. The error is an [*InvalidError], an [*UnavailableError], or the
// context's. Verify checks the expiry last: the reason [Expired] means that nothing else is wrong,
// and Verify then returns the claims together with the error. If the keys cannot be fetched, an
// expired token is Expired too, without claims.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Claims, error) {
	parsed, invalid := parseCompact(raw)
	if invalid != nil {
		return nil, invalid
	}
	return v.verifyParsed(ctx, raw, parsed)
}

// verifyParsed verifies a token that is well formed.
func (v *Verifier) verifyParsed(ctx context.Context, raw string, parsed *compact) (*Claims, error) {
	if v.Issuer == "" || len(v.Audiences) == 0 || slices.Contains(v.Audiences, "") || v.Keys == nil {
		return nil, &UnavailableError{
			RetryAfter: time.Minute,
			Err:        errors.New("the verifier has no issuer, no audience or no keys"),
		}
	}
	if invalid := v.judgeHeader(parsed); invalid != nil {
		return nil, invalid
	}
	claims, invalid := v.judgeClaims(parsed)
	if invalid != nil {
		return nil, invalid
	}
	expired := v.judgeExpiry(claims)
	key, err := v.judgeSignature(ctx, raw, parsed, claims.IssuedAt)
	var unavailable *UnavailableError
	switch {
	case errors.As(err, &unavailable) && expired != nil:
		return nil, expired
	case err != nil:
		return nil, err
	}
	claims.verifier = v
	claims.key = key
	if expired != nil {
		return claims, expired
	}
	return claims, nil
}

// VerifySignature verifies a JWS whose payload need not be claims (RFC 7515): its form, algorithm,
// type, key and signature, by the same rules and with the same errors as Verify. It checks no
// issuer, audience or expiry, so it is not enough for a bearer token.
func (v *Verifier) VerifySignature(ctx context.Context, raw string) (payload []byte, err error) {
	if v.Keys == nil {
		return nil, &UnavailableError{RetryAfter: time.Minute, Err: errors.New("the verifier has no keys")}
	}
	parsed, invalid := parseSigned(raw)
	if invalid == nil {
		invalid = v.judgeHeader(parsed)
	}
	if invalid != nil {
		return nil, invalid
	}
	if _, err := v.judgeSignature(ctx, raw, parsed, time.Time{}); err != nil {
		return nil, err
	}
	return parsed.payload, nil
}

// judgeHeader checks the algorithm and the type.
func (v *Verifier) judgeHeader(parsed *compact) *InvalidError {
	if !v.algorithmAllowed(parsed.algorithm) {
		return &InvalidError{Reason: AlgorithmNotAllowed}
	}
	if v.Types != nil &&
		!slices.ContainsFunc(v.Types, func(t string) bool { return mediaType(t) == mediaType(parsed.typ) }) {
		return &InvalidError{Reason: TypeNotAllowed}
	}
	return nil
}

// judgeSignature finds the keys and verifies the signature.
func (v *Verifier) judgeSignature(
	ctx context.Context,
	raw string,
	parsed *compact,
	issued time.Time,
) (key any, err error) {
	// Without a key ID the verifier would have to try every key. Our issuers all send it.
	if parsed.keyID == "" && !v.OptionalKeyID {
		return nil, &InvalidError{Reason: NoKeyID}
	}
	keys, err := v.Keys(ctx, parsed.keyID, issued)
	if err != nil {
		return nil, keyError(ctx, err)
	}
	if err := v.Limit.begin(ctx); err != nil {
		return nil, err
	}
	defer v.Limit.end()
	key, invalid := verifySignature(raw, parsed, keys)
	if invalid != nil {
		return nil, invalid
	}
	return key, nil
}

// judgeClaims checks the registered claims, which is cheap.
func (v *Verifier) judgeClaims(parsed *compact) (*Claims, *InvalidError) {
	c := &Claims{KeyID: parsed.keyID, Algorithm: parsed.algorithm, Type: parsed.typ, payload: parsed.payload}
	m := parsed.claims
	var errs [7]error
	c.Issuer, errs[0] = m.text("iss")
	c.Subject, errs[1] = m.text("sub")
	c.ID, errs[2] = m.text("jti")
	c.Audience, errs[3] = m.texts("aud")
	c.Expiry, errs[4] = m.numericDate("exp")
	c.NotBefore, errs[5] = m.numericDate("nbf")
	c.IssuedAt, errs[6] = m.numericDate("iat")
	if errors.Join(errs[:]...) != nil {
		return nil, &InvalidError{Reason: BadClaims}
	}
	c.GoodUntil = c.Expiry.Add(v.expiryLeeway())
	if c.Issuer != v.Issuer {
		return nil, &InvalidError{Reason: WrongIssuer, Seen: c.Issuer}
	}
	if !slices.ContainsFunc(c.Audience, func(a string) bool { return slices.Contains(v.Audiences, a) }) {
		return nil, &InvalidError{Reason: WrongAudience, Seen: strings.Join(c.Audience, " ")}
	}
	if invalid := v.judgeTimes(c); invalid != nil {
		return nil, invalid
	}
	// A sender that presents a bound token without proof may have stolen it (RFC 9449 section 7.2,
	// RFC 8705 section 3).
	if _, bound := m["cnf"]; bound {
		return nil, &InvalidError{Reason: BoundToKey}
	}
	return c, nil
}

// judgeTimes compares the times with the clock, so a cache calls it again. judgeExpiry checks the
// expiry.
func (v *Verifier) judgeTimes(c *Claims) *InvalidError {
	latest := v.now().Add(v.leeway())
	switch {
	case c.Expiry.IsZero():
		return &InvalidError{Reason: NoExpiry}
	case c.NotBefore.After(latest), c.IssuedAt.After(latest), c.IssuedAt.After(c.Expiry):
		return &InvalidError{Reason: NotYetValid}
	}
	return nil
}

// judgeExpiry refuses an expired token. Its verdict comes last, so that it hides no other fault.
func (v *Verifier) judgeExpiry(c *Claims) *InvalidError {
	if v.now().Before(c.GoodUntil) {
		return nil
	}
	return &InvalidError{Reason: Expired}
}

// verifySignature finds the key that signed the token.
func verifySignature(raw string, parsed *compact, keys []jose.JSONWebKey) (any, *InvalidError) {
	verifies, invalid := signatureCheck(raw, parsed)
	if invalid != nil {
		return nil, invalid
	}
	tried := 0
	for _, key := range keys {
		if key.Algorithm != "" && key.Algorithm != parsed.algorithm {
			continue
		}
		tried++
		if tried > maxCandidates {
			break
		}
		if verifies(key.Key) {
			return key.Key, nil
		}
	}
	return nil, &InvalidError{Reason: BadSignature}
}

// plainHeader reports whether the header has only the members that Entra writes: the algorithm, the
// type and the key.
func (c *compact) plainHeader() bool {
	for name, value := range c.header {
		if !slices.Contains([]string{"alg", "typ", "kid", "x5t"}, name) || value.Kind() != '"' {
			return false
		}
	}
	return true
}

// signatureCheck returns a function that reports whether a key made the signature. For RS256, the
// algorithm of Entra, it calls crypto/rsa with the parts that the pre-parser has read. go-jose does
// the same, but takes twice as long, because it parses the token again. It verifies all other
// algorithms, and headers with more members than Entra's.
func signatureCheck(raw string, parsed *compact) (verifies func(key any) bool, invalid *InvalidError) {
	if parsed.algorithm == string(jose.RS256) && parsed.plainHeader() {
		digest := sha256.Sum256([]byte(parsed.signed))
		return func(key any) bool {
			public, ok := key.(*rsa.PublicKey)
			return ok && rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], parsed.signature) == nil
		}, nil
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(parsed.algorithm)})
	if err != nil {
		return nil, &InvalidError{Reason: BadHeader}
	}
	return func(key any) bool {
		payload, err := jws.Verify(key)
		return err == nil && string(payload) == string(parsed.payload)
	}, nil
}

func (v *Verifier) algorithmAllowed(algorithm string) bool {
	if algorithm == "" || algorithm == "none" || strings.HasPrefix(algorithm, "HS") {
		return false
	}
	if v.Algorithms == nil {
		return algorithm == string(jose.RS256)
	}
	return slices.Contains(v.Algorithms, algorithm)
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

func (v *Verifier) expiryLeeway() time.Duration {
	if v.ExpiryLeeway == 0 {
		return v.leeway()
	}
	return max(v.ExpiryLeeway, 0)
}

func (v *Verifier) leeway() time.Duration {
	switch {
	case v.Leeway == 0:
		return defaultLeeway
	case v.Leeway < 0:
		return 0
	}
	return v.Leeway
}

// keyError turns an error of a [KeySource] into a verdict. An error of an unknown type becomes an
// [*UnavailableError]: the token is not accepted, but it may be good.
func keyError(ctx context.Context, err error) error {
	var unavailable *UnavailableError
	switch {
	case errors.Is(err, ErrUnknownKey):
		return &InvalidError{Reason: UnknownKey}
	case errors.As(err, &unavailable):
		return unavailable
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &UnavailableError{RetryAfter: retryFailed, Err: err}
}

func mediaType(typ string) string {
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

func withKeyID(keys []jose.JSONWebKey, kid string) []jose.JSONWebKey {
	var found []jose.JSONWebKey
	for i := range keys {
		switch {
		case keys[i].KeyID != kid:
		case found == nil:
			found = keys[i : i+1 : i+1] // usually the only one; append copies
		default:
			found = append(found, keys[i])
		}
	}
	return found
}
