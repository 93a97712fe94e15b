package clients

import "mcpentra/conformance/clients/internal/bench"

// A Target is the client under test. Only Run is required.
//
//	Name       string        for reports
//	Run        func(ctx context.Context, task Task) error
//	Abilities  []Ability     that the client claims
//	Revisions  []check.Revision that the client claims; nil tries each
//	Document   []byte        its client ID metadata document
//	HTTPClient *http.Client  fetches the document from its URL; nil does not
//	Timeout    time.Duration bounds a run; zero means ten seconds
//	Second     time.Duration length of a second, for a client whose clock can be set
//
// Run must end when its context ends. Its error says that the client did not complete the task,
// which is often right.
type Target = bench.Target

// A Task is the task of a client: connect to the MCP server at URL, show pages to the person with
// Open, list the tools, call the tool named Tool, and end. The other fields are for clients that
// claim an [Ability].
type Task = bench.Task

// Enterprise is the identity provider of the person's organisation, and the ID token that it issued
// when the person signed in.
type Enterprise = bench.Enterprise

// An Ability is an optional feature of a client. Checks that need one are skipped for a client that
// does not claim it.
type Ability = bench.Ability

// The abilities.
const (
	KeepsState        = bench.KeepsState
	Preregistered     = bench.Preregistered
	ClientDocument    = bench.ClientDocument
	Machine           = bench.Machine
	Key               = bench.Key
	EnterpriseManaged = bench.EnterpriseManaged
	UsesProxy         = bench.UsesProxy
	TrustsCA          = bench.TrustsCA
	DeviceCode        = bench.DeviceCode
	SignsOut          = bench.SignsOut
	SeveralCalls      = bench.SeveralCalls
	Accounts          = bench.Accounts
)

// ToolName is the only tool of the servers in these checks. It takes no arguments.
const ToolName = bench.ToolName

// Abilities returns all abilities.
func Abilities() []Ability { return bench.Abilities() }
