package clients

import "mcpentra/conformance/clients/internal/bench"

// A Target is the client under test. Only Run is required.
//
//	Name        string                  for reports
//	Run         func(ctx context.Context, task Task) error
//	Abilities   []Ability               that the client claims
//	Revisions   []check.Revision        that the client claims to speak; nil means that each is tried
//	Document    []byte                  its client ID metadata document
//	HTTPClient  *http.Client            fetches the document from its URL; nil means that it is not fetched
//	Timeout     time.Duration           bounds a run; zero means ten seconds
//	Second      time.Duration           how long a second takes, for clients whose clock can be set
//
// The error of Run says that the client did not come to the end of its task, which may well be
// right. Run has to end with its context.
type Target = bench.Target

// A Task is what a client is asked to do: connect to the MCP server at URL, show pages to the
// person with Open, list the tools, call the tool of the name Tool, and end. Its other fields
// matter to clients that claim an [Ability].
type Task = bench.Task

// Enterprise is the identity provider of the person's organisation, and what it issued when the
// person signed in there.
type Enterprise = bench.Enterprise

// An Ability is something that a client may have and need not have. Checks that need one are
// skipped for a client that does not claim it.
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

// ToolName is the one tool of the servers that a client is tried with. It takes no arguments.
const ToolName = bench.ToolName

// Abilities are all of them.
func Abilities() []Ability { return bench.Abilities() }
