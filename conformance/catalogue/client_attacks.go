package catalogue

import "mcpentra/conformance/engine"

// clientAttacks are those on a client.
func clientAttacks() []Entry {
	return []Entry{
		{ID: "CL-001", Level: Attack, Severity: engine.Critical, Sentence: "Authorization pages that are no web pages, or hold commands."},
		{ID: "CL-002", Level: Attack, Severity: engine.High, Sentence: "Other addresses of that kind, in documents and errors."},
		{ID: "CL-003", Level: Attack, Severity: engine.High, Sentence: "Addresses of metadata that lead astray."},
		{ID: "CL-004", Level: Attack, Severity: engine.Critical, Sentence: "Metadata of another resource."},
		{ID: "CL-005", Level: Attack, Severity: engine.High, Sentence: "None, several and false authorization servers."},
		{ID: "CL-006", Level: Attack, Severity: engine.High, Sentence: "Issuers that are nearly right."},
		{ID: "CL-007", Level: Attack, Severity: engine.High, Sentence: "Authorization servers that announce no PKCE, or the wrong one."},
		{ID: "CL-008", Level: Attack, Severity: engine.Critical, Sentence: "Answers whose iss is missing or wrong."},
		{ID: "CL-009", Level: Attack, Severity: engine.Critical, Sentence: "Answers that do not belong to the sign-in."},
		{ID: "CL-010", Level: Attack, Severity: engine.High, Sentence: "A redirect URI that others reach."},
		{ID: "CL-011", Level: Attack, Severity: engine.High, Sentence: "An answer with a script in it."},
		{ID: "CL-012", Level: Attack, Severity: engine.Medium, Sentence: "Sign-ins at the same time."},
		{ID: "CL-020", Level: Attack, Severity: engine.Critical, Sentence: "Redirects of the MCP endpoint."},
		{ID: "CL-021", Level: Attack, Severity: engine.Critical, Sentence: "A refusal by one server while there is a token of another."},
		{ID: "CL-022", Level: Attack, Severity: engine.High, Sentence: "Token and registration endpoints that lead astray."},
		{ID: "CL-023", Level: Attack, Severity: engine.Critical, Sentence: "An authorization server that changes."},
		{ID: "CL-024", Level: Attack, Severity: engine.High, Sentence: "Refusals without an end."},
		{ID: "CL-025", Level: Attack, Severity: engine.High, Sentence: "Scopes without an end."},
		{ID: "CL-026", Level: Attack, Severity: engine.High, Sentence: "Challenges that are long, odd or many."},
		{ID: "CL-027", Level: Attack, Severity: engine.Medium, Sentence: "Documents without an end."},
		{ID: "CL-028", Level: Attack, Severity: engine.Medium, Sentence: "Odd answers to a registration."},
		{ID: "CL-029", Level: Attack, Severity: engine.Medium, Sentence: "Odd answers to a token request."},
		{ID: "CL-030", Level: Attack, Severity: engine.Medium, Sentence: "An ID token that is not for the client."},
		{ID: "CL-031", Level: Attack, Severity: engine.High, Sentence: "Authorization servers that offer only what is obsolete."},
		{ID: "CL-040", Level: Attack, Severity: engine.High, Sentence: "Files with tokens."},
		{ID: "CL-041", Level: Attack, Severity: engine.High, Sentence: "Tokens in what is printed and in arguments.", Elsewhere: "a matter of the terminal; tests of the program"},
		{ID: "CL-042", Level: Attack, Severity: engine.High, Sentence: "Control characters in what a server says.", Elsewhere: "a matter of the terminal; tests of the program"},
		{ID: "CL-043", Level: Attack, Severity: engine.Medium, Sentence: "Control characters in addresses that are printed.", Elsewhere: "a matter of the terminal; tests of the program"},
		{ID: "CL-050", Level: Attack, Severity: engine.Medium, Sentence: "Event streams without an end."},
		{ID: "CL-051", Level: Attack, Severity: engine.High, Sentence: "References and names of headers in the schemas of tools."},
		{ID: "CL-052", Level: Attack, Severity: engine.Medium, Sentence: "Refusals whose body says where to sign in."},
		{ID: "CL-053", Level: Attack, Severity: engine.Medium, Sentence: "Clocks that disagree."},
		{ID: "CL-054", Level: Attack, Severity: engine.High, Sentence: "Bad certificates."},
		{ID: "CL-055", Level: Attack, Severity: engine.Low, Sentence: "A proxy for loopback."},
		{ID: "CL-056", Level: Attack, Severity: engine.High, Sentence: "Refreshes that fail for a while, and for good."},
	}
}
