package lab

import "net/http"

const grantDevice = "urn:ietf:params:oauth:grant-type:device_code"

const (
	// UserCode is the code that the person types on the other device.
	UserCode = "WDJB-MJHT"
	// DeviceInterval is the interval between two polls for the token, in seconds.
	DeviceInterval = 1
)

// serveDevice is the device authorization endpoint (RFC 8628 section 3.2).
func (l *Lab) serveDevice(party Party, w http.ResponseWriter, r *Request) {
	requested := l.requested(r)
	requested.Party = party
	code := l.ledger.issueDeviceCode(requested)
	answer := map[string]any{
		"device_code":      code,
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

// poll answers a poll for the token of a device code. It returns the request that the code was
// issued for, or an error code.
func (l *Lab) poll(code string) (issued issuance, refusal string) {
	if !l.ledger.hasDeviceCode(code) {
		return issuance{}, "invalid_grant"
	}
	l.mu.Lock()
	l.polls++
	n := l.polls
	l.mu.Unlock()
	if refusal := l.script.Device(n); refusal != "" {
		return issuance{}, refusal
	}
	issued, valid := l.ledger.redeem(l.ledger.deviceCodes, code)
	if !valid {
		return issuance{}, "invalid_grant"
	}
	return issued, ""
}

// VerificationURI returns the page where the person types the code.
func (l *Lab) VerificationURI(party Party) string { return l.Origin(party) + "/doors/code" }

// DeviceRequests returns the requests to the device authorization endpoint of a party.
func (l *Lab) DeviceRequests(party Party) []Request { return l.at(party, l.endpoints().device) }

// Polls returns the token requests of a party that poll for the token of a device code.
func (l *Lab) Polls(party Party) []Request {
	return l.Find(func(r *Request) bool {
		return r.Party == party && r.Form.Get("grant_type") == grantDevice
	})
}
