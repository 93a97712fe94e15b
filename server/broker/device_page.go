package broker

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mcpentra/server/store"
)

// devicePath is the page where a person types a user code (RFC 8628 section 3.3).
const devicePath = "/device"

// A deviceRequest is the part of a device authorization that its transaction shows to a person.
type deviceRequest struct {
	Key     string    `json:"key"` // of the device authorization
	Address string    `json:"address"`
	Network string    `json:"network"`
	Begun   time.Time `json:"begun"`
	Named   bool      `json:"named,omitempty"` // by the operator
}

// handleDevicePage shows the page for a user code. It reads no code from the address.
func (b *Broker) handleDevicePage(w http.ResponseWriter, _ *http.Request) {
	b.showDevicePage(w, http.StatusOK, "")
}

// showDevicePage asks for a user code. The alert says what was wrong with the last one.
func (b *Broker) showDevicePage(w http.ResponseWriter, status int, alert string) {
	b.show(w, status, devicePage, page{
		Title:   "Enter a code",
		Server:  b.config.ResourceName,
		Message: alert,
	})
}

// handleUserCode receives a user code, and asks the person for consent to the program that shows
// it. A stranger's page cannot send a code.
func (b *Broker) handleUserCode(w http.ResponseWriter, r *http.Request) {
	if !b.sentByOwnPage(r) {
		problem := &protocolError{
			status:      http.StatusForbidden,
			code:        "page",
			description: "This code was not typed on this server's own page, so it does not count.",
		}
		b.showRefusal(w, r, problem.saw("origin", strings.Join(r.Header.Values("Origin"), ", ")).
			saw("site", r.Header.Get("Sec-Fetch-Site")).allowedBy(settingPublic))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		b.showProblem(w, r, http.StatusBadRequest, "The form could not be read.")
		return
	}
	code, isCode := readUserCode(r.PostForm.Get("user_code"))
	if !isCode {
		b.showDevicePage(w, http.StatusBadRequest, "This is not a code of this server. A code has "+
			"twelve letters, such as BCDF-GHJK-LMNP.")
		return
	}
	found, key, err := b.findUserCode(r.Context(), code)
	switch {
	case errors.Is(err, store.ErrNotFound):
		b.refuseUserCode(w, r)
	case err != nil:
		b.storeFailed(w, r, err)
	case b.spendSignIn(w, r, found.ClientID):
		b.askConsent(w, r, newDeviceTransaction(found, key))
	}
}

// newDeviceTransaction returns the transaction in which a person answers a device authorization. It
// has no redirect URI, and no earlier consent counts.
func newDeviceTransaction(found *deviceAuthorization, key string) *transaction {
	return &transaction{
		ClientID:   found.ClientID,
		ClientName: found.ClientName,
		Scopes:     found.Scopes,

		Preregistered: found.Proven,
		Device: &deviceRequest{
			Key:     key,
			Address: found.Address,
			Network: found.Network,
			Begun:   found.Begun,
			Named:   found.Named,
		},
	}
}

// refuseUserCode answers a code that leads nowhere. Only these count, so they never keep a right
// code out.
func (b *Broker) refuseUserCode(w http.ResponseWriter, r *http.Request) {
	problem := &protocolError{
		status: http.StatusBadRequest,
		code:   "page",
		description: "This code is unknown, was used already, or has expired. Compare it with the one that the " +
			"program shows, or start the program again for a new code.",
	}
	if tooOften := b.guessed("a user code", r); tooOften {
		w.Header().Set("Retry-After", "30")
		problem = tooMany("Too many wrong codes came from this network. Wait a minute, and check the code.").
			allowedBy(settingGuesses)
	}
	b.logRefusal(r, problem.because("the user code leads to no device"))
	b.showDevicePage(w, problem.status, problem.description)
}

