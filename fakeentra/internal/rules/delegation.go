package rules

import (
	"time"

	"mcpentra/fakeentra/directory"
)

// A Version is a generation of the endpoints. At v1 the parameter resource names the API of a
// token, at v2 its scopes do.
type Version int

const (
	V1 Version = 1
	V2 Version = 2
)

// A Delegation is the permission of a person to a client. Tokens are made from it.
type Delegation struct {
	Version      Version // of the endpoint
	Tenant       *directory.Tenant
	Client       *directory.App
	User         *directory.User
	Platform     Platform
	Asked        *Permissions
	Nonce        string
	SID          string
	Strength     string // of the client's authentication, as azpacr has it
	WantsInfo    bool
	Hybrid       bool // issued by the authorization endpoint
	Began        time.Time
	SignedIn     time.Time
	SecondFactor bool
	Contexts     []string  // acrs
	Capabilities []string  // xms_cc
	RefreshUntil time.Time // for the refresh tokens of single-page apps; zero means a lifetime from now
}
