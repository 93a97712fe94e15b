package server

import "net/http"

// handleNoMetadata answers for the well-known addresses at which nothing is: clients look for metadata at several of them, one after the other (RFC 9728
// section 3.1, RFC 8414 section 3.1). Those in web pages may read the answer, since a page that may not goes on to the next address no more.
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
