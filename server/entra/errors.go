package entra

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
)

// Error is a refusal by Entra. The same request fails again until something changes.
type Error struct {
	// Op names the request: "discovery", "sign-in", "code", "refresh", "client credentials" or
	// "on-behalf-of".
	Op string
	// Status is the HTTP status, 0 if the refusal came through the browser.
	Status int
	// Code is the OAuth error code, such as "invalid_client".
	Code string
	// Suberror is Entra's own refinement of Code, such as "consent_required"; often empty.
	Suberror string
	// AADSTS is Entra's error number, 0 if it is missing.
	AADSTS int
	// Description is Entra's sentence, cut at 500 characters and without control characters. It is
	// for the operator's log, because it may name users and applications.
	Description string
	// Claims is Entra's claims challenge, a JSON object, or "". A sign-in with it meets the demand.
	Claims string
	// CorrelationID identifies the event in the tenant's sign-in log.
	CorrelationID string
	// Advice tells the operator what to do; "" if we do not know.
	Advice string
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "entra refused the %s request: %s", e.Op, e.Code)
	if e.AADSTS != 0 {
		fmt.Fprintf(&b, " (AADSTS%d)", e.AADSTS)
	}
	switch {
	case e.Advice != "":
		b.WriteString(": " + e.Advice)
	case e.Description != "":
		b.WriteString(": " + e.Description)
	}
	return b.String()
}

func (e *Error) conditionalAccess() bool { return e.AADSTS >= 53000 && e.AADSTS <= 53011 }

// UnavailableError means that Entra or Graph gave no usable answer: it is unreachable, throttles,
// or has a fault. The same request may be sent again.
type UnavailableError struct {
	// Op names the request, as in [Error], or is "keys" or "graph".
	Op string
	// Status is the HTTP status, 0 without an answer.
	Status int
	// RetryAfter is the pause that the answer asked for, at most an hour; 0 if it named none.
	RetryAfter time.Duration
	Err        error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("entra cannot be asked (%s): %v", e.Op, e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// AuthorizationError makes an [Error] from the parameters error and error_description, which Entra
// sends through the browser to the redirect URI.
func AuthorizationError(code, description string) *Error {
	e := &Error{Op: "sign-in", Code: errorCode(code), Description: sanitize(description), AADSTS: numberIn(description)}
	e.Advice = Advice(e.AADSTS)
	return e
}

// refusal reads an error answer of Entra's endpoints.
func (c *Client) refusal(op string, resp *http.Response, body []byte) error {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
		Suberror    string `json:"suberror"`
		Correlation string `json:"correlation_id"`
		Claims      string `json:"claims"`
	}
	err := json.Unmarshal(body, &answer)
	number := numberIn(answer.Description)
	if len(answer.Codes) > 0 {
		// Old answers have two numbers, the general one first.
		number = answer.Codes[len(answer.Codes)-1]
	}
	overloaded := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500
	temporary := answer.Error == "temporarily_unavailable" || answer.Error == "server_error"
	// Gateways answer in text or HTML, and a server at a wrong address in any form.
	foreign := err != nil || answer.Error == ""
	if overloaded || temporary || foreign || isThrottle(number) {
		cause := fmt.Errorf("%s answered %d, but not in Entra's format", resp.Request.URL.Host, resp.StatusCode)
		if !foreign {
			cause = fmt.Errorf("%s answered %d %s (AADSTS%d)", resp.Request.URL.Host, resp.StatusCode,
				errorCode(answer.Error), number)
		}
		pause := retryAfter(resp.Header, c.now())
		if pause == 0 && (isThrottle(number) || resp.StatusCode == http.StatusTooManyRequests) {
			pause = throttlePause
		}
		return &UnavailableError{Op: op, Status: resp.StatusCode, RetryAfter: pause, Err: cause}
	}
	e := &Error{
		Op:            op,
		Status:        resp.StatusCode,
		Code:          errorCode(answer.Error),
		Suberror:      errorCode(answer.Suberror),
		Description:   sanitize(answer.Description),
		CorrelationID: sanitize(answer.Correlation),
		AADSTS:        number,
		Claims:        readChallenge(answer.Claims),
		Advice:        Advice(number),
	}
	return e
}

// maxChallenge bounds a claims challenge, in bytes.
const maxChallenge = 4 << 10

// readChallenge returns a claims challenge if it is a JSON object of a usual size, otherwise "".
func readChallenge(claims string) string {
	var object map[string]any
	if len(claims) > maxChallenge || json.Unmarshal([]byte(claims), &object) != nil || len(object) == 0 {
		return ""
	}
	return claims
}

var aadsts = regexp.MustCompile(`AADSTS([0-9]{4,9})\b`)

func numberIn(description string) int {
	match := aadsts.FindStringSubmatch(description)
	if match == nil {
		return 0
	}
	number, err := strconv.Atoi(match[1])
	if err != nil {
		return 0
	}
	return number
}

// errorCode returns a code with the characters of Entra's codes (RFC 6749 section 5.2), or a fixed
// text.
func errorCode(code string) string {
	foreign := func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }
	if len(code) > 64 || strings.ContainsFunc(code, foreign) {
		return "unreadable_error"
	}
	return code
}

// sanitize makes a foreign sentence fit for a log: one line, bounded, printable.
func sanitize(text string) string {
	// A trailer (trace ID, time) follows after a line break or a blank.
	if before, _, found := strings.Cut(text, "Trace ID:"); found {
		text = before
	}
	runes := []rune(strings.ToValidUTF8(text, "\uFFFD"))
	if len(runes) > 500 {
		runes = runes[:500]
	}
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = ' '
		}
	}
	return strings.TrimSpace(string(runes))
}

// retryAfter reads the header of RFC 9110 section 10.2.3, in seconds or as a date.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(max(seconds, 0), 3600)) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), time.Hour)
}
