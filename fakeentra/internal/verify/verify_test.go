package verify_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/internal/verify"
	"mcpentra/fakeentra/internal/verify/compare"
	"mcpentra/fakeentra/internal/verify/facts"
	"mcpentra/fakeentra/journal"
	"mcpentra/fakeentra/useragent"
)

const (
	otherTenant = "0f7c3a52-9d1e-4b60-8a4e-1c2d3e4f5a6b"
	otherClient = "c1d2e3f4-0a1b-4c2d-9e3f-5a6b7c8d9e0f"
	otherSecret = "Xy8Q~another-secret-of-another-tenant.$1"
)

// otherDirectory has the app of fakeentra verify under other names and IDs.
func otherDirectory() directory.Directory {
	other := verify.Directory()
	tenant := &other.Tenants[0]
	tenant.ID = otherTenant
	tenant.DisplayName = "Fabrikam & Sons"
	tenant.Domains = []string{"fabrikam.example"}
	tenant.Region = "NA"
	app := &tenant.Apps[0]
	app.ID = otherClient
	app.ObjectID = "aaaaaaaa-0000-4000-8000-00000000000a"
	app.DisplayName = "Verification of another tenant"
	app.IdentifierURIs = []string{"api://" + otherClient}
	app.Secrets = []string{otherSecret}
	user := &tenant.Users[0]
	user.ID = "bbbbbbbb-0000-4000-8000-00000000000b"
	user.UserPrincipalName = "pat.o'neil@fabrikam.example"
	user.DisplayName = "Pat O'Neil"
	user.GivenName = "Pat"
	user.Surname = "O'Neil"
	user.Mail = "pat.oneil@fabrikam.example"
	user.PreferredLanguage = "de-DE"
	return other
}

// otherFake starts a fake with another directory, seed and clock.
func otherFake(t *testing.T, d directory.Directory) *fakeentra.Server {
	t.Helper()
	server := fakeentra.NewServer(fakeentra.Config{
		Directory: d,
		Rand:      rand.NewChaCha8([32]byte{1, 2, 3}),
		Now:       func() time.Time { return time.Now().Add(1000 * time.Hour) },
	})
	t.Cleanup(server.Close)
	return server
}

// person signs in at a listening fake.
func person(server *fakeentra.Server) func(ctx context.Context, page, code string) error {
	return func(ctx context.Context, page, code string) error {
		browser := useragent.Browser{Transport: server.Client().Transport}
		_, err := browser.Visit(ctx, page+"?user_code="+url.QueryEscape(code))
		return err
	}
}

// list returns the requests and the facts.
func list(t *testing.T) ([]facts.Request, []facts.Fact) {
	t.Helper()
	requests, err := facts.Requests()
	require.NoError(t, err)
	all, err := facts.All()
	require.NoError(t, err)
	return requests, all
}

// compareWith compares the fake of fakeentra verify with a listening fake, through a client.
func compareWith(t *testing.T, server *fakeentra.Server, client *http.Client) []compare.Result {
	t.Helper()
	requests, all := list(t)
	settings := verify.Settings{Tenant: otherTenant, Client: otherClient, Secret: otherSecret}
	fake, pace, err := verify.NewFake(server.URL, settings)
	require.NoError(t, err)
	tenant := verify.NewSide(client, server.URL, server.URL, settings)
	theirs := verify.Ask(t.Context(), requests, tenant, 2, verify.Pace{SignIn: person(server)})
	return verify.Judge(all, verify.Ask(t.Context(), requests, fake, 2, pace), theirs)
}

// drifts returns the names of the facts that differ. All others must be the same.
func drifts(t *testing.T, results []compare.Result) []string {
	t.Helper()
	var names []string
	for _, result := range results {
		assert.NotEqual(t, compare.NotJudged, result.Verdict, "%s: %s", result.Name(), result.Reason)
		if result.Verdict == compare.Drift {
			names = append(names, result.Name())
			t.Logf("%s\n  fake:   %s\n  tenant: %s", result.Name(), result.Fake, result.Tenant)
		}
	}
	return names
}

// An identical fake differs in IDs, names, secrets, random values and times. Nothing of that is
// drift.
func TestIdenticalFakeHasNoDrift(t *testing.T) {
	t.Parallel()
	server := otherFake(t, otherDirectory())
	assert.Empty(t, drifts(t, compareWith(t, server, server.Client())))
}

