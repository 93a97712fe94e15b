package aadsts

import (
	"encoding/base64"
	"regexp"
	"slices"
)

// A Challenge is a claims challenge: what a new sign-in has to prove. A client passes it on as the
// parameter claims.
type Challenge struct {
	Policies []string // object IDs of Conditional Access policies (capolids)
	Contexts []string // authentication contexts (acrs): c1 to c99
	Revoked  bool     // access was revoked, and older tokens do not count (nbf)
}

var (
	// inHeader matches the claims of a WWW-Authenticate header, base64 of JSON.
	inHeader  = regexp.MustCompile(`(?i)claims["']?\s*[=:]\s*["']?(eyJ[A-Za-z0-9+/_-]{10,})`)
	claims    = regexp.MustCompile(`"(?:access_token|id_token)"\s*:\s*\{\s*"[a-z_]{2,20}"\s*:\s*\{[^\[\]]{0,200}`)
	policies  = regexp.MustCompile(`"capolids"\s*:\s*\{[^\[\]]{0,100}\[([^\]]*)\]`)
	contexts  = regexp.MustCompile(`"acrs"\s*:\s*\{[^{}]{0,200}\}`)
	notBefore = regexp.MustCompile(`"nbf"\s*:\s*\{`)
	guid      = regexp.MustCompile(`[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)
	context   = regexp.MustCompile(`"(c[0-9]{1,2})"`)
)

// readChallenge reads the claims challenge of a decoded text. It returns nil if there is none.
func readChallenge(text string) *Challenge {
	if header := inHeader.FindStringSubmatch(text); header != nil {
		text += " " + decodeBase64(header[1])
	}
	if !claims.MatchString(text) {
		return nil
	}
	challenge := &Challenge{Revoked: notBefore.MatchString(text)}
	if list := policies.FindStringSubmatch(text); list != nil {
		challenge.Policies = compact(guid.FindAllString(list[1], mostCodes))
	}
	for _, found := range context.FindAllStringSubmatch(contexts.FindString(text), mostCodes) {
		challenge.Contexts = append(challenge.Contexts, found[1])
	}
	return challenge
}

func compact(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// decodeBase64 decodes both alphabets, with or without padding. It returns "" for anything else.
func decodeBase64(text string) string {
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if decoded, err := encoding.DecodeString(text); err == nil {
			return string(decoded)
		}
	}
	return ""
}

// ofChallenge explains a claims challenge that comes without a code, for example from Graph.
func ofChallenge() Explanation {
	return Explanation{
		Text:    "insufficient_claims",
		Meaning: "The API wants a token with more claims than the presented one has: a claims challenge.",
		Why: "Graph, or another API, applies a Conditional Access policy to a tool's request. " +
			"The same sign-in without the challenge gives the same token again.",
		Shows: AfterSignIn,
		Fixes: []Fix{
			{ClientSetting, "the parameter claims", "Decode the challenge and pass it on to a new sign-in. " +
				"mcp-entra-server does so in broker mode."},
			{Person, "the client", "Sign in again, and do what the page asks for."},
		},
		Links: []string{documentation + "identity-platform/claims-challenge"},
	}
}
