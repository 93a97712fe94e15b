package broker

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"mcpentra/server/store"
)

// deviceAuthorizationPath is the endpoint where programs ask for device codes.
const deviceAuthorizationPath = "/device_authorization"

// deviceGrant is the grant type of a device (RFC 8628 section 3.4).
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// A deviceAuthorization is the request of a program without a browser, which a person approves in a
// browser elsewhere (RFC 8628). The store keeps it under the hash of its device code, and longer
// than it counts, so that the program learns why it got no tokens.
type deviceAuthorization struct {
	ClientID   string    `json:"client_id"`
	ClientName string    `json:"client_name"`
	Scopes     []string  `json:"scopes"`
	Address    string    `json:"address"`          // of the program
	Network    string    `json:"network"`          // of Address
	Named      bool      `json:"named,omitempty"`  // by the operator, who knows the client
	Proven     bool      `json:"proven,omitempty"` // the client is Named and has authenticated
	Begun      time.Time `json:"begun"`
	Until      time.Time `json:"until"`

	// Polled is the time of the last poll, and Interval the time that the next poll has to wait.
	Polled   time.Time     `json:"polled,omitzero"`
	Interval time.Duration `json:"interval"`

	// Answer is the person's answer, or empty. The first answer counts. Approval is the hash of a
	// secret that belongs to the approving sign-in, so that its second click gets the same page.
	Answer   string  `json:"answer,omitempty"`
	Approval string  `json:"approval,omitempty"`
	SignIn   *signIn `json:"sign_in,omitempty"`
	GrantID  string  `json:"grant_id,omitempty"`
}

// A userCodeRecord leads from a user code to its device authorization.
type userCodeRecord struct {
	Device string `json:"device"` // the key
}

// deviceResponse is the answer of the device authorization endpoint (RFC 8628 section 3.2). It has
// no verification_uri_complete. A link with the code would let a stranger's message do what the
// person has to do: type the code of a program that they have started.
type deviceResponse struct {
	DeviceCode      string `json:"device_code"`
	UserCode        string `json:"user_code"`
	VerificationURI string `json:"verification_uri"`
	ExpiresIn       int    `json:"expires_in"`
	Interval        int    `json:"interval"`
}

// handleDeviceAuthorization is the device authorization endpoint (RFC 8628 section 3.1).
func (b *Broker) handleDeviceAuthorization(w http.ResponseWriter, r *http.Request) {
	form, problem := readForm(w, r)
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	found, problem := b.authenticate(r, form, false)
	if problem != nil {
		b.refuse(w, r, problem)
		return
	}
	scopes, problem := b.judgeDeviceRequest(found, form)
	if problem != nil {
		b.refuse(w, r, problem.saw("client", found.ID))
		return
	}
	from := devices
	if fromOtherSite(r) {
		from = pageDevices
	}
	by := &spender{clientID: found.ID, isProven: found.AuthMethod != authNone}
	if problem := b.spend(from, by, r); problem != nil {
		b.refuse(w, r, problem.saw("origin", r.Header.Get("Origin")))
		return
	}
	answer, err := b.newDevice(r, found, scopes)
	if err != nil {
		b.refuse(w, r, b.storeProblem(r.Context(), err))
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// judgeDeviceRequest returns the scopes that a device asks for.
func (b *Broker) judgeDeviceRequest(found *client, form url.Values) ([]string, *protocolError) {
	if !found.mayUse(deviceGrant) {
		return nil, badRequest("unauthorized_client", "the client did not register the grant type "+deviceGrant)
	}
	if found.origin == fromStore && b.config.Clients.Registration.Redirects != nil {
		return nil, badRequest("unauthorized_client", noDevices).allowedBy(settingRegistrationRedirects)
	}
	asked, problem := b.selectResource(form["resource"])
	if problem != nil {
		return nil, problem
	}
	return b.askedScopes(asked, form.Get("scope"), asked.defaultScopes())
}

// newDevice stores a device authorization and its user code.
func (b *Broker) newDevice(r *http.Request, found *client, scopes []string) (*deviceResponse, error) {
	secret, err := b.secret()
	if err != nil {
		return nil, err
	}
	now := b.now()
	made := deviceAuthorization{
		ClientID:   found.ID,
		ClientName: found.Name,
		Scopes:     scopes,
		Address:    b.address(r).String(),
		Network:    b.network(r),
		Named:      found.origin == fromFile,
		Proven:     found.origin == fromFile && found.AuthMethod != authNone,
		Begun:      now,
		Until:      now.Add(deviceLifetime),
		Interval:   pollInterval,
	}
	source := b.networkSource(r)
	err = b.records.create(r.Context(), kindDevice, hashed(secret), source, made, now.Add(deviceRecordLifetime))
	if err != nil {
		return nil, err
	}
	code, err := b.createUserCode(r, hashed(secret), made.Until)
	return &deviceResponse{
		DeviceCode:      secret,
		UserCode:        shownUserCode(code),
		VerificationURI: b.config.Issuer + devicePath,
		ExpiresIn:       int(deviceLifetime.Seconds()),
		Interval:        int(pollInterval.Seconds()),
	}, err
}

// createUserCode stores a user code that leads to a device authorization. A code that is in use
// already is replaced by another one.
func (b *Broker) createUserCode(r *http.Request, device string, until time.Time) (string, error) {
	for {
		code, err := b.newUserCode()
		if err != nil {
			return "", err
		}
		source := b.networkSource(r)
		err = b.records.create(r.Context(), kindUserCode, hashed(code), source, userCodeRecord{device}, until)
		if !errors.Is(err, store.ErrConflict) {
			return code, err
		}
	}
}

// findUserCode returns the device authorization that waits for a user code, and its key. It returns
// store.ErrNotFound if there is none.
func (b *Broker) findUserCode(ctx context.Context, code string) (*deviceAuthorization, string, error) {
	var link userCodeRecord
	if _, err := b.records.get(ctx, kindUserCode, hashed(code), &link); err != nil {
		return nil, "", err
	}
	var found deviceAuthorization
	_, err := b.records.get(ctx, kindDevice, link.Device, &found)
	if err == nil && !found.waits(b.now()) {
		err = store.ErrNotFound
	}
	return &found, link.Device, err
}

// waits reports whether a person can still answer.
func (d *deviceAuthorization) waits(now time.Time) bool { return d.Answer == "" && now.Before(d.Until) }

// Errors of changes to a device authorization.
var (
	errDeviceOver = errors.New("broker: the device code has another answer already, or has expired")
	errRepeated   = errors.New("broker: the device code has this answer already")
)

// changeDevice changes a device authorization. If another request changes it meanwhile, it tries
// again. It stores nothing if change returns an error. It returns that error, or the store's.
func (b *Broker) changeDevice(
	ctx context.Context,
	key string,
	change func(*store.Record, *deviceAuthorization) error,
) error {
	for {
		var d deviceAuthorization
		record, err := b.records.get(ctx, kindDevice, key, &d)
		if err != nil {
			return err
		}
		if err := change(&record, &d); err != nil {
			return err
		}
		if err := b.records.put(ctx, record, d); !errors.Is(err, store.ErrConflict) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
