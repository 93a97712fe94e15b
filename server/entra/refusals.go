package entra

import (
	"slices"
	"time"
)

// These lists sort Entra's error numbers ("Microsoft Entra authentication and authorization error
// codes"). Entra has one OAuth code, invalid_grant, for all of them.
var (
	// signInOver: the sign-in or the person's access has ended. A code or refresh token of it never
	// counts again.
	signInOver = []int{
		50034, 51004, // the account is gone
		50057,          // the account is disabled
		50105,          // the person is not assigned to the application any more
		50173,          // the sessions were revoked, or the password was changed
		70000,          // the grant is invalid
		70008,          // the code or refresh token has expired
		700003,         // the person's device is gone
		700005, 700007, // the grant belongs to another tenant or client
		700081, 700082, 700084, // the refresh token is too old, or was not used for too long
		9002313, // the code or refresh token is malformed
	}
	// personNeeded: Entra wants something from the person first. A sign-in on Entra's page meets
	// the demand.
	personNeeded = []int{
		16000,        // several accounts are signed in
		50055,        // the password has expired
		50058,        // no person is signed in
		50072, 50079, // the person has to set up a second factor
		50074, 50076, // a second factor is missing
		50097, 50131, 53000, 53001, 53002, 53003, 53004, // Conditional Access
		50158,        // another service has to confirm the sign-in
		65001,        // consent is missing
		70043, 70044, // the sign-in is too old for the policy of the tenant
	}
	// throttled: too many requests, or a fault of Entra. The same request succeeds later.
	throttled = []int{
		50196,                      // the same request in a loop
		90006, 90012, 90024, 90033, // faults that pass
		90055, // too many requests of the tenant
		70012, // a fault of the service for personal accounts
	}
)

// GrantOver reports whether Entra says that the sign-in has ended for good, or that the person has
// to meet a demand in a new one. A refusal with an unknown number ends nothing: the person may have
// to sign in again, but it may also pass.
func (e *Error) GrantOver() bool { return slices.Contains(signInOver, e.AADSTS) || e.NeedsPerson() }

// NeedsPerson reports whether a sign-in on Entra's page meets what Entra demands: a second factor,
// a policy of the tenant, a newer sign-in, or consent.
func (e *Error) NeedsPerson() bool {
	switch e.Code {
	case "interaction_required", "login_required", "consent_required":
		return true
	}
	return slices.Contains(personNeeded, e.AADSTS)
}

// NeedsLogin reports whether the person has to sign in anew, although Entra's session lasts.
func (e *Error) NeedsLogin() bool { return e.AADSTS == 70043 || e.AADSTS == 70044 }

// throttlePause is the pause after a throttle that names no time, as Microsoft's libraries keep it.
const throttlePause = time.Minute

func isThrottle(aadsts int) bool { return slices.Contains(throttled, aadsts) }
