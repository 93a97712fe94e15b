package signin

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ReadPasted reads the address that a person's browser ended at, for a browser that does not reach
// the callback. The error says what to paste instead. ReadResponse checks the returned parameters.
func (a *Authorization) ReadPasted(text string) (url.Values, error) {
	params, err := readPastedAddress(text, a.request.RedirectURI)
	switch {
	case err != nil && strings.HasPrefix(trimPasted(text), withoutQuery(a.URL)):
		return nil, errors.New("that is the page itself; open it, sign in, and paste the address of the last page")
	case err != nil:
		return nil, err
	case !params.Has("state") && !params.Has("code") && !params.Has("error"):
		return nil, errors.New("the pasted address has no code and no error; copy all of it, from http to its end")
	case params.Get("state") != a.State:
		return nil, errors.New("the pasted address is incomplete, or belongs to another sign-in; copy all of it")
	}
	return params, nil
}

func withoutQuery(address string) string {
	before, _, _ := strings.Cut(address, "?")
	return before
}

// trimPasted removes the blanks and quotes that people copy with an address.
func trimPasted(text string) string { return strings.Trim(text, " \t\r\n<>\"'") }

// readPastedAddress returns the query of a pasted address, which has to begin with a redirect URI.
// The scheme may be missing, because some browsers hide it. The port may differ.
func readPastedAddress(text, redirectURI string) (url.Values, error) {
	errOther := fmt.Errorf("want the address that the browser ended at, which begins with %s?", redirectURI)
	want, err := url.Parse(redirectURI)
	if err != nil || len(text) > maxQuery {
		return nil, errOther
	}
	text = trimPasted(text)
	if strings.HasPrefix(strings.ToLower(text), strings.ToLower(want.Hostname())) {
		text = want.Scheme + "://" + text
	}
	got, err := url.Parse(text)
	if err != nil || got.Scheme != want.Scheme || got.Hostname() != want.Hostname() || got.Path != want.Path {
		return nil, errOther
	}
	params, err := url.ParseQuery(got.RawQuery)
	if err != nil {
		return nil, errors.New("the pasted address is incomplete: its query does not parse; copy all of it")
	}
	return params, nil
}
