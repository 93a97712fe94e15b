package signin

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"mcpentra/client/internal/printable"
)

// CheckClientDocument returns an error if a URL cannot be a client ID (OAuth Client ID Metadata
// Document, section 2). It has to be https, with a path, and without fragment, user information and
// dot segments.
func CheckClientDocument(address string) error {
	want := ""
	parsed, err := url.Parse(address)
	switch {
	case err != nil || parsed.Scheme != "https" || parsed.Host == "":
		want = "an https URL"
	case parsed.Path == "" || parsed.Path == "/":
		want = "a URL with a path"
	case parsed.User != nil || strings.Contains(address, "#"):
		want = "a URL without user information and fragment"
		// Both parts may hold a secret.
		parsed.User = nil
		parsed.Fragment = ""
		parsed.RawFragment = ""
		address = parsed.String() + ", with a part that is not shown"
	case slices.ContainsFunc(strings.Split(parsed.Path, "/"), isDotSegment):
		want = "a URL without dot segments"
	default:
		return nil
	}
	return fmt.Errorf("client ID metadata document: want %s, got %q", want, printable.Text(address))
}

func isDotSegment(segment string) bool { return segment == "." || segment == ".." }
