package broker

import "time"

// Lifetimes. Access tokens are short-lived, because the broker verifies them without asking Entra.
// Each use of a grant extends it.
const (
	accessTokenLifetime = 10 * time.Minute
	codeLifetime        = time.Minute
	// codeRecordLifetime is longer than codeLifetime, so that the broker notices a second
	// redemption.
	codeRecordLifetime = 10 * codeLifetime
	// deviceLifetime is how long a person can answer a device code, and how long it counts.
	deviceLifetime = 10 * time.Minute
	// deviceRecordLifetime is longer, so that a late program learns that its code has expired.
	deviceRecordLifetime = 3 * deviceLifetime
	// pollInterval is the first interval between two polls of a device. Each poll that comes too
	// early adds slowDown (RFC 8628 section 3.5).
	pollInterval        = 5 * time.Second
	slowDown            = 5 * time.Second
	transactionLifetime = 15 * time.Minute
	grantLifetime       = 30 * 24 * time.Hour
	// grantExtension is the least time by which a use extends a grant. A smaller change is not
	// worth the work that a new expiry means for the store.
	grantExtension  = time.Hour
	sessionLifetime = 8 * time.Hour
	consentLifetime = 180 * 24 * time.Hour

	unusedClientLifetime = 24 * time.Hour
	usedClientLifetime   = 180 * 24 * time.Hour

	// upstreamMargin is the time before the expiry of Entra's token at which the broker renews it.
	upstreamMargin = 5 * time.Minute
	// demandLifetime is how long a demand of Entra waits for the next sign-in of a person.
	demandLifetime = 7 * 24 * time.Hour
	// leaseLifetime bounds the work of a replica that renews Entra's token for all. The others look
	// for the result after leasePoll, and then less often.
	leaseLifetime = 30 * time.Second
	leasePoll     = 20 * time.Millisecond
	maxLeasePoll  = time.Second
	// answerLifetime is how long the same request of the same browser gets the same answer. People
	// click twice, and browsers then show the second answer only.
	answerLifetime = time.Minute
	// repeatLifetime is how long a refresh token that was replaced gets the same successor. The
	// client's connection may have broken, or two of its processes may have come at once.
	repeatLifetime = 30 * time.Second
)
