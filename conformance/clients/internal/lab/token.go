package lab

import (
	"net/http"
	"strings"
)

// The grants of Enterprise-Managed Authorization. The first is redeemed at the identity provider,
// the second at the MCP server's authorization server.
const (
	grantExchange  = "urn:ietf:params:oauth:grant-type:token-exchange"
	grantAssertion = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// serveToken is the token endpoint.
func (l *Lab) serveToken(party Party, w http.ResponseWriter, r *Request) {
	if r.Form.Get("grant_type") == grantExchange {
		l.serveExchange(party, w, r)
		return
	}
	granted, refusal := l.redeem(r)
	if refusal != "" {
		write(w, http.StatusBadRequest, map[string]any{"error": refusal})
		return
	}
	granted.Party = party
	access, refresh := l.ledger.issueTokens(granted, l.script.Refresh)
	answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 3600}
	if refresh != "" {
		answer["refresh_token"] = refresh
	}
	status := http.StatusOK
	if l.script.Token != nil {
		if changed := l.script.Token(l, party, r.Form, answer); changed != 0 {
			status = changed
		}
		if text, is := answer["access_token"].(string); is {
			l.ledger.rename(access, text)
		}
	}
	write(w, status, answer)
}

// redeem redeems the grant of a token request. It returns what the token is for, or an error code.
func (l *Lab) redeem(r *Request) (granted issuance, refusal string) {
	valid := true
	switch r.Form.Get("grant_type") {
	case "authorization_code":
		granted, valid = l.ledger.redeem(l.ledger.codes, r.Form.Get("code"))
	case "refresh_token":
		granted, valid = l.ledger.redeem(l.ledger.refreshTokens, r.Form.Get("refresh_token"))
	case grantAssertion:
		granted, valid = l.ledger.redeem(l.ledger.idJAGs, r.Form.Get("assertion"))
	case grantDevice:
		return l.poll(r.Form.Get("device_code"))
	case "client_credentials":
		granted = l.requested(r)
	default:
		return issuance{}, "unsupported_grant_type"
	}
	if !valid {
		return issuance{}, "invalid_grant"
	}
	return granted, ""
}

// serveExchange issues an identity assertion authorization grant (RFC 8693).
func (l *Lab) serveExchange(party Party, w http.ResponseWriter, r *Request) {
	requested := l.requested(r)
	requested.Party = party
	write(w, http.StatusOK, map[string]any{
		"access_token":      l.ledger.issueIDJAG(requested),
		"issued_token_type": "urn:ietf:params:oauth:token-type:id-jag",
		"token_type":        "N_A",
		"expires_in":        300,
	})
}

// requested returns what a token request asks for.
func (l *Lab) requested(r *Request) issuance {
	return issuance{
		Lab:      l,
		ClientID: r.Form.Get("client_id"),
		Resource: r.Form.Get("resource"),
		Scopes:   strings.Fields(r.Form.Get("scope")),
	}
}
