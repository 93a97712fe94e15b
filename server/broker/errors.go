package broker

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"mcpentra/server/entra"
)

// A protocolError is an answer of the token, registration and revocation endpoints (RFC 6749
// section 5.2, RFC 7591 section 3.2.2), or one that is sent back through the browser (section
// 4.1.2.1). Its description is a sentence of ours.
type protocolError struct {
	status      int
	code        string
	description string
	retryAfter  time.Duration
	basic       bool // the client tried HTTP Basic, so the answer has to name it

	// What the log tells beside the description.
	why     string
	seen    []sight
	setting string
	grave   bool
}

func (e *protocolError) Error() string { return e.code + ": " + e.description }

func badRequest(code, description string) *protocolError {
	return &protocolError{status: http.StatusBadRequest, code: code, description: description}
}

// unavailable is for when the broker cannot know. A client keeps what it has and comes back.
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

func writeError(w http.ResponseWriter, problem *protocolError) {
	if problem.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(problem.retryAfter.Seconds())))
	}
	if problem.basic {
		w.Header().Set("WWW-Authenticate", `Basic realm="token", charset="UTF-8"`)
	}
	writeJSON(w, problem.status, map[string]string{"error": problem.code, "error_description": problem.description})
}

// writeJSON answers with something that nobody may keep.
func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // our own structs
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// signInError turns what Entra said at a sign-in into what the client is told (RFC 6749 section
// 4.1.2.1). Entra's own sentence may name people and applications, so it goes to the log alone. Its
// number is enough to ask for help with. Silent is a client that asked for no page.
func signInError(err error, silent bool) *protocolError {
	return toldClient(err, silent).because(err.Error()).asWarning()
}

func toldClient(err error, silent bool) *protocolError {
	var refused *entra.Error
	var away *entra.UnavailableError
	switch {
	case errors.As(err, &refused) && (refused.Code == "access_denied" || refused.AADSTS == 65004):
		return badRequest("access_denied", "the sign-in at Microsoft was cancelled, or consent was declined there")
	case errors.As(err, &refused) && silent && (refused.Code == "login_required" || refused.Code == "interaction_required" || refused.Code == "consent_required"):
		return badRequest(refused.Code, "Entra ID cannot answer without showing a page")
	case errors.As(err, &refused) && refused.Code == "temporarily_unavailable":
		return unavailable("Entra ID cannot sign anybody in at the moment; try again in a while")
	case errors.As(err, &refused) && refused.AADSTS != 0:
		return badRequest(
			"server_error",
			"Entra ID refused the sign-in with AADSTS"+strconv.Itoa(
				refused.AADSTS,
			)+"; the operator of this server finds the reason in its log",
		)
	case errors.As(err, &refused):
		return badRequest(
			"server_error",
			"Entra ID refused the sign-in; the operator of this server finds the reason in its log",
		)
	case errors.As(err, &away):
		return unavailable("Entra ID cannot be reached from this server; try again in a while")
	}
	return badRequest(
		"server_error",
		"the answer of Entra ID could not be used; the operator of this server finds the reason in its log",
	)
}
