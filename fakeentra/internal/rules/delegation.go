package rules

import (
	"time"

	"mcpentra/fakeentra/directory"
)

// A Version is a version of the endpoints. At v1 the parameter resource names the API of a token.
// At v2 the scopes name it.
type Version int

const (
	V1 Version = 1
	V2 Version = 2
)

// A Delegation is a person's permission for a client. The fake makes tokens from it.
type Delegation struct {
	Version      Version // of the endpoint
	Tenant       *directory.Tenant
	Client       *directory.App
	User         *directory.User
	Platform     Platform
	Asked        *Permissions
	Nonce        string
	SID          string
	Strength     string // claim azpacr: how the client authenticated
	WantsInfo    bool   // the client wants client_info
	Hybrid       bool   // the authorization endpoint issues the tokens
	Began        time.Time
	SignedIn     time.Time
	AuthTime     bool // the request had max_age, so ID tokens have auth_time
	SecondFactor bool
	Contexts     []string  // claim acrs
	Capabilities []string  // claim xms_cc
	RefreshUntil time.Time // expiry of a single-page app's refresh tokens; zero means a new lifetime
}
