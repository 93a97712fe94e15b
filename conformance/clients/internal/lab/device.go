package lab

import (
	"crypto/rand"
	"net/http"
	"strings"
)

const grantDevice = "urn:ietf:params:oauth:grant-type:device_code"

// UserCode is what the person types on the other device, and DeviceInterval how many seconds there
// are between two questions for the token.
const (
	UserCode       = "WDJB-MJHT"
	DeviceInterval = 1
)

// serveDevice issues a device code (RFC 8628 section 3.2).
func (l *Lab) serveDevice(party Party, w http.ResponseWriter, r *Request) {
	one := &issuance{
		Text:     "device-" + rand.Text(),
		Party:    party,
		Lab:      l,
		ClientID: r.Form.Get("client_id"),
		Resource: r.Form.Get("resource"),
		Scopes:   strings.Fields(r.Form.Get("scope")),
	}
	l.ledger.mu.Lock()
	l.ledger.devices[one.Text] = one
	l.ledger.mu.Unlock()
	answer := map[string]any{
		"device_code":      one.Text,
		"user_code":        UserCode,
		"verification_uri": l.VerificationURI(party),
		"expires_in":       900,
		"interval":         DeviceInterval,
	}
	if l.script.DeviceAnswer != nil {
		l.script.DeviceAnswer(l, answer)
	}
	write(w, http.StatusOK, answer)
}

// question answers a question for the token of a device code: with what it is issued for, or with
// the code of an error.
func (l *Lab) question(code string) (issued issuance, refusal string) {
	l.ledger.mu.Lock()
	_, found := l.ledger.devices[code]
	l.ledger.mu.Unlock()
	if !found {
		return issuance{}, "invalid_grant"
	}
	l.mu.Lock()
	l.questions++
	n := l.questions
	l.mu.Unlock()
	if refusal := l.script.Device(n); refusal != "" {
		return issuance{}, refusal
	}
	issued, found = l.ledger.spend(l.ledger.devices, code)
	if !found {
		return issuance{}, "invalid_grant"
	}
	return issued, ""
}

// VerificationURI is where the person types the code.
func (l *Lab) VerificationURI(party Party) string { return l.Origin(party) + "/doors/code" }

// DeviceRequests are the requests to the device authorization endpoint of a party, and Questions
// those for the token of a device code.
func (l *Lab) DeviceRequests(party Party) []Request { return l.at(party, l.endpoints().device) }

func (l *Lab) Questions(party Party) []Request {
	return l.Find(func(r *Request) bool { return r.Party == party && r.Form.Get("grant_type") == grantDevice })
}

// Codes are the device codes that were issued.
func (l *Lab) Codes() []string {
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	var all []string
	for text := range l.ledger.devices {
		all = append(all, text)
	}
	return all
}
