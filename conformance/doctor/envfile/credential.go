package envfile

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Bounds of a credential.
const (
	assertionLifetime = 5 * time.Minute
	leastKey          = 2048                // bits
	soon              = 14 * 24 * time.Hour // before the end of a certificate
)

// assertionType is the client_assertion_type of a JWT (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func assertion(token string) url.Values {
	return url.Values{"client_assertion_type": {assertionType}, "client_assertion": {token}}
}

// parameters returns what proves the registration in a token request. It returns nil after a
// finding, or if the credential cannot be tried here.
func (e *exam) parameters() url.Values {
	credentials := e.credentials()
	if len(credentials) != 1 || e.wrong[credentials[0]] {
		return nil
	}
	key := credentials[0]
	switch key {
	case "AUTH_CLIENT_SECRET":
		return url.Values{"client_secret": {e.get(key)}}
	case "AUTH_MANAGED_IDENTITY":
		e.did("AUTH_MANAGED_IDENTITY was not tried: only the server's own machine has the identity")
		return nil
	}
	text, err := os.ReadFile(e.path(e.get(key)))
	if err != nil {
		return nil // checkFiles has reported it
	}
	switch key {
	case "AUTH_CLIENT_SECRET_FILE":
		return url.Values{"client_secret": {strings.TrimSpace(string(text))}}
	case "AUTH_CERTIFICATE_FILE":
		return e.ofCertificate(text)
	}
	return e.ofFederatedToken(strings.TrimSpace(string(text)))
}

// ofCertificate signs an assertion with the key of a PEM file.
func (e *exam) ofCertificate(text []byte) url.Values {
	const key = "AUTH_CERTIFICATE_FILE"
	signer, certificate, err := readCertificate(text)
	if err != nil {
		e.fault(key, "certificate-unusable", fmt.Sprintf("the file of %s cannot be used: %v", e.at(key), err),
			"Entra takes RSA certificates. The file needs the key and its certificate in PEM, without a password.",
			e.line(key, "openssl req -x509 -newkey rsa:2048 -nodes -days 365 -keyout key.pem -out cert.pem "+
				"-subj /CN=mcp; "+
				"(umask 077; cat key.pem cert.pem > mcp.pem)"),
			e.portal("Certificates & secrets > Certificates > Upload certificate", "upload cert.pem, without the key"))
		return nil
	}
	now := e.config.Now()
	until := certificate.NotAfter.UTC().Format(time.DateOnly)
	renew := e.portal("Certificates & secrets > Certificates > Upload certificate", "upload the new certificate")
	switch {
	case now.After(certificate.NotAfter):
		e.fault(key, "certificate-expired", "the certificate of "+e.at(key)+" expired on "+until, "Entra refuses it.",
			e.line(key, "make a new certificate"), renew)
	case now.Before(certificate.NotBefore):
		e.fault(key, "certificate-early", "the certificate of "+e.at(key)+" is not valid yet",
			"The clock of this machine may be wrong.", e.line(key, "check the clock"))
	case certificate.NotAfter.Sub(now) < soon:
		e.warn("certificate-expires", "the certificate of "+e.at(key)+" expires on "+until,
			"All sign-ins fail from then on.",
			e.line(key, "make a new certificate"), renew)
	}
	sum := sha256.Sum256(certificate.Raw)
	options := (&jose.SignerOptions{}).WithType("JWT").
		WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(sum[:]))
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.PS256, Key: signer}, options)
	if err != nil {
		return nil // readCertificate has checked the key
	}
	client := e.get("AUTH_CLIENT_ID")
	signed, err := jwt.Signed(made).Claims(jwt.Claims{
		Issuer:    client,
		Subject:   client,
		Audience:  jwt.Audience{e.tenant.Token},
		ID:        rand.Text(),
		IssuedAt:  jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now),
		Expiry:    jwt.NewNumericDate(now.Add(assertionLifetime)),
	}).Serialize()
	if err != nil {
		return nil
	}
	e.secrets.Add(signed)
	return assertion(signed)
}

// readCertificate finds the RSA key and its certificate in a PEM file. Its errors quote nothing.
func readCertificate(text []byte) (*rsa.PrivateKey, *x509.Certificate, error) {
	var key *rsa.PrivateKey
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE":
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, errors.New("a certificate in it cannot be read")
			}
			certificates = append(certificates, certificate)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			found, err := readKey(block)
			if err != nil {
				return nil, nil, err
			}
			key = found
		}
	}
	if key == nil {
		return nil, nil, errors.New("it has no private key")
	}
	for _, certificate := range certificates {
		if key.PublicKey.Equal(certificate.PublicKey) {
			return key, certificate, nil
		}
	}
	return nil, nil, errors.New("it has no certificate of its key")
}

func readKey(block *pem.Block) (*rsa.PrivateKey, error) {
	var parsed crypto.PrivateKey
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, errors.New("its key has a password, or is not an RSA key")
	}
	key, isRSA := parsed.(*rsa.PrivateKey)
	switch {
	case err != nil:
		return nil, errors.New("its key cannot be read")
	case !isRSA:
		return nil, errors.New("its key is not an RSA key")
	case key.N.BitLen() < leastKey:
		return nil, fmt.Errorf("its key has %d bits: want %d", key.N.BitLen(), leastKey)
	}
	return key, nil
}

// ofFederatedToken looks at a token of another issuer, and returns it as an assertion.
func (e *exam) ofFederatedToken(token string) url.Values {
	const key = "AUTH_FEDERATED_TOKEN_FILE"
	parts := strings.Split(token, ".")
	var claims struct {
		Issuer   string  `json:"iss"`
		Subject  string  `json:"sub"`
		Audience any     `json:"aud"`
		Expiry   float64 `json:"exp"`
	}
	isToken := len(parts) == 3 && !strings.ContainsAny(token, " \t\r\n")
	if isToken {
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		isToken = err == nil && json.Unmarshal(payload, &claims) == nil
	}
	if !isToken {
		e.fault(key, "federated-token", "the file of "+e.at(key)+" does not hold one signed JWT",
			"The platform, such as Kubernetes, writes the token for a service account.",
			e.write(key, "/var/run/secrets/azure/tokens/azure-identity-token"))
		return nil
	}
	e.did("the federated token has the issuer %s, the subject %s and the audience %s", e.secrets.Shown(claims.Issuer),
		e.secrets.Shown(claims.Subject), e.secrets.Shown(fmt.Sprint(claims.Audience)))
	if expiry := time.Unix(int64(claims.Expiry), 0); claims.Expiry > 0 && e.config.Now().After(expiry) {
		e.fault(key, "federated-token-expired", "the token in the file of "+e.at(key)+" expired at "+
			expiry.UTC().Format(time.RFC3339), "The platform no longer renews the file, or the clock is wrong.",
			e.line(key, "check the service that writes the file, and the clock"))
		return nil
	}
	return assertion(token)
}
