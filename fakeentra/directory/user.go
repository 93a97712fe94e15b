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
	// PrimaryAuthoritativeEmail and SecondaryAuthoritativeEmail are the verified addresses in the
	// optional claims verified_primary_email and verified_secondary_email.
	PrimaryAuthoritativeEmail   []string `yaml:"primaryAuthoritativeEmail"`
	SecondaryAuthoritativeEmail []string `yaml:"secondaryAuthoritativeEmail"`
	// HomeTenant is the ID of a guest's own tenant. It is empty for a member.
	HomeTenant string `yaml:"homeTenant"`
	// Admin may consent for all users.
	Admin bool `yaml:"admin"`
	// Password is the password at sign-in. Empty means that the sign-in page asks for none.
	Password        string `yaml:"password"`
	PasswordExpired bool   `yaml:"passwordExpired"` // AADSTS50055
	Locked          bool   `yaml:"locked"`          // AADSTS50053
	Disabled        bool   `yaml:"disabled"`        // AADSTS50057
	// Photo gives the person a photo, which the fake draws.
	Photo bool `yaml:"photo"`
	// Events are the appointments of the person's calendar.
	Events []Event `yaml:"events"`
}

// A Group is a security group of the tenant.
type Group struct {
	ID          string   `yaml:"id"` // object ID, a GUID
	DisplayName string   `yaml:"displayName"`
	Description string   `yaml:"description"`
	Members     []string `yaml:"members"` // object IDs of users and groups
	// The names of a group that was synchronized from an on-premises directory. They are empty for
	// other groups.
	OnPremisesSamAccountName string `yaml:"onPremisesSamAccountName"`
	OnPremisesDomainName     string `yaml:"onPremisesDomainName"`
	OnPremisesNetBiosName    string `yaml:"onPremisesNetBiosName"`
}

// An Event is an appointment.
type Event struct {
	ID       string    `yaml:"id"` // empty means an ID from its position in the list
	Subject  string    `yaml:"subject"`
	Location string    `yaml:"location"`
	Start    time.Time `yaml:"start"`
	End      time.Time `yaml:"end"`
}
