package broker

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"mcpentra/server/identity"
)

// connectionsPath is the page on which people see the programs that act for them.
const connectionsPath = "/connections"

// connectionsSignInPath receives the form that begins a sign-in for the page.
const connectionsSignInPath = "/connections/sign-in"

const notOwnForm = "This form was not sent by this server's own page, so it does not count."

const (
	// maxConnections bounds the page, and maxOwnGrants the grants that it reads. A person with more
	// can still end all of them.
	maxConnections = 100
	maxOwnGrants   = 1000
	// connectionsFormLifetime is how long the page's forms count.
	connectionsFormLifetime = time.Hour
)

// A connection is all that one client may do for the person who looks at the page.
type connection struct {
	ClientID    string
	Client      string
	Permissions []permissions
	Since       string
	LastUsed    string
	Grants      int

	DescribedBy   string // the host of the client's document, or empty
	Preregistered bool   // the operator has registered the client, and named it

	lastUsed time.Time
	since    time.Time
}

// permissions are what one client may do at one resource.
type permissions struct {
	Resource *shownResource // nil if there is only one
	Scopes   []string       // descriptions

	url string
}

// handleConnections shows the person who has signed in the programs that act for them.
func (b *Broker) handleConnections(w http.ResponseWriter, r *http.Request) {
	session := b.session(r)
	content := page{Title: "Connected programs", Server: b.config.ResourceName}
	if session == nil {
		b.show(w, http.StatusOK, connectionsPage, content)
		return
	}
	grants, err := b.Grants(r.Context(), GrantFilter{Principal: session}, "", maxOwnGrants)
	if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	content.CSRF, err = b.connectionsSecret(*session)
	if err != nil {
		b.storeFailed(w, r, err)
		return
	}
	content.SignedIn = true
	content.Connections, content.MoreConnections = b.connections(r.Context(), grants)
	if len(grants) > 0 {
		newest := slices.MaxFunc(grants, func(a, b Grant) int { return a.LastUsed.Compare(b.LastUsed) })
		content.Person = newest.Username
	}
	b.show(w, http.StatusOK, connectionsPage, content)
}

// connections groups grants by client. The client that was used last comes first.
func (b *Broker) connections(ctx context.Context, grants []Grant) (shown []connection, more int) {
	byClient := map[string]*connection{}
	for _, g := range grants {
		found := byClient[g.ClientID]
		if found == nil {
			found = &connection{ClientID: g.ClientID, since: g.Since}
			byClient[g.ClientID] = found
		}
		found.Grants++
		if !g.LastUsed.Before(found.lastUsed) {
			found.lastUsed = g.LastUsed
			found.Client = g.ClientName
		}
		if g.Since.Before(found.since) {
			found.since = g.Since
		}
		found.add(g.Resource, b.shownResource(g.scopeIDs), b.grantDescriptions(&g))
	}
	for _, found := range byClient {
		found.Since = day(found.since)
		found.LastUsed = minute(found.lastUsed)
		found.DescribedBy = documentHost(found.ClientID)
		if registered := b.file.find(ctx, found.ClientID); registered != nil {
			found.Client = registered.Name
			found.Preregistered = true
		}
		shown = append(shown, *found)
	}
	slices.SortFunc(shown, func(a, b connection) int {
		return cmp.Or(b.lastUsed.Compare(a.lastUsed), cmp.Compare(a.ClientID, b.ClientID))
	})
	if len(shown) > maxConnections {
		return shown[:maxConnections], len(shown) - maxConnections
	}
	return shown, 0
}

// add adds the descriptions of a grant's scopes to what the client may do at the grant's resource.
func (c *connection) add(url string, shown *shownResource, descriptions []string) {
	i := slices.IndexFunc(c.Permissions, func(known permissions) bool { return known.url == url })
	if i < 0 {
		i = len(c.Permissions)
		c.Permissions = append(c.Permissions, permissions{Resource: shown, url: url})
	}
	c.Permissions[i].Scopes = union(c.Permissions[i].Scopes, descriptions)
}

