package checks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// machineChecks are checks of client/machine: clients without a person (MCP extension OAuth Client
// Credentials).
func machineChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/machine/authenticates",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP extension, OAuth Client Credentials",
				Sentence: "A client without a person uses the grant client_credentials and authenticates with " +
					"its secret.",
				Covers: []string{"client-ext-cc-authenticates"},
			},
			Abilities: []bench.Ability{bench.Machine},
			Run: judgedAsMachine(func(l *lab.Lab) error {
				for _, one := range l.TokenRequests(l.Authority()) {
					if kind := one.Form.Get("grant_type"); kind != "client_credentials" {
						return l.Mismatch("grant_type client_credentials", kind)
					}
					if !authenticates(one, "machine", "secret-of-a-machine") {
						return l.Mismatch("the client's secret", "none")
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/machine/no-registration",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP extension, OAuth Client Credentials",
				Sentence: "A client without a person does not register, and sends nobody to the " +
					"authorization endpoint.",
				Covers: []string{"client-ext-cc-no-dcr"},
			},
			Abilities: []bench.Ability{bench.Machine},
			Run: judgedAsMachine(func(l *lab.Lab) error {
				if triedToRegister(l) {
					return l.Mismatch("no registration", "one")
				}
				if authorized(l) {
					return l.Mismatch("no authorization request", "one")
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/machine/resource",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP extension, OAuth Client Credentials",
				Sentence:  "The token request of a client without a person has the resource.",
				Covers:    []string{"client-ext-cc-baseline"},
			},
			Abilities: []bench.Ability{bench.Machine},
			Run: judgedAsMachine(func(l *lab.Lab) error {
				for _, one := range l.TokenRequests(l.Authority()) {
					if got := one.Form.Get("resource"); got != l.URL() {
						return l.Mismatch("resource "+l.URL(), fmt.Sprintf("%q", got))
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/machine/declared",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP extension, OAuth Client Credentials",
				Sentence:  "A client without a person declares the extension in its capabilities.",
				Covers:    []string{"client-ext-cc-declared"},
			},
			Abilities: []bench.Ability{bench.Machine},
			Run: judgedAsMachine(func(l *lab.Lab) error {
				return declares(l, "io.modelcontextprotocol/oauth-client-credentials")
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/machine/assertion",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP extension, OAuth Client Credentials" + "; RFC 7523 section 3",
				Sentence: "A client with a key authenticates with an assertion that it has signed, in its own name, " +
					"for the authorization server, and soon over.",
				Covers: []string{"client-ext-cc-assertion-claims"},
			},
			Abilities: []bench.Ability{bench.Machine, bench.Key},
			Run:       asserted,
		},
	}
}

func asMachine(task *bench.Task) {
	task.Machine = true
	task.ClientID = "machine"
	task.ClientSecret = "secret-of-a-machine"
}

func judgedAsMachine(judge func(l *lab.Lab) error) runClient {
	return func(ctx context.Context, p *bench.Probe) error {
		l, err := control(
			ctx,
			p,
			lab.Script{
				Secrets: "client_secret_basic",
				Metadata: func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
					document["grant_types_supported"] = []string{"client_credentials"}
				},
			},
			asMachine,
		)
		if err != nil {
			return err
		}
		return judge(l)
	}
}

// declares wants an extension in the capabilities of a client.
func declares(l *lab.Lab, extension string) error {
	declared := func(r lab.Request) bool {
		params, _ := r.JSON["params"].(map[string]any)
		meta, _ := params["_meta"].(map[string]any)
		for _, each := range []any{params["capabilities"], meta["io.modelcontextprotocol/clientCapabilities"]} {
			capabilities, _ := each.(map[string]any)
			extensions, _ := capabilities["extensions"].(map[string]any)
			if _, found := extensions[extension]; found {
				return true
			}
		}
		return false
	}
	if !slices.ContainsFunc(l.Endpoint(), declared) {
		return l.Mismatch("the extension "+extension+" in the client's capabilities", "it is missing")
	}
	return nil
}

// assertionLifetime is how long an assertion may be of use: it is made for one request, and clocks
// disagree.
const assertionLifetime = time.Hour

func asserted(ctx context.Context, p *bench.Probe) error {
	const id = "machine-with-a-key"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
	l, err := control(
		ctx,
		p,
		lab.Script{
			Secrets: "private_key_jwt",
			Metadata: func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
				document["grant_types_supported"] = []string{"client_credentials"}
				document["token_endpoint_auth_signing_alg_values_supported"] = []string{"ES256"}
			},
		},
		func(task *bench.Task) {
			task.Machine = true
			task.ClientID = id
			task.ClientKey = text
		},
	)
	if err != nil {
		return err
	}
	for _, one := range l.TokenRequests(l.Authority()) {
		if kind := one.Form.Get(
			"client_assertion_type",
		); kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			return l.Mismatch("client_assertion_type jwt-bearer", fmt.Sprintf("%q", kind))
		}
		token, err := jwt.ParseSigned(one.Form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			return l.Mismatch("an assertion that is signed with ES256", err.Error())
		}
		var claims jwt.Claims
		if err := token.Claims(key.Public(), &claims); err != nil {
			return l.Insecure("an assertion that is signed with the client's key", err.Error())
		}
		issuer := l.IssuerID(l.Authority())
		switch {
		case claims.Issuer != id || claims.Subject != id:
			return l.Mismatch("iss and sub "+id, fmt.Sprintf("%q and %q", claims.Issuer, claims.Subject))
		case len(claims.Audience) != 1 || claims.Audience[0] != issuer &&
			claims.Audience[0] != l.TokenEndpoint(l.Authority()):
			return l.Insecure("the audience "+issuer+" and no other", fmt.Sprintf("%q", claims.Audience))
		case claims.Expiry == nil:
			return l.Insecure("exp", "none")
		case claims.Expiry.Time().Before(time.Now()) || claims.Expiry.Time().After(time.Now().Add(assertionLifetime)):
			return l.Mismatch(fmt.Sprintf("an exp within %v", assertionLifetime), claims.Expiry.Time().String())
		}
	}
	return nil
}
