package checks

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// assertionSignatureChecks returns the checks of authorization-server/assertion about signatures.
func assertionSignatureChecks() []bench.Check {
	needs := []bench.Need{bench.SignIn}
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/assertion/signature",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 7523 section 3, item 9",
				Sentence:  "An assertion that the client's key has not signed is refused.",
				Covers:    []string{"AS-057"},
			},
			Needs: needs,
			Run:   refusesAssertions(signatureFlaws),
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/assertion/algorithm",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 8725 sections 2.1, 3.1 and 3.2; RFC 7523 section 3, item 9",
				Sentence:  "An assertion without a signature, or with the public key as shared secret, is refused.",
				Covers:    []string{"AS-057"},
			},
			Needs: needs,
			Run:   refusesAssertions(algorithmFlaws),
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/assertion/registered-algorithm",
				Level:     check.Should,
				Severity:  check.Low,
				Reference: "OpenID Connect Dynamic Client Registration section 2, token_endpoint_auth_signing_alg",
				Sentence:  "A client that has registered one algorithm is refused with another.",
				Covers:    []string{"AS-057"},
			},
			Needs: needs,
			Run:   assertionRegisteredAlgorithm,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/assertion/header-key",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 7523 section 3, item 9; RFC 8725 section 3.10",
				Sentence: "A key that an assertion brings or points to is not trusted. Not to fetch it is a " +
					"SHOULD.",
				Covers: []string{"AS-057"},
			},
			Needs: needs,
			Run:   assertionHeaderKey,
		},
	}
}

// signatureFlaws are assertions that another key has signed.
func signatureFlaws(_ *bench.KeyClient, stranger any) []assertionFlaw {
	signedBy := func(kid any) func(made *bench.Assertion) {
		return func(made *bench.Assertion) {
			made.Key = stranger
			made.Header["kid"] = kid
		}
	}
	return []assertionFlaw{
		{name: "a stranger's signature", edit: func(made *bench.Assertion) { made.Key = stranger }},
		{name: "a stranger's signature and no kid", edit: signedBy(nil)},
		{name: "a stranger's signature and an unknown kid", edit: signedBy("mcp-auth-conformance")},
	}
}

// algorithmFlaws are assertions without a signature, and with the public key as shared secret.
func algorithmFlaws(client *bench.KeyClient, _ any) []assertionFlaw {
	var flaws []assertionFlaw
	for _, name := range []string{"none", "None", "NONE", client.Algorithm} {
		flaws = append(flaws, assertionFlaw{
			name: "no signature and the algorithm " + name,
			edit: func(made *bench.Assertion) {
				made.Algorithm = "none"
				made.Header["alg"] = name
			},
		})
	}
	for _, text := range publicTexts(client.PublicKey()) {
		flaws = append(flaws, assertionFlaw{
			name: "HS256 with the public key as " + text.form,
			edit: func(made *bench.Assertion) {
				made.Algorithm = "HS256"
				made.Key = text.secret
			},
		})
	}
	return flaws
}

// A publicText is a public key in a form that a server may have it in.
type publicText struct {
	form   string
	secret []byte
}

func publicTexts(key jose.JSONWebKey) []publicText {
	var texts []publicText
	if der, err := x509.MarshalPKIXPublicKey(key.Key); err == nil {
		block := &pem.Block{Type: "PUBLIC KEY", Bytes: der}
		texts = append(texts, publicText{"PEM", pem.EncodeToMemory(block)}, publicText{"DER", der})
	}
	if text, err := json.Marshal(key); err == nil {
		texts = append(texts, publicText{"JWK", text})
	}
	return texts
}

// rsaKey makes one RSA key for all checks, because that takes long.
var rsaKey = sync.OnceValues(func() (any, error) { return bench.NewKey("RS256") })

// assertionRegisteredAlgorithm tries authorization-server/assertion/registered-algorithm. The
// client has a key for each algorithm.
func assertionRegisteredAlgorithm(ctx context.Context, p *bench.Probe) error {
	supported, err := p.AssertionAlgorithms(ctx)
	if err != nil {
		return err
	}
	if len(supported) < 2 {
		return &check.NotApplicable{Reason: "the server has one algorithm for assertions"}
	}
	key, err := rsaKey()
	if err != nil {
		return &check.CannotJudge{Reason: "no key can be made", Err: err}
	}
	second := jose.JSONWebKey{Key: key, KeyID: "second", Use: "sig"}
	client, err := p.KeyClient(ctx, second.Public())
	if err != nil {
		return err
	}
	flaw := assertionFlaw{
		name: supported[1] + " for a client that has registered " + client.Algorithm,
		edit: func(made *bench.Assertion) {
			made.Algorithm = supported[1]
			made.Key = key
			made.Header["kid"] = "second"
		},
	}
	if !client.IsBound {
		// The server has not said that it knows the member of the registration.
		flaw.level = check.Policy
	}
	mismatch, err := tryAssertion(ctx, p, client, flaw)
	if err != nil {
		return err
	}
	return refusals(ctx, p, client.Client, mismatch)
}

// assertionHeaderKey tries authorization-server/assertion/header-key. A stranger signs, and serves
// its keys on loopback.
func assertionHeaderKey(ctx context.Context, p *bench.Probe) error {
	var stranger atomic.Pointer[jose.JSONWebKey] // public
	asked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r.URL.Path:
		default:
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{*stranger.Load()}})
	}))
	defer server.Close()
	err := refusesAssertions(func(_ *bench.KeyClient, key any) []assertionFlaw {
		private := jose.JSONWebKey{Key: key, KeyID: "stranger", Use: "sig"}
		public := private.Public()
		stranger.Store(&public)
		brings := func(name string, value any) func(made *bench.Assertion) {
			return func(made *bench.Assertion) {
				made.Key = key
				made.Header["kid"] = "stranger"
				made.Header[name] = value
			}
		}
		return []assertionFlaw{
			{name: "a key in the header", edit: brings("jwk", public)},
			{name: "the address of a key set in the header", edit: brings("jku", server.URL+"/jku")},
			{name: "the address of a certificate in the header", edit: brings("x5u", server.URL+"/x5u")},
		}
	})(ctx, p)
	if err != nil {
		return err
	}
	select {
	case path := <-asked:
		return p.MismatchAt(check.Should, "no request to an address in an assertion", "a request for "+path)
	default:
		return nil
	}
}