// grantDescriptions describes the scopes of a grant. A scope may have been removed from the Config
// since; then its name has to do.
func (b *Broker) grantDescriptions(g *Grant) []string {
	var texts []string
	for i, id := range g.scopeIDs {
		text := g.Scopes[i]
		if found := b.scope(id); found != nil {
			text = found.Description
		}
		texts = append(texts, text)
	}
	return texts
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 January 2006")
}

func minute(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// A connectionsForm is the secret of the page's forms. It counts for one person.
type connectionsForm struct {
	Principal identity.Principal `json:"principal"`
	Until     int64              `json:"until"`
}

// connectionsFormPlace is the place for which the secret is encrypted.
const connectionsFormPlace = "form\x00" + connectionsPath

func (b *Broker) connectionsSecret(person identity.Principal) (string, error) {
	text, err := json.Marshal(connectionsForm{person, b.now().Add(connectionsFormLifetime).Unix()})
	if err != nil {
		return "", err
	}
	sealed, err := b.config.Keys.seal(b.config.Rand, b.now(), text, connectionsFormPlace)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// connectionsFormCounts reports whether a form came from the page that this person was shown.
func (b *Broker) connectionsFormCounts(secret string, person identity.Principal) bool {
	sealed, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil {
		return false
	}
	text, err := b.config.Keys.open(sealed, connectionsFormPlace)
	if err != nil {
		return false
	}
	var form connectionsForm
	isReadable := json.Unmarshal(text, &form) == nil
	return isReadable && form.Principal == person && b.now().Unix() < form.Until
}

// endConnections ends one connection of the person who has signed in, or all of them. A second
// click finds nothing to end.
func (b *Broker) endConnections(w http.ResponseWriter, r *http.Request) {
	if !b.readOwnForm(w, r, notOwnForm) {
		return
	}
	session := b.session(r)
	if session == nil || !b.connectionsFormCounts(r.PostForm.Get("csrf"), *session) {
		b.showConnectionsRefusal(w, r, "This page is too old, or another person has signed in since. "+
			"Load the page of connected programs again.")
		return
	}
	filter := GrantFilter{Principal: session, ClientID: r.PostForm.Get("client")}
	isAll := r.PostForm.Get("end") == "all"
	if isAll == (filter.ClientID != "") {
		b.showConnectionsRefusal(w, r, "The form does not say which program to disconnect. "+
			"Load the page of connected programs again.")
		return
	}
	if _, err := b.EndGrants(r.Context(), filter, "the person"); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, connectionsPath, http.StatusSeeOther)
}

func (b *Broker) showConnectionsRefusal(w http.ResponseWriter, r *http.Request, message string) {
	b.showProblem(w, r, http.StatusForbidden, message)
}

// signInForConnections sends a person to Entra who wants to see the page. No client takes part.
func (b *Broker) signInForConnections(w http.ResponseWriter, r *http.Request) {
	if !b.readOwnForm(w, r, notOwnForm) || !b.spendSignIn(w, r, "") {
		return
	}
	tx := &transaction{OwnPage: connectionsPath, Prompts: []string{"select_account"}}
	next, err := b.beginSignIn(r, tx)
	var problem *protocolError
	switch {
	case errors.As(err, &problem):
		b.showRefusal(w, r, problem)
		return
	case err != nil:
		b.storeFailed(w, r, err)
		return
	}
	b.bindBrowser(w, r, next)
	b.showOnward(w, next.Address, "Sign in with Microsoft")
}

// afterOwnSignIn ends a sign-in that no client has asked for.
func (b *Broker) afterOwnSignIn(w http.ResponseWriter, r *http.Request, tx *transaction) {
	if tx.Failure != nil {
		b.showRefusal(w, r, tx.Failure.problem())
		return
	}
	if err := b.beginSession(w, tx.SignedIn.Principal); err != nil {
		b.storeFailed(w, r, err)
		return
	}
	b.log.InfoContext(r.Context(), "signed in",
		"page", tx.OwnPage,
		"tenant", tx.SignedIn.Principal.TenantID,
		"object", tx.SignedIn.Principal.ObjectID)
	http.Redirect(w, r, tx.OwnPage, http.StatusSeeOther)
}
