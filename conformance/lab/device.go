package lab

import (
	"crypto/rand"
	"net/http"
	"strings"
)

const grantDevice = "urn:ietf:params:oauth:grant-type:device_code"

// UserCode is what the person types on the other device, and DeviceInterval how many seconds there are between two questions for the token.
const (
	UserCode       = "WDJB-MJHT"
	DeviceInterval = 1
)

// serveDevice issues a device code (RFC 8628 section 3.2).
func (l *Lab) serveDevice(party Party, w http.ResponseWriter, r *Request) {
	one := &issuance{
		Text: "device-" + rand.Text(), Party: party, Lab: l, ClientID: r.Form.Get("client_id"), Resource: r.Form.Get("resource"), Scopes: strings.Fields(r.Form.Get("scope")),
	}
	l.book.mu.Lock()
	l.book.devices[one.Text] = one
	l.book.mu.Unlock()
	answer := map[string]any{
		"device_code": one.Text, "user_code": UserCode, "verification_uri": l.VerificationURI(party), "expires_in": 900, "interval": DeviceInterval,
	}
	if l.script.DeviceAnswer != nil {
		l.script.DeviceAnswer(l, answer)
	}
	write(w, http.StatusOK, answer)
}

// question answers a question for the token of a device code: with what it is issued for, or with the code of an error.
func (l *Lab) question(code string) (issued issuance, refusal string) {
	l.book.mu.Lock()
	_, found := l.book.devices[code]
	l.book.mu.Unlock()
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
	issued, found = l.book.spend(l.book.devices, code)
	if !found {
		return issuance{}, "invalid_grant"
	}
	return issued, ""
}

// VerificationURI is where the person types the code.
func (l *Lab) VerificationURI(party Party) string { return l.Origin(party) + "/doors/code" }

// DeviceRequests are the requests to the device authorization endpoint of a party, and Questions those for the token of a device code.
func (l *Lab) DeviceRequests(party Party) []Request { return l.at(party, l.endpoints().device) }
func (l *Lab) Questions(party Party) []Request {
	return l.Find(func(r *Request) bool { return r.Party == party && r.Form.Get("grant_type") == grantDevice })
}

// Codes are the device codes that were issued.
func (l *Lab) Codes() []string {
	l.book.mu.Lock()
	defer l.book.mu.Unlock()
	var all []string
	for text := range l.book.devices {
		all = append(all, text)
	}
	return all
}
