package graph

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"mcpentra/fakeentra/directory"
)

// A profile has the properties that Graph returns without $select, in Graph's order. A property
// without a value is null.
type profile struct {
	Context           string   `json:"@odata.context"`
	BusinessPhones    []string `json:"businessPhones"`
	DisplayName       string   `json:"displayName"`
	GivenName         *string  `json:"givenName"`
	JobTitle          *string  `json:"jobTitle"`
	Mail              *string  `json:"mail"`
	MobilePhone       *string  `json:"mobilePhone"`
	OfficeLocation    *string  `json:"officeLocation"`
	PreferredLanguage *string  `json:"preferredLanguage"`
	Surname           *string  `json:"surname"`
	PrincipalName     string   `json:"userPrincipalName"`
	ID                string   `json:"id"`
}

func (g *server) me(w http.ResponseWriter, r *http.Request, caller *Caller) {
	user := caller.User
	phones := user.BusinessPhones
	if phones == nil {
		phones = []string{}
	}
	all := profile{
		Context:           g.context("users/$entity"),
		BusinessPhones:    phones,
		DisplayName:       user.DisplayName,
		GivenName:         known(user.GivenName),
		JobTitle:          known(user.JobTitle),
		Mail:              known(user.Mail),
		MobilePhone:       known(user.MobilePhone),
		OfficeLocation:    known(user.OfficeLocation),
		PreferredLanguage: known(user.PreferredLanguage),
		Surname:           known(user.Surname),
		PrincipalName:     user.UserPrincipalName,
		ID:                user.ID,
	}
	if wanted := r.URL.Query().Get("$select"); wanted != "" {
		write(w, http.StatusOK, g.selected(all, user, wanted))
		return
	}
	write(w, http.StatusOK, all)
}

// selected returns the properties in $select. It knows two more than a profile. Graph ignores
// unknown names.
func (g *server) selected(all profile, user *directory.User, wanted string) map[string]any {
	kind := "Member"
	if user.HomeTenant != "" {
		kind = "Guest"
	}
	known := map[string]any{
		"businessPhones":    all.BusinessPhones,
		"displayName":       all.DisplayName,
		"givenName":         all.GivenName,
		"jobTitle":          all.JobTitle,
		"mail":              all.Mail,
		"mobilePhone":       all.MobilePhone,
		"officeLocation":    all.OfficeLocation,
		"preferredLanguage": all.PreferredLanguage,
		"surname":           all.Surname,
		"userPrincipalName": all.PrincipalName,
		"id":                all.ID,
		"accountEnabled":    !user.Disabled,
		"userType":          kind,
	}
	answer := map[string]any{"@odata.context": g.context("users(" + wanted + ")/$entity")}
	for _, name := range strings.Split(wanted, ",") {
		if value, found := known[name]; found {
			answer[name] = value
		}
	}
	return answer
}

func known(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

// userInfo is the endpoint of OpenID Connect Core section 5.3. It needs a token for Graph with the
// scope openid. It returns the sub in the client's ID tokens.
func (g *server) userInfo(w http.ResponseWriter, _ *http.Request, caller *Caller) {
	type claims struct {
		Subject string `json:"sub"`
		Name    string `json:"name,omitempty"`
		Family  string `json:"family_name,omitempty"`
		Given   string `json:"given_name,omitempty"`
		Picture string `json:"picture,omitempty"`
		Email   string `json:"email,omitempty"`
	}
	answer := claims{Subject: caller.SubjectAtClient}
	if caller.has("profile") {
		answer.Name = caller.User.DisplayName
		answer.Family = caller.User.Surname
		answer.Given = caller.User.GivenName
		answer.Picture = g.Origin + "/v1.0/me/photo/$value"
	}
	if caller.has("email") {
		answer.Email = caller.User.Mail
	}
	write(w, http.StatusOK, answer)
}

// A group is an entry of memberOf.
type group struct {
	Type        string  `json:"@odata.type"`
	ID          string  `json:"id"`
	Description *string `json:"description"`
	DisplayName string  `json:"displayName"`
	MailEnabled bool    `json:"mailEnabled"`
	Security    bool    `json:"securityEnabled"`
}

func (g *server) memberOf(w http.ResponseWriter, r *http.Request, caller *Caller) {
	groups := []any{}
	for _, membership := range caller.Tenant.GroupsOf(caller.User.ID) {
		groups = append(groups, group{
			Type:        "#microsoft.graph.group",
			ID:          membership.ID,
			DisplayName: membership.DisplayName,
			Security:    true,
		})
	}
	g.list(w, r, "directoryObjects", groups)
}

// getMemberObjects lists the caller's groups. A token with too many groups points to it.
func (g *server) getMemberObjects(w http.ResponseWriter, r *http.Request, caller *Caller) {
	var wanted struct {
		SecurityEnabledOnly *bool `json:"securityEnabledOnly"`
	}
	if err := readBody(w, r, &wanted); err != nil || wanted.SecurityEnabledOnly == nil {
		g.fail(w, http.StatusBadRequest, "Request_BadRequest",
			"A value is required for property 'securityEnabledOnly' of resource 'getMemberObjects'.")
		return
	}
	ids := []string{}
	for _, membership := range caller.Tenant.GroupsOf(caller.User.ID) {
		ids = append(ids, membership.ID)
	}
	write(w, http.StatusOK, struct {
		Context string   `json:"@odata.context"`
		Value   []string `json:"value"`
	}{g.context("Collection(Edm.String)"), ids})
}

// A moment is a point in time in the form of Graph's calendars.
type moment struct {
	Time string `json:"dateTime"`
	Zone string `json:"timeZone"`
}

func (g *server) events(w http.ResponseWriter, r *http.Request, caller *Caller) {
	type location struct {
		Name string `json:"displayName"`
	}
	type event struct {
		ID       string   `json:"id"`
		Subject  string   `json:"subject"`
		AllDay   bool     `json:"isAllDay"`
		Location location `json:"location"`
		Start    moment   `json:"start"`
		End      moment   `json:"end"`
	}
	events := []any{}
	for i, appointment := range caller.User.Events {
		events = append(events, event{
			ID:       eventID(i, appointment),
			Subject:  appointment.Subject,
			Location: location{appointment.Location},
			Start:    momentOf(appointment.Start),
			End:      momentOf(appointment.End),
		})
	}
	g.list(w, r, "users('"+caller.User.ID+"')/events", events)
}

func momentOf(at time.Time) moment {
	return moment{at.UTC().Format("2006-01-02T15:04:05.0000000"), "UTC"}
}

func eventID(index int, event directory.Event) string {
	if event.ID != "" {
		return event.ID
	}
	return fmt.Sprintf("AAMkAGI-event-%d", index+1)
}
