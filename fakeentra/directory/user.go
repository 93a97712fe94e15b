package directory

import "time"

// A User is an account of the tenant.
type User struct {
	ID                string // object ID, a GUID
	UserPrincipalName string
	DisplayName       string
	GivenName         string
	Surname           string
	Mail              string
	JobTitle          string
	OfficeLocation    string
	PreferredLanguage string
	BusinessPhones    []string
	MobilePhone       string
	// HomeTenant is the tenant that a guest comes from, by ID. Empty for a member.
	HomeTenant string
	// Admin may consent for everybody.
	Admin bool
	// Password is asked for at sign-in when it is not empty.
	Password        string
	PasswordExpired bool // AADSTS50055
	Locked          bool // AADSTS50053
	Disabled        bool // AADSTS50057
	// Events are the appointments of the person's calendar.
	Events []Event
}

// A Group is a security group of the tenant.
type Group struct {
	ID          string // object ID, a GUID
	DisplayName string
	Members     []string // object IDs of users
}

// An Event is an appointment.
type Event struct {
	ID         string // empty means one made from its place in the list
	Subject    string
	Location   string
	Start, End time.Time
}