// showDeviceConsent renders the consent page of a device: the client, the scopes, and where the
// request came from.
func (b *Broker) showDeviceConsent(w http.ResponseWriter, r *http.Request, tx *transaction, secret, csrf string) {
	content := page{
		Title:       "Approve access",
		Server:      b.config.ResourceName,
		Client:      tx.ClientName,
		ClientID:    tx.ClientID,
		DescribedBy: documentHost(tx.ClientID),
		Transaction: secret,
		CSRF:        csrf,
		Resource:    b.shownResource(tx.Scopes),
		Scopes:      b.descriptions(tx.Scopes),
		Device: &shownDevice{
			Address:  tx.Device.Address,
			IsNearby: tx.Device.Network == b.network(r),
			Begun:    tx.Device.Begun.UTC().Format("15:04 UTC"),
			Ago:      ago(b.now().Sub(tx.Device.Begun)),
		},

		Preregistered:   tx.Preregistered,
		NamedByOperator: tx.Device.Named,
	}
	if !tx.Preregistered {
		content.Warnings = b.deviceWarnings(tx)
	}
	b.show(w, http.StatusOK, deviceConsentPage, content)
}

// ago says how long ago something was.
func ago(passed time.Duration) string {
	switch minutes := int(passed.Minutes()); minutes {
	case 0:
		return "less than a minute ago"
	case 1:
		return "one minute ago"
	default:
		return strconv.Itoa(minutes) + " minutes ago"
	}
}

// approveDevice records that a person has approved a device and signed in, and shows the last page.
func (b *Broker) approveDevice(w http.ResponseWriter, r *http.Request, tx *transaction, person *signIn, secret string) {
	approval := hashed(secret)
	err := b.changeDevice(r.Context(), tx.Device.Key, func(record *store.Record, d *deviceAuthorization) error {
		if d.Approval == approval {
			return errRepeated
		}
		if !d.waits(b.now()) {
			return errDeviceOver
		}
		d.Answer = approved
		d.Approval = approval
		d.SignIn = person
		record.Source = b.personSource(person.Principal)
		return nil
	})
	isRepeated := errors.Is(err, errRepeated)
	switch {
	case errors.Is(err, errDeviceOver), errors.Is(err, store.ErrNotFound):
		b.showProblem(w, r, http.StatusBadRequest, deviceOver, sight{"client", tx.ClientID})
		return
	case isRepeated:
		err = nil
	case err == nil:
		err = b.keepClient(r.Context(), tx.ClientID)
	}
	err = errors.Join(err, b.beginSession(w, person.Principal))
	if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	if !isRepeated {
		b.logSignIn(r.Context(), tx, person)
	}
	b.show(w, http.StatusOK, problemPage, page{
		Title:  "The program has access",
		Server: b.config.ResourceName,
		Message: "“" + isolated(tx.displayName()) + "” can now act as " + isolated(person.Username) + ". " +
			"It goes on by itself.",
	})
}

const deviceOver = "This code was answered already or has expired, so nothing was approved. " +
	"Start the program again for a new code."

// endDevice shows a person why a device gets no access. An answer that another code cannot change
// ends the device authorization. After any other problem the person can type the code again.
func (b *Broker) endDevice(w http.ResponseWriter, r *http.Request, tx *transaction, problem *protocolError) {
	content := page{
		Title:   "This did not work",
		Server:  b.config.ResourceName,
		Message: "The request of “" + isolated(tx.displayName()) + "” failed: " + problem.description + ".",
	}
	status := problem.status
	if problem.code == "access_denied" {
		err := b.denyDevice(r.Context(), tx.Device.Key)
		switch {
		case errors.Is(err, errDeviceOver):
			b.showProblem(w, r, http.StatusBadRequest, deviceApproved, sight{"client", tx.ClientID})
			return
		case err != nil:
			b.storeFailed(w, r, err)
			return
		}
	}
	if r.Method == http.MethodPost && problem.code == "access_denied" {
		content.Title = "You declined"
		content.Message = "“" + isolated(tx.displayName()) + "” gets no access."
		status = http.StatusOK
	}
	b.show(w, status, problemPage, content)
}

const deviceApproved = "This code was approved already, in another window or by another person. " +
	"Your answer comes too late."

// denyDevice records that a person has declined. It returns errDeviceOver if the device was
// approved before.
func (b *Broker) denyDevice(ctx context.Context, key string) error {
	err := b.changeDevice(ctx, key, func(_ *store.Record, d *deviceAuthorization) error {
		switch {
		case d.Answer == approved:
			return errDeviceOver
		case !d.waits(b.now()):
			return errRepeated
		}
		d.Answer = denied
		return nil
	})
	if errors.Is(err, errRepeated) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
