package broker

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"mcpentra/server/entra"
)

// A protocolError is an error answer. The token, registration and revocation endpoints send it as
// JSON (RFC 6749 section 5.2, RFC 7591 section 3.2.2). The pages show it, or send it back through
// the browser (RFC 6749 section 4.1.2.1). Its description is a sentence of ours.
type protocolError struct {
	status      int
	code        string // "page" if it is shown to a person only
	description string
	retryAfter  time.Duration
	basic       bool   // the client tried HTTP Basic, so the answer must name it
	challenge   string // another challenge (RFC 9110 section 11.6.1)

	// The log gets these as well.
	why     string // replaces the description in the log
	seen    []sight
	setting string
	grave   bool
	routine bool
}

func (e *protocolError) Error() string { return e.code + ": " + e.description }

func badRequest(code, description string) *protocolError {
	return &protocolError{status: http.StatusBadRequest, code: code, description: description}
}

// unavailable says that the broker cannot know now. The client keeps its tokens and tries again.
func unavailable(description string) *protocolError {
	return &protocolError{
		status:      http.StatusServiceUnavailable,
		code:        "temporarily_unavailable",
		description: description,
		retryAfter:  5 * time.Second,
	}
}

func tooMany(description string) *protocolError {
	return &protocolError{
		status:      http.StatusTooManyRequests,
		code:        "temporarily_unavailable",
		description: description,
		retryAfter:  30 * time.Second,
	}
}

// saw adds a value to the log line.
func (e *protocolError) saw(name, value string) *protocolError {
	e.seen = append(e.seen, sight{name, value})
	return e
}

// allowedBy names the key of .env that would let the request pass.
func (e *protocolError) allowedBy(setting string) *protocolError {
	e.setting = setting
	return e
}

// described replaces the description that the client gets.
func (e *protocolError) described(description string) *protocolError {
	e.description = description
	return e
}

// because gives the log a reason that the client does not get.
func (e *protocolError) because(why string) *protocolError {
	e.why = why
	return e
}

// pausedBy takes over the pause that Entra asks for.
func (e *protocolError) pausedBy(err error) *protocolError {
	var unavailable *entra.UnavailableError
	if errors.As(err, &unavailable) {
		e.retryAfter = max(e.retryAfter, unavailable.RetryAfter.Round(time.Second))
	}
	return e
}

// asWarning marks an error that an operator should look at.
func (e *protocolError) asWarning() *protocolError {
	e.grave = true
	return e
}

// asRoutine marks an answer that is part of a good flow, so that it does not fill the log.
func (e *protocolError) asRoutine() *protocolError {
	e.routine = true
	return e
}

// storeFailed shows a person that the store cannot be reached. It answers nothing if the browser
// has closed the connection.
func (b *Broker) storeFailed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return
	}
	b.log.ErrorContext(r.Context(), "the store failed", "error", err)
	w.Header().Set("Retry-After", "5")
	b.showProblem(w, r, http.StatusServiceUnavailable,
		"This server cannot reach its store at the moment. Try again in a while.")
}

// storeProblem answers a client when the store cannot be reached.
func (b *Broker) storeProblem(ctx context.Context, err error) *protocolError {
	if ctx.Err() == nil {
		b.log.ErrorContext(ctx, "the store failed", "error", err)
	}
	return unavailable("the store cannot be reached")
}

// An entraRefusal is a way in which Entra refuses a sign-in, with the answer that the client gets
// for it. Zero fields match everything.
type entraRefusal struct {
	aadsts int    // Entra's error number
	code   string // Entra's OAuth error code
	silent bool   // the client sent prompt=none

	answer func(*entra.Error) *protocolError
}

