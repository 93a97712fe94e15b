package lab

import "net/http"

// serveRevocation is the revocation endpoint (RFC 7009 section 2.1). It revokes a token unless the
// script makes it fail.
func (l *Lab) serveRevocation(w http.ResponseWriter, r *Request) {
	if l.script.Revocation != 0 && l.script.Revocation != http.StatusOK {
		http.Error(w, "out of order", l.script.Revocation)
		return
	}
	l.ledger.revoke(r.Form.Get("token"))
	w.WriteHeader(http.StatusOK)
}

// Revocations returns the requests to the revocation endpoint of a party.
func (l *Lab) Revocations(party Party) []Request { return l.at(party, l.endpoints().revoke) }
