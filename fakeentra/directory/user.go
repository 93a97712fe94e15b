package directory

import "time"

// A User is an account of the tenant.
type User struct {
	ID                string   `yaml:"id"` // object ID, a GUID
	UserPrincipalName string   `yaml:"userPrincipalName"`
	DisplayName       string   `yaml:"displayName"`
	GivenName         string   `yaml:"givenName"`
	Surname           string   `yaml:"surname"`
	Mail              string   `yaml:"mail"`
	JobTitle          string   `yaml:"jobTitle"`
	OfficeLocation    string   `yaml:"officeLocation"`
	PreferredLanguage string   `yaml:"preferredLanguage"`
	BusinessPhones    []string `yaml:"businessPhones"`
	MobilePhone       string   `yaml:"mobilePhone"`
	// HomeTenant is the tenant that a guest comes from, by ID. Empty for a member.
	HomeTenant string `yaml:"homeTenant"`
	// Admin may consent for everybody.
	Admin bool `yaml:"admin"`
	// Password is asked for at sign-in when it is not empty.
	Password        string `yaml:"password"`
	PasswordExpired bool   `yaml:"passwordExpired"` // AADSTS50055
	Locked          bool   `yaml:"locked"`          // AADSTS50053
	Disabled        bool   `yaml:"disabled"`        // AADSTS50057
	// Events are the appointments of the person's calendar.
	Events []Event `yaml:"events"`
}

// A Group is a security group of the tenant.
type Group struct {
	ID          string   `yaml:"id"` // object ID, a GUID
	DisplayName string   `yaml:"displayName"`
	Members     []string `yaml:"members"` // object IDs of users
}

// An Event is an appointment.
type Event struct {
	ID       string    `yaml:"id"` // empty means one made from its place in the list
	Subject  string    `yaml:"subject"`
	Location string    `yaml:"location"`
	Start    time.Time `yaml:"start"`
	End      time.Time `yaml:"end"`
}
