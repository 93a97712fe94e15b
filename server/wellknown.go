package server

import "net/http"

// wellKnown is where all metadata is (RFC 8615).
const wellKnown = "/.well-known"

// handleNoMetadata answers for the well-known addresses at which nothing is: clients look for
// metadata at several of them, one after the other (RFC 9728 section 3.1, RFC 8414 section 3.1).
// Web pages may read the answer. A page that may not read it would give up and try no other
// address.
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
