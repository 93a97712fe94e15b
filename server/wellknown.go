package server

import "net/http"

// wellKnown is the path below which all metadata is served (RFC 8615).
const wellKnown = "/.well-known"

// handleNoMetadata answers 404 at the well-known addresses without metadata: clients try several of
// them, one after the other (RFC 9728 section 3.1, RFC 8414 section 3.1). Web pages may read the
// answer, because a page that cannot read it gives up and tries no other address.
func handleNoMetadata(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodOptions {
		header.Set("Access-Control-Allow-Methods", "GET, HEAD")
		header.Set("Access-Control-Allow-Headers", "MCP-Protocol-Version")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Error(w, "there is no metadata at this address", http.StatusNotFound)
}
