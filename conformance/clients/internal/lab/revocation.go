package lab

import (
	"net/http"
)

// serveRevocation ends a grant (RFC 7009 section 2.1). What was issued is no good afterwards,
// unless the script has it fail.
func (l *Lab) serveRevocation(w http.ResponseWriter, r *Request) {
	if l.script.Revocation != 0 && l.script.Revocation != http.StatusOK {
		http.Error(w, "out of order", l.script.Revocation)
		return
	}
	token := r.Form.Get("token")
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	for _, from := range []map[string]*issuance{l.ledger.tokens, l.ledger.renewal} {
		if one := from[token]; one != nil {
			one.spent = true
		}
	}
	w.WriteHeader(http.StatusOK)
}

// RevocationEndpoint is that of a party, and Revocations are the requests to it.
func (l *Lab) RevocationEndpoint(party Party) string { return l.Origin(party) + l.endpoints().revoke }

func (l *Lab) Revocations(party Party) []Request { return l.at(party, l.endpoints().revoke) }
