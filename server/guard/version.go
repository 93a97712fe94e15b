package guard

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	versionHeader = "Mcp-Protocol-Version"
	// sessionlessRevision is the revision of MCP without sessions.
	sessionlessRevision = "2026-07-28"
	// batchRevision is the only revision of MCP with batches. A request without the version header
	// belongs to it.
	batchRevision = "2025-03-26"
)

// codeUnsupportedVersion is MCP 2026-07-28's UnsupportedProtocolVersionError.
const codeUnsupportedVersion = -32022

// revisions are the published revisions of MCP. The guard accepts no other, since its rules may not
// fit one. 2024-11-05 defines no version header, but clients of its transport send one.
var revisions = []string{"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"}

// sessionless reports whether a request belongs to the revision that has no sessions.
func sessionless(header http.Header) bool {
	return line(header, versionHeader) == sessionlessRevision
}

// checkVersion refuses a request that names an unknown revision, as MCP 2026-07-28 asks for
// (Protocol Version Header). Clients of other revisions read the answer as a refusal too. An empty
// header is removed.
func checkVersion(header http.Header, id jsontext.Value) *refusal {
	lines := header[versionHeader]
	switch {
	case len(lines) == 0:
		return nil
	case lines[0] == "":
		delete(header, versionHeader)
		return nil
	case slices.Contains(revisions, lines[0]):
		return nil
	}
	seen := strings.ToValidUTF8(clip(lines[0]), "?")
	return &refusal{
		status:      http.StatusBadRequest,
		rpcCode:     codeUnsupportedVersion,
		rpcID:       id,
		rpcData:     versions{Supported: revisions, Requested: seen},
		description: "this server does not know the protocol version of the request",
		cause:       cause{reason: "protocol version", seen: seen},
	}
}

// versions is the data of an UnsupportedProtocolVersionError.
type versions struct {
	Supported []string `json:"supported"`
	Requested string   `json:"requested"`
}