// An app without the settings of --setup answers some requests with another error. The facts of
// these requests are not judged, and no other fact is drift.
func TestOtherSettingsAreNoDrift(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*directory.Tenant, *directory.App){
		"web app": func(_ *directory.Tenant, app *directory.App) {
			app.Web = []string{"http://localhost:8000/auth/callback"}
			app.PublicClient = nil
		},
		"no redirect URI":      func(_ *directory.Tenant, app *directory.App) { app.PublicClient = nil },
		"no identifier URI":    func(_ *directory.Tenant, app *directory.App) { app.IdentifierURIs = nil },
		"no public flows":      func(_ *directory.Tenant, app *directory.App) { app.AllowPublicFlows = false },
		"version 1":            func(_ *directory.Tenant, app *directory.App) { app.TokenVersion = 1 },
		"no consent":           func(_ *directory.Tenant, app *directory.App) { app.Consented = nil },
		"consent of admins":    func(tenant *directory.Tenant, _ *directory.App) { tenant.NoUserConsent = true },
		"assignment required":  func(_ *directory.Tenant, app *directory.App) { app.AssignmentRequired = true },
		"no service principal": func(_ *directory.Tenant, app *directory.App) { app.NoServicePrincipal = true },
		"multi-tenant":         func(_ *directory.Tenant, app *directory.App) { app.MultiTenant = true },
		"no permissions": func(_ *directory.Tenant, app *directory.App) {
			app.Permissions = []string{"openid"}
		},
		"second factor": func(tenant *directory.Tenant, _ *directory.App) {
			tenant.Policies = []directory.Policy{{Name: "all users", Require: directory.RequireMFA}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := otherDirectory()
			change(&other.Tenants[0], &other.Tenants[0].Apps[0])
			server := otherFake(t, other)
			same := 0
			for _, result := range compareWith(t, server, server.Client()) {
				if result.Verdict == compare.Same {
					same++
				}
				assert.NotEqual(t, compare.Drift, result.Verdict,
					"%s\n  fake:   %s\n  tenant: %s", result.Name(), result.Fake, result.Tenant)
			}
			assert.Greater(t, same, 300, "the facts of tier 0 need no settings")
		})
	}
}

// The facts with high confidence hold for the fake. So the fake, the facts and the documents of
// testdata/entra agree.
func TestFactsHoldForTheFake(t *testing.T) {
	t.Parallel()
	requests, all := list(t)
	fake, pace, err := verify.NewFake("https://login.microsoftonline.com", verify.Settings{})
	require.NoError(t, err)
	answers := verify.Ask(t.Context(), requests, fake, 2, pace)
	for _, fact := range all {
		answer := answers[fact.Request]
		require.NotNil(t, answer.Exchange, "%s: %s", fact.Name(), answer.Reason)
		value, found := compare.Value(fact.Aspect, answer.Exchange)
		if fact.Confidence == facts.High {
			assert.True(t, found, fact.Name())
			assert.Equal(t, fact.Want, value, fact.Name())
		}
	}
}

// Each fact has a source and a confidence, and belongs to a request.
func TestFactsAreComplete(t *testing.T) {
	t.Parallel()
	requests, all := list(t)
	names := map[string]bool{}
	for _, request := range requests {
		assert.False(t, names[request.Name], "%s is there twice", request.Name)
		names[request.Name] = true
	}
	seen := map[string]bool{}
	judged := map[string]bool{}
	for _, fact := range all {
		assert.True(t, names[fact.Request], "%s: unknown request", fact.Name())
		assert.False(t, seen[fact.Name()], "%s is there twice", fact.Name())
		assert.NotEmpty(t, fact.Source, fact.Name())
		assert.Contains(t, []facts.Confidence{facts.High, facts.Medium, facts.Low}, fact.Confidence, fact.Name())
		seen[fact.Name()] = true
		judged[fact.Request] = true
	}
	for name := range names {
		assert.True(t, judged[name], "%s has no fact", name)
	}
}

// The tenant can be named by a domain. The fake is then named by its domain, too.
func TestTenantByDomain(t *testing.T) {
	t.Parallel()
	server := otherFake(t, otherDirectory())
	requests, all := list(t)
	settings := verify.Settings{Tenant: "fabrikam.example"}
	fake, pace, err := verify.NewFake(server.URL, settings)
	require.NoError(t, err)
	tenant := verify.NewSide(server.Client(), server.URL, server.URL, settings)
	theirs := verify.Ask(t.Context(), requests, tenant, 0, verify.Pace{})
	for _, result := range verify.Judge(all, verify.Ask(t.Context(), requests, fake, 0, pace), theirs) {
		assert.NotEqual(t, compare.Drift, result.Verdict, "%s: %s", result.Name(), result.Tenant)
	}
}

// A run ends when the tenant throttles. The facts that need later requests are not judged.
func TestThrottlingEndsTheRun(t *testing.T) {
	t.Parallel()
	server := otherFake(t, otherDirectory())
	require.NoError(t, server.Inject(fault.Fault{On: endpoint.Token, Status: http.StatusTooManyRequests}))
	requests, all := list(t)
	settings := verify.Settings{Tenant: otherTenant}
	fake, pace, err := verify.NewFake(server.URL, settings)
	require.NoError(t, err)
	tenant := verify.NewSide(server.Client(), server.URL, server.URL, settings)
	theirs := verify.Ask(t.Context(), requests, tenant, 0, verify.Pace{})
	verdicts := map[compare.Verdict]int{}
	for _, result := range verify.Judge(all, verify.Ask(t.Context(), requests, fake, 0, pace), theirs) {
		verdicts[result.Verdict]++
		if result.Request == "token-get" {
			assert.Contains(t, result.Reason, "throttles")
		}
	}
	assert.NotZero(t, verdicts[compare.Same])
	assert.Zero(t, verdicts[compare.Drift])
	assert.Len(t, server.Journal().Entries(journal.Filter{Endpoint: endpoint.Token}), 1, "no request follows")
}
