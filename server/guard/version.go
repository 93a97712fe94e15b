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
)

// revisions are the published revisions of MCP. The guard's rules are known to hold for these, so
// it lets in no other. 2024-11-05 has no version header of its own, and clients of its transport
// send one all the same.
var revisions = []string{"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"}

// sessionless reports whether a request is of a revision that has no sessions: the header then
// means nothing.
func sessionless(header http.Header) bool {
	return line(header, versionHeader) == sessionlessRevision
}

// takeVersion reads the revision that a request names. It reports whether the request may go on. An
// empty header is taken out: a request without one is of 2025-03-26.
func takeVersion(header http.Header) bool {
	lines := header[versionHeader]
	if len(lines) == 0 {
		return true
	}
	if lines[0] == "" {
		delete(header, versionHeader)
		return true
	}
	return slices.Contains(revisions, lines[0])
}

// refuseVersion answers to a revision that is not known as MCP 2026-07-28 wants it (Protocol
// Version Header), which clients of other revisions read as a refusal too.
func (g *Guard) refuseVersion(w http.ResponseWriter, r *http.Request, id jsontext.Value) {
	seen := strings.ToValidUTF8(clip(line(r.Header, versionHeader)), "?")
	g.logRefusal(r, http.StatusBadRequest, cause{reason: "protocol version", seen: seen})
	if id == nil {
		id = jsontext.Value("null")
	}
	w.Header()["Cache-Control"] = noStore
	writeJSON(w, http.StatusBadRequest, unsupportedVersion{
		Version: "2.0",
		ID:      id,
		Error: unsupportedError{
			Code:    codeUnsupportedVersion,
			Message: "this server does not know the protocol version of the request",
			Data:    versions{Supported: revisions, Requested: seen},
		},
	})
}

// codeUnsupportedVersion is MCP 2026-07-28's UnsupportedProtocolVersionError.
const codeUnsupportedVersion = -32022

type (
	unsupportedVersion struct {
		Version string           `json:"jsonrpc"`
		ID      jsontext.Value   `json:"id"`
		Error   unsupportedError `json:"error"`
	}
	unsupportedError struct {
		Code    int      `json:"code"`
		Message string   `json:"message"`
		Data    versions `json:"data"`
	}
	versions struct {
		Supported []string `json:"supported"`
		Requested string   `json:"requested"`
	}
)
