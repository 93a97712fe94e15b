package fakeentra

import (
	"errors"
	"net/url"
	"strconv"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/internal/state"
)

// longestAge bounds max_age. More seconds would overflow a duration.
const longestAge = 100 * 365 * 24 * time.Hour

// readMaxAge reads max_age, the oldest sign-in that the client accepts (OpenID Connect Core section
// 3.1.2.1). Asked is false without the parameter (L: the error for a malformed value).
func readMaxAge(params url.Values) (age time.Duration, asked bool, problem *aadsts.Error) {
	text := params.Get("max_age")
	if text == "" {
		return 0, false, nil
	}
	seconds, err := strconv.ParseUint(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return longestAge, true, nil
	case err != nil:
		return 0, false, aadsts.Malformed()
	}
	return time.Duration(min(seconds, uint64(longestAge/time.Second))) * time.Second, true, nil
}

// isTooOld reports whether the sign-in of a person is older than max_age. With max_age=0 every
// earlier sign-in is too old, even if the clock stands still.
func isTooOld(person *state.SignedIn, params url.Values, now time.Time) bool {
	age, asked, problem := readMaxAge(params)
	if person == nil || !asked || problem != nil {
		return false
	}
	return age == 0 || now.Sub(person.At) > age
}
