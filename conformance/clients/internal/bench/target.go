package bench

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"mcpentra/conformance/check"
)

// An Ability is an optional feature of a client. Checks that need one are skipped for a client that
// does not claim it.
type Ability string

const (
	// KeepsState means that a run can use the grant of an earlier run with the same Task.State.
	KeepsState Ability = "kept-state"
	// Preregistered means that the client uses Task.ClientID and Task.ClientSecret.
	Preregistered Ability = "pre-registered"
	// ClientDocument means that the client has a client ID metadata document.
	ClientDocument Ability = "client-document"
	// Machine means that the client follows Task.Machine, with Task.ClientID and Task.ClientSecret.
	Machine Ability = "client-credentials"
	// Key means that the client follows Task.Machine, with Task.ClientKey instead of a secret.
	Key Ability = "client-key"
	// EnterpriseManaged means that the client follows Task.Enterprise.
	EnterpriseManaged Ability = "enterprise-managed"
	// UsesProxy means that the client sends requests through Task.Proxy, except to loopback.
	UsesProxy Ability = "proxy"
	// TrustsCA means that the client also trusts the certificate authority in Task.CAFile.
	TrustsCA Ability = "ca-file"
	// DeviceCode means that the client follows Task.Device.
	DeviceCode Ability = "device-code"
	// SignsOut means that the client follows Task.SignOut.
	SignsOut Ability = "sign-out"
	// SeveralCalls means that the client follows Task.Calls.
	SeveralCalls Ability = "several-calls"
	// Accounts means that the client separates the accounts at one server by Task.Account.
	Accounts Ability = "accounts"
)

// Abilities returns all abilities.
func Abilities() []Ability {
	return []Ability{
		KeepsState,
		Preregistered,
		ClientDocument,
		Machine,
		Key,
		EnterpriseManaged,
		UsesProxy,
		TrustsCA,
		DeviceCode,
		SignsOut,
		SeveralCalls,
		Accounts,
	}
}

// ToolName is the only tool of the servers in these checks. It takes no arguments.
const ToolName = "test-tool"

// A Task is the task of a client: connect to the MCP server, list its tools, call the tool named
// Tool, and end.
type Task struct {
	// Check is the ID of the check, for logs.
	Check string
	// URL of the MCP endpoint. It is on loopback, or reached through Proxy.
	URL  string
	Tool string
	// Revision that the server speaks.
	Revision check.Revision
	// Open shows a page to the person, who approves. It returns when the person is done.
	Open func(ctx context.Context, page string) error
	// OpenAt is Open for a client in another process. It starts a server and returns its address.
	// The server opens the page in the body of a POST.
	OpenAt func() string
	// Output gets the client's messages to its user.
	Output io.Writer
	// State is a directory for the client's files. It is empty in the first run. Some checks run
	// the client again with the same directory.
	State string
	// ClientID and ClientSecret are pre-registered credentials. If they are empty, the client must
	// register.
	ClientID     string
	ClientSecret string
	// ClientIssuer is the authorization server that the credentials are registered with. It is
	// empty without a ClientID.
	ClientIssuer string
	// Machine asks for the grant client_credentials, without a person.
	Machine bool
	// ClientKey is a P-256 private key as PKCS #8 in PEM. The client authenticates with it instead
	// of a secret (private_key_jwt, ES256). Empty means no key.
	ClientKey string
	// Enterprise asks for a token through an identity provider (MCP, Enterprise-Managed
	// Authorization). Nil means without.
	Enterprise *Enterprise
	// Device asks for the device authorization grant (RFC 8628). The client shows the page and the
	// code in Output. The person approves without another request.
	Device bool
	// Calls is the number of tool calls. A failed call does not prevent the next. Zero means one.
	Calls int
	// SignOut asks the client to sign out at the end: it revokes the grant (RFC 7009) and forgets
	// it. Run returns an error if that fails.
	SignOut bool
	// Account is the person's name for one of several accounts at the server. Empty is the only
	// account.
	Account string
	// Proxy is the URL of a proxy. Empty means no proxy.
	Proxy string
	// CAFile is the name of a PEM file. Empty means no file.
	CAFile string
}

// Enterprise is the identity provider of the person's organisation, and the ID token that it issued
// when the person signed in.
type Enterprise struct {
	// Issuer of the identity provider. Its metadata names the same TokenEndpoint.
	Issuer        string
	TokenEndpoint string
	// ClientID of the client at the identity provider. The client has no secret there.
	ClientID string
	IDToken  string
}

// A Target is the client under test. Only Run is required.
type Target struct {
	// Name is for reports.
	Name string
	// Run does a task. Its error says that the client did not complete the task, which is often
	// right. It must end when its context ends.
	Run func(ctx context.Context, task Task) error
	// Abilities that the client claims.
	Abilities []Ability
	// Revisions that the client claims to speak. With nil, each revision is tried. It is skipped if
	// the client cannot even use a server without authorization.
	Revisions []check.Revision
	// Document is the client ID metadata document, as served at its URL. Empty means that no check
	// judges it.
	Document []byte
	// HTTPClient fetches the document from its URL. Nil means that no check fetches it.
	HTTPClient *http.Client
	// Timeout bounds a run. Zero means ten seconds.
	Timeout time.Duration
	// Second is the length of a second for this client. A client whose clock can be set makes the
	// checks that wait shorter. Zero means a second.
	Second time.Duration
}

// Seconds returns the length of n seconds for this client.
func (t *Target) Seconds(n int) time.Duration {
	if t.Second == 0 {
		return time.Duration(n) * time.Second
	}
	return time.Duration(n) * t.Second
}

// lacking returns an ability that the check needs and the target does not claim, or "".
func (t *Target) lacking(c *Check) Ability {
	for _, ability := range c.Abilities {
		if !slices.Contains(t.Abilities, ability) {
			return ability
		}
	}
	return ""
}

// A Probe is the input of a check: one client, and one revision that the servers speak.
type Probe struct {
	Target   Target
	Revision check.Revision
	// Rule that the check tries.
	Rule check.Rule
	// State is a directory for this check only.
	State string
	// Looks are shared by the checks of a run.
	Looks *Looks
	// Look is what the client does when nothing is wrong.
	Look Look
}

// Claimed reports whether the client claims to speak the revision.
func (p *Probe) Claimed() bool { return slices.Contains(p.Target.Revisions, p.Revision) }
