package acceptance_test

import (
	"net/http"
	"net/url"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// askForDevice asks for a device code.
func (h *history) askForDevice(t *rapid.T) {
	by := h.credential(t, h.programs[len(h.programs)-1])
	scope := draw(t, "scope", scopeSets)
	form := url.Values{"scope": {scope}}
	got := h.read(h.post(h.replica(t), "/device_authorization", form, by.apply(form)...))
	statuses := h.refused(by)
	switch {
	case statuses != nil:
		require.Contains(t, statuses, got.status)
		return
	case !by.program.devices:
		require.Equal(t, "unauthorized_client", got.Error)
		return
	}
	require.Equal(t, http.StatusOK, got.status, got.Error)
	h.devices = append(h.devices, &modelDevice{
		told:     got,
		program:  by.program,
		scopes:   fields(scope),
		issued:   h.now(),
		interval: pollInterval,
	})
}

// drawDevice chooses a device code, in most cases the newest. It returns nil without one.
func (h *history) drawDevice(t *rapid.T) *modelDevice {
	switch {
	case len(h.devices) == 0:
		return nil
	case oneIn(t, 3, "older device"):
		return draw(t, "device", h.devices)
	}
	return h.devices[len(h.devices)-1]
}

// typeCode types a user code into the page for it, and in most cases approves and signs in.
func (h *history) typeCode(t *rapid.T) {
	d := h.drawDevice(t)
	if d == nil {
		return
	}
	b := h.drawBrowser(t)
	page := b.submit(h.replica(t), "/device", url.Values{"user_code": {d.told.UserCode}})
	if !d.waits(h.now()) {
		require.Contains(t, []int{http.StatusBadRequest, http.StatusTooManyRequests}, page.status)
		return
	}
	require.True(t, isConsent(page), page.body)
	flow := &modelFlow{browser: b, program: d.program, device: d, scopes: d.scopes}
	h.flows = append(h.flows, flow)
	h.sawPage(t, flow, page)
	if oneIn(t, 3, "later") {
		return
	}
	h.answer(t, flow, "approve")
	h.callback(t, flow, h.person(t))
}

// approvedDevice records that the person of a flow has approved its device.
func (h *history) approvedDevice(t *rapid.T, flow *modelFlow, got answer) {
	flow.over = true
	d := flow.device
	require.NotContains(t, got.body, "code=")
	if !d.waits(h.now()) {
		require.Equal(t, http.StatusBadRequest, got.status, got.body)
		return
	}
	require.Equal(t, http.StatusOK, got.status, got.body)
	d.answer = "approve"
	d.person = flow.person
	d.upstream = flow.upstream
	d.program.use(h.now())
}

// poll redeems a device code.
func (h *history) poll(t *rapid.T) {
	d := h.drawDevice(t)
	if d == nil {
		return
	}
	by := h.credential(t, d.program)
	form := url.Values{"grant_type": {deviceGrant}, "device_code": {d.told.DeviceCode}}
	replica := h.replica(t)
	got := h.token(replica, form, by.apply(form)...)
	if statuses := h.refused(by); statuses != nil {
		require.Contains(t, statuses, got.status)
		return
	}
	want := h.predictPoll(d, by, replica)
	require.Equal(t, want, got.Error)
	if want != "" {
		require.Empty(t, got.Access)
		return
	}
	d.grant = h.newGrant(t, d.program, d.person, d.upstream, got)
	require.Equal(t, d.scopes, d.grant.scopes)
}

// predictPoll returns the error of a poll, and changes the model like a poll that fails.
func (h *history) predictPoll(d *modelDevice, by credential, replica int) string {
	now := h.now()
	switch {
	case !by.program.devices:
		return "unauthorized_client"
	case by.program != d.program, d.deleted, !now.Before(d.issued.Add(deviceMemory)):
		return "invalid_grant"
	case d.grant != nil:
		h.steal(d.grant, replica)
		return "invalid_grant"
	case !now.Before(d.issued.Add(deviceLifetime)):
		return "expired_token"
	case d.answer == "deny":
		return "access_denied"
	case d.answer == "":
		return d.poll(now)
	}
	return ""
}
