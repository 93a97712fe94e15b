package broken

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"time"
)

// deviceGrant is the grant type of a device (RFC 8628 section 3.4).
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// A device waits for a person to approve it in a browser.
type device struct {
	client   *client
	scopes   []string
	userCode string
	approved bool
	denied   bool
	used     bool
	ended    bool
	begun    time.Time
	polled   time.Time
	interval time.Duration // between polls
}

const (
	deviceLifetime = 10 * time.Minute
	pollInterval   = 5 * time.Second
	slowDown       = 5 * time.Second // that slow_down adds to the interval
)

// serveDevice is the device authorization endpoint (RFC 8628 section 3.1).
func (s *Issuer) serveDevice(w http.ResponseWriter, r *http.Request) {
	form, problem := s.readForm(w, r)
	var found *client
	if problem == nil {
		found, problem = s.authenticate(w, r, form)
	}
	if problem != nil {
		s.writeRefusal(w, problem)
		return
	}
	made := &device{
		client:   found,
		scopes:   s.granted(form.Get("scope")),
		userCode: rand.Text()[:8],
		begun:    s.now(),
		interval: pollInterval,
	}
	code := secret()
	s.devices[code] = made
	address := s.URL + "/device-code"
	answer := map[string]any{
		"device_code":               code,
		"user_code":                 made.userCode,
		"verification_uri":          address,
		"verification_uri_complete": address + "?user_code=" + made.userCode,
		"expires_in":                int(deviceLifetime.Seconds()),
		"interval":                  int(pollInterval.Seconds()),
	}
	if s.has(WantsTypedUserCodes) {
		delete(answer, "verification_uri_complete")
	}
	if s.has(OmitsUserCode) {
		delete(answer, "user_code")
	}
	s.write(w, http.StatusOK, answer)
}

// serveUserCode asks a person about a device.
func (s *Issuer) serveUserCode(w http.ResponseWriter, r *http.Request) {
	typed := r.PostFormValue("user_code")
	isLink := r.Method == http.MethodGet && !s.has(WantsTypedUserCodes)
	if isLink {
		typed = r.URL.Query().Get("user_code")
	}
	if typed == "" {
		s.show(w, http.StatusOK, `<h1>Enter the code</h1><form method="post" action="/issuer/device-code">`+
			`<input name="user_code"><button>Continue</button></form>`)
		return
	}
	var found *device
	for _, candidate := range s.devices {
		if candidate.userCode == typed {
			found = candidate
		}
	}
	if found == nil {
		s.showProblem(w, "The code is unknown.", "")
		return
	}
	id := secret()
	s.transactions[id] = &transaction{client: found.client, scopes: found.scopes, device: found}
	if s.user(r) == "" {
		s.showSignIn(w, id)
		return
	}
	if s.has(ApprovesDevicesByLink) {
		found.approved = true
	}
	http.Redirect(w, r, s.URL+"/consent?transaction="+url.QueryEscape(id), http.StatusSeeOther)
}

// redeemDevice exchanges a device code for tokens (RFC 8628 section 3.5).
func (s *Issuer) redeemDevice(found *client, form url.Values) (map[string]any, *refusal) {
	known := s.devices[form.Get("device_code")]
	switch {
	case known == nil, known.client != found && !s.has(RedeemsDevicesForAnyClient):
		return nil, badRequest("invalid_grant")
	case known.used && !s.has(RedeemsDevicesTwice):
		return nil, badRequest("invalid_grant")
	case known.ended:
		return nil, badRequest("invalid_grant")
	case s.now().After(known.begun.Add(deviceLifetime)) && !s.has(NeverExpiresDevices):
		return nil, badRequest("expired_token")
	case known.denied:
		return nil, badRequest("access_denied")
	case !known.approved && !s.has(IssuesBeforeApproval):
		return nil, badRequest(s.pending(known))
	}
	known.used = true
	made := &grant{client: found, scopes: known.scopes, resource: resource}
	return s.respond(made, made.scopes, made.resource), nil
}

// pending returns the error for a device that waits. A device that polls too fast has to slow down.
func (s *Issuer) pending(known *device) string {
	isHasty := s.now().Before(known.polled.Add(known.interval))
	known.polled = s.now()
	if !isHasty || s.has(NeverSlowsDown) {
		return "authorization_pending"
	}
	known.interval += slowDown
	known.ended = s.has(EndsHastyDevices)
	return "slow_down"
}
