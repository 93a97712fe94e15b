package vocabulary

import (
	_ "embed"
	"strings"
)

//go:embed names.tsv
var names string

// A List is one of the lists of names.tsv.
type List string

// The lists. {path}, {host} and {origin} in them are parts of the endpoint's URL. {token} is the
// good token.
const (
	Query           List = "query"        // parameters that carry tokens
	Cookie          List = "cookie"       // cookies that carry tokens
	TokenHeader     List = "token-header" // headers that carry tokens
	Scheme          List = "scheme"       // whole values of Authorization
	Subprotocol     List = "subprotocol"  // whole values of Sec-WebSocket-Protocol
	BodyMember      List = "body-member"  // JSON members and form fields that carry tokens
	Identity        List = "identity"     // headers in which proxies pass on identities
	AddressHeader   List = "address-header"
	Address         List = "address" // values of AddressHeader
	ProbeAgent      List = "probe-agent"
	ProbeHeader     List = "probe-header"
	Internal        List = "internal" // headers that mark internal calls
	InternalValue   List = "internal-value"
	Caller          List = "caller" // other headers that describe a caller
	MethodHeader    List = "method-header"
	MethodParameter List = "method-parameter"
	RewriteHeader   List = "rewrite-header" // headers that name another path
	PublicPath      List = "public-path"    // paths that often need no token
	HostHeader      List = "host-header"    // headers that name another host; the value is their form
	Spelling        List = "spelling"       // other spellings of the endpoint's path
	Sibling         List = "sibling"        // paths where another endpoint may be
	HTTPMethod      List = "http-method"
	MediaType       List = "media-type"
	Accept          List = "accept"
	ContentCoding   List = "content-coding"
	Flag            List = "flag"        // parameters that mark a request as internal or as a test
	Host            List = "host"        // names of internal hosts
	ClientName      List = "client-name" // names of clients in the first message
)

// A Name is an entry of a list.
type Name struct {
	Name string
	// Value is empty if the list has none.
	Value string
}

// Of returns a list.
func Of(list List) []Name {
	var found []Name
	for line := range strings.Lines(names) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(columns) != 3 || columns[0] != string(list) {
			continue
		}
		value := columns[2]
		if value == "-" {
			value = ""
		}
		found = append(found, Name{columns[1], value})
	}
	return found
}

// Names returns the names of a list without their values.
func Names(list List) []string {
	var found []string
	for _, name := range Of(list) {
		found = append(found, name.Name)
	}
	return found
}