// entraRefusals lists Entra's refusals at a sign-in. The first match counts. Entra sends a refusal
// through the browser (authorization request) or in the answer to the broker's code. The client's
// next step decides the answer: the person said no, the person has to see a page, wait, or ask the
// operator. Package entra has the advice for the operator, which the log gets (entra.Advice).
var entraRefusals = []entraRefusal{
	// 50105: the person is not assigned to the application.
	{aadsts: 50105, answer: notAssigned},
	// 90094: an administrator has to consent.
	{aadsts: 90094, answer: needsAdministrator},

	// 65004: the person declined consent.
	{aadsts: 65004, answer: declinedAtEntra},
	// The person pressed Cancel.
	{code: "access_denied", answer: declinedAtEntra},

	// 50058: no person is signed in.
	{code: "login_required", silent: true, answer: needsPage},
	// 16000: several accounts are signed in. 50072, 50074, 50076, 50079: a second factor is
	// missing. 53000 to 53004: Conditional Access. 65001: consent is missing.
	{code: "interaction_required", silent: true, answer: needsPage},
	// 65001: consent is missing.
	{code: "consent_required", silent: true, answer: needsPage},

	{code: "temporarily_unavailable", answer: entraIsBusy},

	// The application or the tenant's policy is at fault, and no client can repair that. 53003:
	// Conditional Access blocks the sign-in. 65001: consent is missing without prompt=none. 500011,
	// 650053: a scope does not exist. 700016: the application is unknown. 7000215, 7000222: the
	// secret is wrong or has expired. 54005, 70008: the code was used or is too old.
	{answer: askOperator},
}

func (known entraRefusal) matches(refused *entra.Error, silent bool) bool {
	return (known.aadsts == 0 || known.aadsts == refused.AADSTS) &&
		(known.code == "" || known.code == refused.Code) &&
		(!known.silent || silent)
}

// sayNotAssigned and sayAdministrator tell a person what to ask the administrator for.
const (
	sayNotAssigned = "this account is not assigned to the application of this server in Entra ID (AADSTS50105): " +
		"ask an administrator of your organization to assign you"
	sayAdministrator = "an administrator of your organization has to consent to the permissions of this server's " +
		"application in Entra ID first (AADSTS90094): ask an administrator to grant them"
)

func notAssigned(*entra.Error) *protocolError { return badRequest("access_denied", sayNotAssigned) }

func needsAdministrator(*entra.Error) *protocolError {
	return badRequest("access_denied", sayAdministrator)
}

// sayOver describes to a client why Entra gives no more tokens. Entra's own sentence stays in the
// log. Refused is nil if Entra was not asked.
func sayOver(refused *entra.Error) string {
	switch {
	case refused == nil || refused.AADSTS == 0:
		return "the sign-in at Entra ID is over: sign in again"
	case refused.AADSTS == 50105:
		return sayNotAssigned
	case refused.NeedsPerson():
		return "Entra ID wants something from the person (AADSTS" + strconv.Itoa(refused.AADSTS) + "): sign in again"
	}
	return "the sign-in at Entra ID is over (AADSTS" + strconv.Itoa(refused.AADSTS) + "): sign in again"
}

func declinedAtEntra(*entra.Error) *protocolError {
	return badRequest("access_denied", "the sign-in at Microsoft was cancelled, or consent was declined there")
}

// needsPage passes Entra's code on to a client that asked for no page.
func needsPage(refused *entra.Error) *protocolError {
	return badRequest(refused.Code, "Entra ID cannot answer without showing a page")
}

func entraIsBusy(*entra.Error) *protocolError {
	return unavailable("Entra ID cannot sign people in at the moment; try again in a while")
}

// askOperator gives the client Entra's number only. Entra's own sentence may name people and
// applications, so it stays in the log.
func askOperator(refused *entra.Error) *protocolError {
	number := ""
	if refused.AADSTS != 0 {
		number = " with AADSTS" + strconv.Itoa(refused.AADSTS)
	}
	return badRequest("server_error",
		"Entra ID refused the sign-in"+number+"; the operator of this server finds the reason in its log")
}

// signInError turns an error of package entra at a sign-in into the answer for the client (RFC 6749
// section 4.1.2.1). Silent says that the client sent prompt=none.
func signInError(err error, silent bool) *protocolError {
	return signInAnswer(err, silent).because(err.Error()).asWarning()
}

func signInAnswer(err error, silent bool) *protocolError {
	var refused *entra.Error
	if errors.As(err, &refused) {
		for _, known := range entraRefusals {
			if known.matches(refused, silent) {
				return known.answer(refused)
			}
		}
	}
	var unreachable *entra.UnavailableError
	if errors.As(err, &unreachable) {
		return unavailable("Entra ID cannot be reached from this server; try again in a while")
	}
	return badRequest("server_error",
		"the answer of Entra ID could not be used; the operator of this server finds the reason in its log")
}
