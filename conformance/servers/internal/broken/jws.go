package broken

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Faults in parsing a token.
const (
	BreaksOnEncryption       Fault = "breaks on an encrypted token"
	BreaksOnNonces           Fault = "breaks on a nonce in the header of a token"
	AcceptsJSONSerialization Fault = "accepts tokens in JSON serialization"
	IgnoresFurtherParts      Fault = "ignores all parts of a token after the third"
	DecodesLeniently         Fault = "accepts any form of base64"
	RepairsHeaders           Fault = "repairs headers that are not UTF-8"
	ReadsFirstValue          Fault = "ignores text after the claims"
	UsesFirstHeader          Fault = "uses the first of two header members"
	UsesFirstClaim           Fault = "uses the first of two claims"
	IgnoresCaseOfClaims      Fault = "ignores the letter case of claims"
)

// Faults in verifying a signature.
const (
	UsesPublicKeyAsSecret  Fault = "uses its public key as a shared secret"
	SharesGuessableSecret  Fault = "shares a guessable secret with its issuer"
	AcceptsOtherAlgorithms Fault = "accepts any algorithm of its key's kind"
	AcceptsZeroSignatures  Fault = "accepts signatures of zeros"
	ForgivesSignatures     Fault = "checks no signature of a token that has just expired"
	TrustsEmbeddedKeys     Fault = "trusts the key in a token"
	TrustsCertificates     Fault = "trusts the certificate in a token"
	TrustsKeyAddresses     Fault = "trusts the key at an address in a token"
	CallsKeyAddresses      Fault = "calls the address of a key in a token"
	LooksUpKeysAsFiles     Fault = "opens keys as files"
	IgnoresCritical        Fault = "ignores critical extensions"
	ChecksNoType           Fault = "checks no typ"
)

// A jws is a well-formed token.
type jws struct {
	raw, input     string
	signature      []byte
	header, claims map[string]any
}

// breaksOn reports whether the server answers a token with 500.
func (s *Server) breaksOn(raw string) bool {
	if s.has(BreaksOnEncryption) && strings.Count(raw, ".") == 4 {
		header, _, _ := strings.Cut(raw, ".")
		text, err := base64.RawURLEncoding.DecodeString(header)
		return err == nil && bytes.Contains(text, []byte(`"enc"`))
	}
	if s.has(BreaksOnNonces) {
		header, _, _ := strings.Cut(raw, ".")
		text, err := base64.RawURLEncoding.DecodeString(header)
		return err == nil && bytes.Contains(text, []byte(`"nonce"`))
	}
	if s.has(BreaksOnOddities) && strings.Count(raw, ".") == 2 {
		header, _, _ := strings.Cut(raw, ".")
		text, err := base64.RawURLEncoding.DecodeString(header)
		return err == nil && bytes.Contains(text, []byte(`"crit":[]`))
	}
	return false
}

// compactFromJSON converts a token in JSON serialization to a compact one.
func compactFromJSON(credentials string) (string, bool) {
	_, token, _ := strings.Cut(credentials, " ")
	var flattened struct{ Payload, Protected, Signature string }
	if json.Unmarshal([]byte(token), &flattened) != nil || flattened.Protected == "" {
		return "", false
	}
	return flattened.Protected + "." + flattened.Payload + "." + flattened.Signature, true
}

// parse parses a token strictly.
func (s *Server) parse(raw string) (*jws, bool) {
	parts := strings.Split(raw, ".")
	if len(parts) > 3 && s.has(IgnoresFurtherParts) {
		parts = parts[:3]
	}
	if len(parts) != 3 {
		return nil, false
	}
	token := &jws{raw: raw, input: parts[0] + "." + parts[1]}
	var texts [3][]byte
	for i, part := range parts {
		if s.has(DecodesLeniently) {
			part = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(part, "="))
		}
		var err error
		if texts[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return nil, false
		}
	}
	token.signature = texts[2]
	if s.has(IgnoresKeyIDs) {
		texts[0] = withLastMembers(texts[0])
	}
	if s.has(IgnoresByteOrderMarks) {
		texts[0] = withoutMark(texts[0])
		texts[1] = withoutMark(texts[1])
	}
	if s.has(ReadsExpiryAsText) {
		texts[1] = bytes.Replace(texts[1], []byte("1e400"), []byte("1e300"), 1)
	}
	if s.has(RepairsHeaders) {
		texts[0] = bytes.ToValidUTF8(texts[0], []byte("?"))
	}
	if s.has(ReadsFirstValue) {
		if value, err := jsontext.NewDecoder(bytes.NewReader(texts[1])).ReadValue(); err == nil {
			texts[1] = value
		}
	}
	var well [2]bool
	token.header, well[0] = readMembers(texts[0], s.has(UsesFirstHeader), false)
	token.claims, well[1] = readMembers(texts[1], s.has(UsesFirstClaim), s.has(IgnoresCaseOfClaims))
	return token, well[0] && well[1]
}

// readMembers reads an object in which no name occurs twice, in any letter case.
func readMembers(text []byte, takeFirst, ignoreCase bool) (map[string]any, bool) {
	members := map[string]any{}
	decoder := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(takeFirst))
	if decoder.PeekKind() != '{' {
		return nil, false
	}
	_, _ = decoder.ReadToken()
	cases := map[string]bool{}
	for decoder.PeekKind() == '"' {
		token, _ := decoder.ReadToken()
		name := token.String()
		var value any
		if strict.UnmarshalDecode(decoder, &value) != nil {
			return nil, false
		}
		folded := strings.ToLower(name)
		_, twice := members[name]
		switch {
		case twice && takeFirst:
			continue
		case ignoreCase:
			name = folded
		case cases[folded] || isRegistered(folded) && name != folded:
			return nil, false
		}
		cases[folded] = true
		members[name] = value
	}
	end, err := decoder.ReadToken()
	if err != nil || end.Kind() != '}' {
		return nil, false
	}
	_, err = decoder.ReadToken()
	return members, errors.Is(err, io.EOF)
}

