package signin

import (
	"net/url"

	"mcpentra/client/discovery"
	"mcpentra/client/internal/printable"
)

// checkIss returns an error if the parameter iss of a response names another issuer than the
// request went to, or if it is absent although the issuer's metadata promises it (RFC 9207 section
// 2.4). The comparison is byte by byte.
func checkIss(params url.Values, issuer *discovery.Issuer) error {
	switch {
	case params.Has("iss") && !issuer.Is(params.Get("iss")):
		return &MismatchError{What: "iss", Want: issuer.Issuer, Got: printable.Text(params.Get("iss"))}
	case !params.Has("iss") && issuer.IssInResponse:
		return &MismatchError{What: "iss", Want: issuer.Issuer + ", as the server's metadata promises", Got: ""}
	}
	return nil
}
