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

// Faults of how a token is read.
const (
	BreaksOnEncryption     Fault = "breaks on an encrypted token"
	BreaksOnNonces         Fault = "breaks on a nonce in the header of a token"
	TakesJSONSerialization Fault = "takes tokens in JSON serialization"
	IgnoresFurtherParts    Fault = "ignores all parts of a token after the third"
	DecodesLeniently       Fault = "takes base64 of any kind"
	RepairsHeaders         Fault = "repairs headers that are no UTF-8"
	ReadsFirstValue        Fault = "reads the claims, and not what comes after them"
	TakesFirstHeader       Fault = "takes the first of two header members"
	TakesFirstClaim        Fault = "takes the first of two claims"
	IgnoresCaseOfClaims    Fault = "ignores the case of claims"
)

// Faults of which signature counts.
const (
	TakesPublicKeyAsSecret Fault = "takes its public key as a shared secret"
	TakesOtherAlgorithms   Fault = "takes any algorithm of its key's kind"
	AcceptsZeroSignatures  Fault = "accepts signatures of zeros"
	BelievesEmbeddedKeys   Fault = "believes the key in a token"
	BelievesCertificates   Fault = "believes the certificate in a token"
	BelievesKeyAddresses   Fault = "believes the address of keys in a token"
	CallsKeyAddresses      Fault = "calls the address of keys in a token"
	LooksUpKeysAsFiles     Fault = "looks up keys as files"
	IgnoresCritical        Fault = "ignores extensions that it should understand"
	ChecksNoType           Fault = "checks no typ"
)

// A jws is a token that is well formed.
type jws struct {
	raw, input     string
	signature      []byte
	header, claims map[string]any
}

// breaksOn reports whether the server answers a token with 500.
func (t *Server) breaksOn(raw string) bool {
	if t.has(BreaksOnEncryption) && strings.Count(raw, ".") == 4 {
		header, _, _ := strings.Cut(raw, ".")
		text, err := base64.RawURLEncoding.DecodeString(header)
		return err == nil && bytes.Contains(text, []byte(`"enc"`))
	}
	if t.has(BreaksOnNonces) {
		header, _, _ := strings.Cut(raw, ".")
		text, err := base64.RawURLEncoding.DecodeString(header)
		return err == nil && bytes.Contains(text, []byte(`"nonce"`))
	}
	return false
}

// compacted is a token in JSON serialization, as a compact one.
func compacted(credentials string) (string, bool) {
	_, token, _ := strings.Cut(credentials, " ")
	var flattened struct{ Payload, Protected, Signature string }
	if json.Unmarshal([]byte(token), &flattened) != nil || flattened.Protected == "" {
		return "", false
	}
	return flattened.Protected + "." + flattened.Payload + "." + flattened.Signature, true
}

// parse takes a token apart, strictly.
func (t *Server) parse(raw string) (*jws, bool) {
	parts := strings.Split(raw, ".")
	if len(parts) > 3 && t.has(IgnoresFurtherParts) {
		parts = parts[:3]
	}
	if len(parts) != 3 {
		return nil, false
	}
	token := &jws{raw: raw, input: parts[0] + "." + parts[1]}
	var texts [3][]byte
	for i, part := range parts {
		if t.has(DecodesLeniently) {
			part = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(part, "="))
		}
		var err error
		if texts[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return nil, false
		}
	}
	token.signature = texts[2]
	if t.has(RepairsHeaders) {
		texts[0] = bytes.ToValidUTF8(texts[0], []byte("?"))
	}
	if t.has(ReadsFirstValue) {
		if value, err := jsontext.NewDecoder(bytes.NewReader(texts[1])).ReadValue(); err == nil {
			texts[1] = value
		}
	}
	var well [2]bool
	token.header, well[0] = readMembers(texts[0], t.has(TakesFirstHeader), false)
	token.claims, well[1] = readMembers(texts[1], t.has(TakesFirstClaim), t.has(IgnoresCaseOfClaims))
	return token, well[0] && well[1]
}

// readMembers reads an object in which no name stands twice, in any case.
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

// signed reports whether the issuer has signed a token.
func (t *Server) signed(token *jws) bool {
	algorithm, _ := token.header["alg"].(string)
	typ, _ := token.header["typ"].(string)
	if t.has(AcceptsNoAlgorithm) && strings.EqualFold(algorithm, "none") {
		return true
	}
	for _, name := range []string{"crit", "b64"} {
		if _, there := token.header[name]; there && !t.has(IgnoresCritical) {
			return false
		}
	}
	if !strings.EqualFold(strings.TrimPrefix(typ, "application/"), "at+jwt") && !t.has(ChecksNoType) &&
		!(t.has(TakesIDTokens) && typ == "JWT") {
		return false
	}
	switch {
	case algorithm == "HS256" && t.has(TakesPublicKeyAsSecret):
		der, _ := x509.MarshalPKIXPublicKey(t.key.Public())
		return token.hasMAC(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	case algorithm == "HS256" && t.has(LooksUpKeysAsFiles):
		id, _ := token.header["kid"].(string)
		return strings.HasSuffix(id, "/dev/null") && token.hasMAC(nil)
	case (algorithm == "ES384" || algorithm == "ES512") && t.has(TakesOtherAlgorithms):
	case algorithm != "ES256":
		return false
	}
	if key := t.brought(token); key != nil {
		return token.isSigned(key, "ES256")
	}
	id, _ := token.header["kid"].(string)
	keys := t.keysFor(id)
	switch {
	case len(keys) == 0:
		return false
	case t.has(ChecksNoSignature), t.has(CachesByPayload) && t.known(token.raw):
		return true
	case t.has(AcceptsZeroSignatures) && bytes.Count(token.signature, []byte{0}) == 64 && len(token.signature) == 64:
		return true
	}
	return slices.ContainsFunc(keys, func(key jose.JSONWebKey) bool { return token.isSigned(key.Key, algorithm) })
}

// brought is the key that a token brings along, for a server that believes it.
func (t *Server) brought(token *jws) any {
	address, _ := token.header["jku"].(string)
	switch {
	case t.has(BelievesEmbeddedKeys) && token.header["jwk"] != nil:
		var key jose.JSONWebKey
		text, _ := json.Marshal(token.header["jwk"])
		_ = json.Unmarshal(text, &key)
		return key.Key
	case t.has(BelievesCertificates) && token.header["x5c"] != nil:
		chain, _ := token.header["x5c"].([]any)
		if len(chain) == 0 {
			return nil
		}
		first, _ := chain[0].(string)
		der, _ := base64.StdEncoding.DecodeString(first)
		if certificate, err := x509.ParseCertificate(der); err == nil {
			return certificate.PublicKey
		}
	case t.has(BelievesKeyAddresses) && address != "":
		var set jose.JSONWebKeySet
		if call(address, &set); len(set.Keys) > 0 {
			return set.Keys[0].Key
		}
	case t.has(CallsKeyAddresses) && address != "":
		call(address, new(any))
	}
	return nil
}

// call gets a document from an address, for broken servers that do what they should not.
func call(address string, into any) {
	client := &http.Client{Timeout: time.Second}
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