func isRegistered(name string) bool {
	return strings.Contains(
		" alg kid typ crit b64 jwk jku x5u x5c iss sub aud exp nbf iat tid scope scp roles ",
		" "+name+" ",
	)
}

// isSigned reports whether the issuer has signed a token.
func (s *Server) isSigned(token *jws) bool {
	algorithm, _ := token.header["alg"].(string)
	typ, _ := token.header["typ"].(string)
	if s.has(AcceptsNoAlgorithm) && strings.EqualFold(algorithm, "none") {
		return true
	}
	for _, name := range []string{"crit", "b64"} {
		if _, there := token.header[name]; there && !s.has(IgnoresCritical) {
			return false
		}
	}
	isOther := s.has(AcceptsIDTokens) && typ == "JWT" || s.has(AcceptsRefreshTokens) && isRefreshToken(token)
	isAccess := strings.EqualFold(strings.TrimPrefix(typ, "application/"), "at+jwt")
	if !isAccess && !isOther && !s.has(ChecksNoType) {
		return false
	}
	switch {
	case algorithm == "HS256" && s.has(UsesPublicKeyAsSecret):
		der, _ := x509.MarshalPKIXPublicKey(s.key.Public())
		return token.hasMAC(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	case algorithm == "HS256" && s.has(LooksUpKeysAsFiles):
		id, _ := token.header["kid"].(string)
		return strings.HasSuffix(id, "/dev/null") && token.hasMAC(nil)
	case s.has(SharesGuessableSecret):
		return algorithm == "HS256" && token.hasMAC([]byte(guessableSecret))
	case (algorithm == "ES384" || algorithm == "ES512") && s.has(AcceptsOtherAlgorithms):
	case algorithm != "ES256":
		return false
	}
	if key := s.suppliedKey(token); key != nil {
		return token.isSigned(key, "ES256")
	}
	id, _ := token.header["kid"].(string)
	keys := s.keysFor(id)
	switch {
	case len(keys) == 0:
		return s.has(AcceptsWithoutKeys) && s.lacksKeys()
	case s.has(ForgivesSignatures) && s.hasJustExpired(token):
		return true
	case s.has(ChecksNoSignature), !s.has(CachesPastExpiry) && s.isCached(token.raw):
		return true
	case s.has(AcceptsZeroSignatures) && bytes.Count(token.signature, []byte{0}) == 64 && len(token.signature) == 64:
		return true
	}
	return slices.ContainsFunc(keys, func(key jose.JSONWebKey) bool { return token.isSigned(key.Key, algorithm) })
}

// hasJustExpired reports whether a token has expired, within the leeway.
func (s *Server) hasJustExpired(token *jws) bool {
	expiry, isNumber := token.claims["exp"].(float64)
	return isNumber && expiry < float64(s.now().Unix())
}

// suppliedKey returns the key that a token supplies, if the server trusts it.
func (s *Server) suppliedKey(token *jws) any {
	address, _ := token.header["jku"].(string)
	if id, _ := token.header["kid"].(string); s.has(CallsKeyIDs) && strings.HasPrefix(id, "http://127.0.0.1:") {
		var set jose.JSONWebKeySet
		call(id, &set)
	}
	switch {
	case s.has(TrustsEmbeddedKeys) && token.header["jwk"] != nil:
		var key jose.JSONWebKey
		text, _ := json.Marshal(token.header["jwk"])
		_ = json.Unmarshal(text, &key)
		return key.Key
	case s.has(TrustsCertificates) && token.header["x5c"] != nil:
		chain, _ := token.header["x5c"].([]any)
		if len(chain) == 0 {
			return nil
		}
		first, _ := chain[0].(string)
		der, _ := base64.StdEncoding.DecodeString(first)
		if certificate, err := x509.ParseCertificate(der); err == nil {
			return certificate.PublicKey
		}
	case s.has(TrustsKeyAddresses) && address != "":
		var set jose.JSONWebKeySet
		call(address, &set)
		if len(set.Keys) > 0 {
			return set.Keys[0].Key
		}
	case s.has(CallsKeyAddresses) && address != "":
		call(address, new(any))
	}
	return nil
}

// call fetches a document from an address in a token.
func call(address string, into any) {
	client := &http.Client{Timeout: 20 * time.Second} // for busy machines
	response, err := client.Get(address)
	if err != nil {
		return
	}
	defer response.Body.Close()
	_ = json.NewDecoder(response.Body).Decode(into)
}

func (j *jws) hasMAC(secret []byte) bool {
	mac := hmac.New(crypto.SHA256.New, secret)
	mac.Write([]byte(j.input))
	return hmac.Equal(mac.Sum(nil), j.signature)
}

func (j *jws) isSigned(key any, algorithm string) bool {
	public, fits := key.(*ecdsa.PublicKey)
	if !fits || len(j.signature) != 64 {
		return false
	}
	digest := map[string]crypto.Hash{
		"ES256": crypto.SHA256,
		"ES384": crypto.SHA384,
		"ES512": crypto.SHA512,
	}[algorithm].New()
	digest.Write([]byte(j.input))
	return ecdsa.Verify(
		public,
		digest.Sum(nil),
		new(big.Int).SetBytes(j.signature[:32]),
		new(big.Int).SetBytes(j.signature[32:]),
	)
}
