package discovery

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
)

// A Challenge is one of the challenges in a response's WWW-Authenticate headers (RFC 9110 section
// 11.6.1).
type Challenge struct {
	Scheme string            // in lower case
	Params map[string]string // names in lower case
}

// addressParam is the parameter with the address of protected resource metadata (RFC 9728 section
// 5.1).
const addressParam = "resource_metadata"

// These bound the WWW-Authenticate headers of one response.
const (
	maxChallengeBytes = 16 << 10
	maxChallenges     = 32
	maxParams         = 32 // of one challenge
)

// ErrTooLong says that the WWW-Authenticate headers of a response are too long to be read.
var ErrTooLong = fmt.Errorf("discovery: the WWW-Authenticate headers have more than %d bytes", maxChallengeBytes)

var errChallenge = errors.New(
	"discovery: want challenges as in RFC 9110 section 11.6.1 in WWW-Authenticate, got a malformed header",
)

// ParseChallenges reads all WWW-Authenticate headers of a response, in time that is linear in their
// length. It stops at the first mistake, and returns the challenges before it with the error.
func ParseChallenges(header http.Header) ([]Challenge, error) {
	var challenges []Challenge
	size := 0
	for _, line := range header.Values("WWW-Authenticate") {
		size += len(line)
		if size > maxChallengeBytes {
			return challenges, ErrTooLong
		}
		s := scanner{text: line}
		for s.skipSeparators(); !s.done(); s.skipSeparators() {
			challenge, ok := s.challenge()
			if !ok || len(challenges) == maxChallenges {
				return challenges, errChallenge
			}
			challenges = append(challenges, challenge)
		}
	}
	return challenges, nil
}

// FindChallenge returns the first challenge of a scheme in lower case, or nil.
func FindChallenge(challenges []Challenge, scheme string) *Challenge {
	for i := range challenges {
		if challenges[i].Scheme == scheme {
			return &challenges[i]
		}
	}
	return nil
}

// TokenChallenge returns the challenge that asks for an access token: the first Bearer challenge,
// or else the first DPoP challenge (RFC 9449 section 7.1), or nil. If challenges of its scheme name
// different metadata, it leaves out the address.
func TokenChallenge(challenges []Challenge) *Challenge {
	wanted := FindChallenge(challenges, "bearer")
	if wanted == nil {
		wanted = FindChallenge(challenges, "dpop")
	}
	if wanted == nil {
		return nil
	}
	for _, other := range challenges {
		address, found := other.Params[addressParam]
		if found && other.Scheme == wanted.Scheme && address != wanted.Params[addressParam] {
			withoutAddress := Challenge{Scheme: wanted.Scheme, Params: maps.Clone(wanted.Params)}
			delete(withoutAddress.Params, addressParam)
			return &withoutAddress
		}
	}
	return wanted
}
