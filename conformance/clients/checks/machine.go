package checks

import (
	"context"
	"crypto"
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
	"mcpentra/conformance/internal/inputs"
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
			Run:       judgeMachine(wantMachineAuthentication),
		},
		{
			Rule: check.Rule{
				ID:        "client/machine/no-registration",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP extension, OAuth Client Credentials",
				Sentence:  "A client without a person does not register, and makes no authorization request.",
				Covers:    []string{"client-ext-cc-no-dcr"},
			},
			Abilities: []bench.Ability{bench.Machine},
			Run:       judgeMachine(wantNoRegistration),
		},
		{
			Rule: check.Rule{
				ID:        "client/machine/resource",
				Level:     check.Must,
				Revisions: since20251125,
				Reference: "MCP extension, OAuth Client Credentials",
				Sentence:  "The token request of a client without a person names the resource.",
				Covers:    []string{"client-ext-cc-baseline"},
			},
			Abilities: []bench.Ability{bench.Machine},
			Run:       judgeMachine(wantMachineResource),
		},
		{
			Rule: check.Rule{
				ID:        "client/machine/declared",
				Level:     check.Should,
				Revisions: since20260728,
				Reference: "MCP extension, OAuth Client Credentials",
				Sentence:  "A client without a person declares the extension in its capabilities.",
				Covers:    []string{"client-ext-cc-declared"},
			},
			Abilities: []bench.Ability{bench.Machine},
			Run:       judgeMachine(wantExtension("io.modelcontextprotocol/oauth-client-credentials")),
		},
		{
			Rule: check.Rule{
				ID:        "client/machine/assertion",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP extension, OAuth Client Credentials; RFC 7523 section 3",
				Sentence: "A client with a key signs an assertion in its own name, for this authorization " +
					"server only, that expires. That it expires soon is a policy.",
				Covers: []string{"client-ext-cc-assertion-claims", "client-ext-cc-authenticates"},
			},
			Abilities: []bench.Ability{bench.Machine, bench.Key},
			Run:       machineAssertion,
		},
	}
}

// wantMachineAuthentication wants the grant client_credentials, and the client's secret.
func wantMachineAuthentication(l *lab.Lab) error {
	for _, request := range l.TokenRequests(l.Authority()) {
		if kind := request.Form.Get("grant_type"); kind != "client_credentials" {
			return l.Mismatch("grant_type client_credentials", kind)
		}
		if !hasSecret(request, "machine", "secret-of-a-machine") {
			return l.Mismatch("the client's secret", "none")
		}
	}
	return nil
}

// wantNoRegistration wants neither a registration nor an authorization request.
func wantNoRegistration(l *lab.Lab) error {
	if triedToRegister(l) {
		return l.Mismatch("no registration", "one")
	}
	if authorized(l) {
		return l.Mismatch("no authorization request", "one")
	}
	return nil
}

// wantMachineResource wants the MCP server's URL as resource in each token request.
func wantMachineResource(l *lab.Lab) error {
	for _, request := range l.TokenRequests(l.Authority()) {
		if err := wantResource(l, request.Form.Get("resource")); err != nil {
			return err
		}
	}
	return nil
}

// asMachine asks for the grant client_credentials with a secret.
func asMachine(task *bench.Task) {
	task.Machine = true
	task.ClientID = "machine"
	task.ClientSecret = "secret-of-a-machine"
}

// judgeMachine runs the client without a person, and then judges the record.
func judgeMachine(verdict func(l *lab.Lab) error) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		script := lab.Script{AuthMethod: "client_secret_basic", Metadata: onlyClientCredentials}
		l, err := completeTask(ctx, p, script, asMachine)
		if err != nil {
			return err
		}
		return verdict(l)
	}
}

// onlyClientCredentials makes the metadata list no other grant.
func onlyClientCredentials(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
	document["grant_types_supported"] = []string{"client_credentials"}
}

// wantExtension wants an extension in the client's capabilities.
func wantExtension(extension string) func(l *lab.Lab) error {
	declares := func(r lab.Request) bool {
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
	return func(l *lab.Lab) error {
		if !slices.ContainsFunc(l.Endpoint(), declares) {
			return l.Mismatch("the extension "+extension+" in the client's capabilities", "it is missing")
		}
		return nil
	}
}

// assertionLifetime bounds exp. An assertion serves one request; the rest allows for wrong clocks.
const assertionLifetime = time.Hour

// machineAssertion tries client/machine/assertion.
func machineAssertion(ctx context.Context, p *bench.Probe) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	withKey := func(task *bench.Task) {
		task.Machine = true
		task.ClientID = keyedMachine
		task.ClientKey = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
	}
	script := lab.Script{AuthMethod: "private_key_jwt", Metadata: onlyClientCredentials}
	l, err := completeTask(ctx, p, script, withKey)
	if err != nil {
		return err
	}
	for _, request := range l.TokenRequests(l.Authority()) {
		if err := wantAssertion(l, request, key.Public()); err != nil {
			return err
		}
	}
	return nil
}

// keyedMachine is the ID of a client that authenticates with a key.
const keyedMachine = "machine-with-a-key"

// wantAssertion wants a valid assertion of keyedMachine in a token request (RFC 7523 section 3).
func wantAssertion(l *lab.Lab, request lab.Request, key crypto.PublicKey) error {
	const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	if kind := request.Form.Get("client_assertion_type"); kind != assertionType {
		return l.Mismatch("client_assertion_type jwt-bearer", fmt.Sprintf("%q", kind))
	}
	token, err := jwt.ParseSigned(request.Form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return l.Mismatch("an assertion signed with ES256", err.Error())
	}
	var claims jwt.Claims
	if err := token.Claims(key, &claims); err != nil {
		return l.Insecure("an assertion signed with the client's key", err.Error())
	}
	issuer := l.IssuerID(l.Authority())
	audiences := []string{issuer, l.TokenEndpoint(l.Authority())}
	switch {
	case claims.Issuer != keyedMachine || claims.Subject != keyedMachine:
		return l.Mismatch("iss and sub "+keyedMachine, fmt.Sprintf("%q and %q", claims.Issuer, claims.Subject))
	case len(claims.Audience) != 1 || !slices.Contains(audiences, claims.Audience[0]):
		return l.Insecure("the audience "+issuer+" only", fmt.Sprintf("%q", claims.Audience))
	case claims.Expiry == nil:
		return l.Insecure("exp", "none")
	}
	left := time.Until(claims.Expiry.Time())
	within := l.Mismatch(fmt.Sprintf("an exp within %v", assertionLifetime), claims.Expiry.Time().String())
	switch {
	case left < 0:
		return within
	case left > assertionLifetime: // a server may refuse it (RFC 7523 section 3)
		return inputs.Graded(within, check.Policy, "")
	}
	return nil
}
