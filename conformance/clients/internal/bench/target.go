package bench

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"mcpentra/conformance/check"
)

// An Ability is something that a client may have and need not have. Checks that need one are
// skipped for a client that does not claim it.
type Ability string

const (
	// KeepsState: what one run was granted is there in the next one with the same Task.State.
	KeepsState Ability = "kept-state"
	// Preregistered: the client uses Task.ClientID and Task.ClientSecret.
	Preregistered Ability = "pre-registered"
	// ClientDocument: the client has a client ID metadata document.
	ClientDocument Ability = "client-document"
	// Machine: the client does what Task.Machine says, with Task.ClientID and Task.ClientSecret.
	Machine Ability = "client-credentials"
	// Key: the client does what Task.Machine says with Task.ClientKey instead of a secret.
	Key Ability = "client-key"
	// EnterpriseManaged: the client does what Task.Enterprise says.
	EnterpriseManaged Ability = "enterprise-managed"
	// UsesProxy: requests to addresses that are not on loopback go through Task.Proxy.
	UsesProxy Ability = "proxy"
	// TrustsCA: the client trusts the certificate authority of Task.CAFile besides its own.
	TrustsCA Ability = "ca-file"
	// DeviceCode: the client does what Task.Device says.
	DeviceCode Ability = "device-code"
	// SignsOut: the client does what Task.SignOut says.
	SignsOut Ability = "sign-out"
	// SeveralCalls: the client calls the tool as often as Task.Calls says, whatever comes of the
	// calls before.
	SeveralCalls Ability = "several-calls"
	// Accounts: the client keeps accounts at one server apart, by Task.Account.
	Accounts Ability = "accounts"
)

// Abilities are all of them.
func Abilities() []Ability {
	return []Ability{
		KeepsState, Preregistered, ClientDocument, Machine, Key, EnterpriseManaged, UsesProxy, TrustsCA, DeviceCode,
		SignsOut, SeveralCalls, Accounts,
	}
}

// ToolName is the one tool that the servers of these checks have. It takes no arguments.
const ToolName = "test-tool"

// A Task is what a client is asked to do: connect to the MCP server, list its tools, call the one
// of Tool, and end.
type Task struct {
	// Check is the ID of the check, for those who want to know.
	Check string
	// URL of the MCP endpoint. It is on loopback.
	URL  string
	Tool string
	// Revision is the one that the server speaks.
	Revision check.Revision
	// Open shows a page to the person, who approves. It returns when the person is done.
	Open func(ctx context.Context, page string) error
	// OpenAt starts to listen at an address that does what Open does with the text that is posted
	// there, for a client in another process, and returns the address.
	OpenAt func() string
	// Output takes what the client tells its user.
	Output io.Writer
	// State is a directory for what the client keeps. It is empty at first; only some checks use it
	// for a second run.
	State string
	// ClientID and ClientSecret were registered beforehand. Empty means that the client has to
	// register.
	ClientID     string
	ClientSecret string
	// Machine asks for the grant client_credentials, without a person.
	Machine bool
	// ClientKey is a private key on P-256, PKCS #8 in PEM, with which the client authenticates
	// instead of a secret (private_key_jwt, ES256). Empty means none.
	ClientKey string
	// Enterprise asks for the token by way of an identity provider (MCP, Enterprise-Managed
	// Authorization). Nil means without.
	Enterprise *Enterprise
	// Device has the person approve on another device (RFC 8628): the client shows in Output where,
	// and with which code. The person does so without being asked further.
	Device bool
	// Calls is how often the tool is called, once after the other; a call that fails does not keep
	// the next one from being made. Zero means once.
	Calls int
	// SignOut has the person sign out at the end: what was granted is revoked (RFC 7009) and
	// forgotten. Run's error says if that could not be done.
	SignOut bool
	// Account is the person's name for one of several accounts at the server. Empty is the only
	// one.
	Account string
	// Proxy is the URL of a proxy, and CAFile the name of a PEM file. Empty means none.
	Proxy  string
	CAFile string
}

// Enterprise is the identity provider of the person's organisation, and what it issued when the
// person signed in there.
type Enterprise struct {
	// Issuer of the identity provider, whose metadata say the same of its token endpoint.
	Issuer        string
	TokenEndpoint string
	// ClientID is what the identity provider knows the client as. It has no secret.
	ClientID string
	IDToken  string
}

// A Target is the client under test.
type Target struct {
	// Name is for reports.
	Name string
	// Run does a task. Its error says that the client did not come to the end of it, which may well
	// be right. It must end with its context.
	Run func(ctx context.Context, task Task) error
	// Abilities that the client claims.
	Abilities []Ability
	// Revisions that the client claims to speak. Nil means that each is tried, and passed over if
	// the client cannot even talk to a server that asks for no token.
	Revisions []check.Revision
	// Document is the client ID metadata document, as it stands at its URL: no check fetches it.
	// Empty means that it is not judged.
	Document []byte
	// HTTPClient fetches the document from its URL. Nil means that it is not fetched.
	HTTPClient *http.Client
	// Timeout bounds a run. Zero means ten seconds.
	Timeout time.Duration
	// Second is how long this client takes for a second, where it was told to wait for some, or
	// should not wait for longer than some. It is for clients whose clock can be set, so that
	// checks of waiting are quick. Zero means a second.
	Second time.Duration
}

// Seconds are so many for this client.
func (t *Target) Seconds(n int) time.Duration {
	if t.Second == 0 {
		return time.Duration(n) * time.Second
	}
	return time.Duration(n) * t.Second
}

func (t *Target) lacking(c *Check) Ability {
	if i := slices.IndexFunc(
		c.Abilities,
		func(ability Ability) bool { return !slices.Contains(t.Abilities, ability) },
	); i >= 0 {
		return c.Abilities[i]
	}
	return ""
}

// A Probe is what a check of clients works with: one client, and one revision that the servers
// speak.
type Probe struct {
	Target   Target
	Revision check.Revision
	// Rule is the one that is tried.
	Rule check.Rule
	// State is a directory of the check's own.
	State string
}

// Claimed reports whether the client says that it speaks the revision.
func (p *Probe) Claimed() bool { return slices.Contains(p.Target.Revisions, p.Revision) }
