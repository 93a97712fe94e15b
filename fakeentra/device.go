package fakeentra

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/internal/pages"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/state"
)

const (
	deviceLifetime = 15 * time.Minute
	deviceInterval = 5 * time.Second
)

// handleDeviceCode is the device authorization endpoint (RFC 8628 section 3.1).
func (f *Fake) handleDeviceCode(v rules.Version) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
		case http.MethodGet: // older libraries send the parameters in the address
			if problem := addressAsForm(r); problem != nil {
				f.writeError(w, r, problem)
				return
			}
		default:
			f.writeError(w, r, aadsts.WrongMethod(r.Method))
			return
		}
		request, problem := f.readTokenRequest(r, v, "client_id")
		if problem == nil && request.params.Get("scope") == "" && v == rules.V2 {
			problem = aadsts.MissingParameter("scope")
		}
		if problem == nil && request.tenant != nil {
			_, problem = f.scopeOf(request, request.client, request.params.Get("scope"))
		}
		if problem != nil {
			f.writeError(w, r, problem)
			return
		}
		device := &state.DeviceCode{
			Path:     request.tenantPath,
			Client:   request.client,
			Scope:    request.params.Get("scope"),
			UserCode: newUserCode(f.random.bytes(9)),
			Issued:   f.clock.now(),
			Version:  v,
		}
		if v == rules.V1 {
			device.Scope = "openid " + request.params.Get("resource") + "/.default"
		}
		secret := "EAQABAAEAAAD" + base64.RawURLEncoding.EncodeToString(f.random.bytes(180))
		f.state.AddDevice(secret, device)
		page := f.cloud.devicePageAt(f.authority)
		answer := deviceAnswer{
			UserCode: device.UserCode,
			Device:   secret,
			Page:     page,
			Expires:  numberOf(seconds(deviceLifetime), v),
			Interval: numberOf(seconds(deviceInterval), v),
			Message: "To sign in, use a web browser to open the page " + page +
				" and enter the code " + device.UserCode + " to authenticate.",
		}
		if v == rules.V1 {
			answer.Page = ""
			answer.V1Page = page // M: the library of that time reads this member
		}
		pages.NoStore(w)
		writeJSON(w, http.StatusOK, answer)
	}
}

// A deviceAnswer has its members in the order of the wire. Entra ID sends no
// verification_uri_complete.
type deviceAnswer struct {
	UserCode string `json:"user_code"`
	Device   string `json:"device_code"`
	Page     string `json:"verification_uri,omitempty"`
	V1Page   string `json:"verification_url,omitempty"` // the name at v1
	Expires  number `json:"expires_in"`
	Interval number `json:"interval"`
	Message  string `json:"message"`
}

// devicePageAt returns the address where a person enters the code of a device. Microsoft has a
// short address for it. A fake with its own name serves the page itself.
func (p *profile) devicePageAt(authority string) string {
	if authority == p.authority {
		return p.devicePage
	}
	return authority + "/device"
}

// newUserCode makes a user code, one character for each random byte. It uses no letters and digits
// that look alike.
func newUserCode(random []byte) string {
	const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	for i, b := range random {
		random[i] = alphabet[int(b)%len(alphabet)]
	}
	return string(random)
}

// handleDevicePage serves the page where a person enters the code of a device.
func (f *Fake) handleDevicePage(w http.ResponseWriter, r *http.Request) *pageError {
	params, problem := parameters(r)
	if problem != nil {
		return asPage(problem)
	}
	code := strings.ToUpper(strings.TrimSpace(params.Get("user_code")))
	if code == "" {
		pages.Show(w, "device.html", pages.Page{Title: "Enter code"})
		return nil
	}
	device, found := f.state.DeviceOfUser(code)
	if !found || f.clock.now().Sub(device.Issued) > deviceLifetime {
		pages.Show(w, "device.html", pages.Page{Title: "Enter code", Problem: aadsts.DeviceCodeUnknown().Error()})
		return nil
	}
	return f.begin(w, r, &authorization{
		kind:       byDevice,
		version:    device.Version,
		tenantPath: device.Path,
		tenant:     device.Path.Tenant,
		params:     url.Values{"user_code": {code}, "prompt": {"select_account"}},
	})
}

// readDevice finds the request of a device by the user code, and fills in its client and scopes.
func (f *Fake) readDevice(request *authorization) *aadsts.Error {
	device, found := f.state.DeviceOfUser(request.params.Get("user_code"))
	if !found || f.clock.now().Sub(device.Issued) > deviceLifetime {
		return aadsts.DeviceCodeUnknown()
	}
	if declined, granted := f.state.DeviceAnswer(device); declined || granted != nil {
		return aadsts.DeviceCodeUnknown()
	}
	if device.Path.Tenant == nil && !device.Client.MultiTenant {
		return aadsts.SingleTenant(device.Client.ID, device.Client.DisplayName)
	}
	asked, problem := f.rules.Resolve(request.tenant, device.Client, device.Scope, true)
	if problem != nil {
		return problem
	}
	request.device = device
	request.client = device.Client
	request.asked = asked
	request.platform = rules.PublicClient
	return nil
}

func (f *Fake) approveDevice(w http.ResponseWriter, request *authorization, person *state.SignedIn) {
	d := f.delegate(request, person)
	f.state.ApproveDevice(request.device, d)
	title := "You have signed in to " + request.client.DisplayName + " on your device"
	pages.Show(w, "message.html", pages.Page{Title: title})
}

func declineDevice(w http.ResponseWriter, memory *state.State, request *authorization) {
	memory.DeclineDevice(request.device)
	pages.Show(w, "message.html", pages.Page{Title: "You have declined the request of your device"})
}

// redeemDeviceCode answers the polls of a device (RFC 8628 section 3.4).
func (f *Fake) redeemDeviceCode(request *tokenRequest) (*tokenResponse, *aadsts.Error) {
	secret := request.params.Get("device_code")
	if secret == "" {
		secret = request.params.Get("code") // the name at v1
	}
	if secret == "" {
		return nil, aadsts.MissingParameter("device_code")
	}
	if problem := f.authenticateByApp(request); problem != nil {
		return nil, problem
	}
	device, found := f.state.Device(secret)
	if !found || device.Client != request.client {
		return nil, aadsts.DeviceCodeUnknown()
	}
	if request.tenantPath.Tenant == nil && !device.Client.MultiTenant {
		return nil, aadsts.NoTenant()
	}
	if f.clock.now().Sub(device.Issued) > deviceLifetime {
		return nil, aadsts.DeviceCodeExpired()
	}
	declined, granted := f.state.DeviceAnswer(device)
	switch {
	case declined:
		return nil, aadsts.DeviceDeclined()
	case granted == nil:
		return nil, aadsts.Pending()
	}
	if !f.state.RemoveDevice(secret, device) {
		return nil, aadsts.DeviceCodeUnknown() // another redemption was faster
	}
	d := *granted
	if f.state.Revoked(&d) {
		return nil, grantRevoked(f.state, d.User.ID, d.Began)
	}
	d.Strength = request.strength()
	d.WantsInfo = request.wantsInfo()
	request.declareCapabilities(&d)
	return f.issue(d, request.version)
}
