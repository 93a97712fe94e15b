package fakeentra_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/journal"
)

const (
	imds         = "http://169.254.169.254"
	hostID       = "5a1e0010-0000-4000-8000-0000000000ff" // principal of the default identity
	deploymentID = "5a1e0010-0000-4000-8000-000000000002"
	deployment   = "/subscriptions/5a1e0007-0000-4000-8000-000000000001/resourceGroups/tools/providers/" +
		"Microsoft.ManagedIdentity/userAssignedIdentities/deployment"
)

// withIdentities is a directory with a user-assigned identity that has a role of the API.
func withIdentities() directory.Directory {
	return changed(func(t *directory.Tenant) {
		t.ManagedIdentities = append(t.ManagedIdentities, directory.ManagedIdentity{
			ID:          deploymentID,
			ObjectID:    "5a1e0010-0000-4000-8000-0000000000fe",
			DisplayName: "Deployment",
			ResourceID:  deployment,
		})
		t.Apps[1].Roles = []directory.Role{{Value: "deploy"}}
		t.Apps[1].Assignments = []directory.Assignment{
			{Principal: "5a1e0010-0000-4000-8000-0000000000fe", Role: "deploy"},
		}
	})
}

// askIdentity sends a request to an endpoint of the machine.
func askIdentity(t *testing.T, fake *fakeentra.Fake, address string, header map[string]string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return do(t, fake, r)
}

func TestManagedIdentityOfAzure(t *testing.T) {
	t.Parallel()
	var want struct {
		Source  string
		Answers []struct {
			Path     string
			Header   map[string]string
			Status   int
			Document json.RawMessage
		}
	}
	readGolden(t, "managed-identity.json", &want)
	fake := newStillFake(t, fakeentra.Config{IdentityHeader: "the secret"})
	for _, one := range want.Answers {
		origin := login
		if strings.HasPrefix(one.Path, "/metadata/") {
			origin = imds
		}
		got := askIdentity(t, fake, origin+one.Path, one.Header)
		assert.Equal(t, max(one.Status, http.StatusOK), got.Status, one.Path)
		same(t, one.Path, one.Document, json.RawMessage(got.Body))
		assert.Empty(t, got.Header.Get("Strict-Transport-Security"))
	}
	assert.Len(t, want.Answers, 8)
	assert.NotContains(t, fake.Journal().Entries(journal.Filter{})[4].String(), "the secret")
}

// The same token comes back until shortly before its end, and its lifetime counts down.
func TestManagedIdentityCountsDown(t *testing.T) {
	t.Parallel()
	fake := newStillFake(t, fakeentra.Config{})
	ask := func() answer {
		return askIdentity(t, fake,
			imds+"/metadata/identity/oauth2/token?api-version=2018-02-01&resource="+apiURI,
			map[string]string{"Metadata": "true"})
	}
	first := ask()
	fake.Advance(453 * time.Second)
	second := ask()
	assert.Equal(t, "85947", second.text("expires_in"))
	for _, name := range []string{"access_token", "expires_on", "not_before", "ext_expires_in"} {
		assert.Equal(t, first.text(name), second.text(name), name)
	}
	_, payload := claims(t, first.text("access_token"))
	assert.Equal(t, first.text("expires_on"), fmt.Sprintf("%.0f", payload["exp"]))
	assert.Equal(t, first.text("not_before"), fmt.Sprintf("%.0f", payload["nbf"]))
	fake.Advance(24*time.Hour - 453*time.Second - 5*time.Minute)
	assert.Equal(t, "86400", ask().text("expires_in"))
	fake.Reset()
	assert.Equal(t, "86400", ask().text("expires_in"), "the clock went back")
}

func TestManagedIdentitySelection(t *testing.T) {
	t.Parallel()
	secret := map[string]string{"X-IDENTITY-HEADER": "s", "secret": "s"}
	metadata := map[string]string{"Metadata": "true"}
	const (
		imdsPath = "/metadata/identity/oauth2/token?api-version=2018-02-01"
		newPath  = "/msi/token?api-version=2019-08-01"
		oldPath  = "/MSI/token?api-version=2017-09-01"
	)
	const principal = "5a1e0010-0000-4000-8000-0000000000fe"
	fake := newFake(t, fakeentra.Config{Directory: withIdentities(), IdentityHeader: "s"})
	for _, test := range []struct {
		path   string
		header map[string]string
		want   string // oid, or part of the error
	}{
		{imdsPath, metadata, hostID},
		{imdsPath + "&client_id=" + strings.ToUpper(deploymentID), metadata, principal},
		{imdsPath + "&object_id=" + principal, metadata, principal},
		{imdsPath + "&msi_res_id=" + deployment, metadata, principal},
		{imdsPath + "&mi_res_id=" + deployment, metadata, hostID},
		{imdsPath + "&object_id=" + principal + "&client_id=" + deploymentID, metadata, "Only one of"},
		{imdsPath + "&client_id=" + deploymentID + "&client_id=" + deploymentID, metadata, "Malformed query"},
		{newPath, secret, hostID},
		{newPath + "&client_id=" + deploymentID, secret, principal},
		{newPath + "&principal_id=" + principal, secret, principal},
		{newPath + "&object_id=" + principal, secret, principal},
		{newPath + "&mi_res_id=" + deployment, secret, principal},
		{newPath + "&mi_res_id=" + deployment + "&object_id=" + principal, secret, "Only one identity"},
		{oldPath, secret, hostID},
		{oldPath + "&clientid=" + deploymentID, secret, principal},
		{oldPath + "&client_id=" + deploymentID, secret, hostID},
	} {
		origin := login
		if strings.HasPrefix(test.path, "/metadata/") {
			origin = imds
		}
		got := askIdentity(t, fake, origin+test.path+"&resource="+apiURI, test.header)
		if !directory.IsGUID(test.want) {
			assert.Equal(t, http.StatusBadRequest, got.Status, test.path)
			assert.Contains(t, got.Body, test.want)
			continue
		}
		require.Equal(t, http.StatusOK, got.Status, got.Body)
		raw := got.text("access_token")
		verifies(t, fake, raw)
		_, payload := claims(t, raw)
		assert.Equal(t, test.want, payload["oid"], test.path)
		assert.Equal(t, test.want, payload["sub"], test.path)
		assert.Equal(t, directory.DefaultAPIID, payload["aud"])
		assert.Equal(t, "2", payload["azpacr"])
		assert.Nil(t, payload["scp"])
		assert.Equal(t, test.want == principal, payload["roles"] != nil)
		assert.Equal(t, test.want == principal, payload["xms_mirid"] == deployment)
	}
}

// A machine without a system-assigned identity uses its only identity.
func TestManagedIdentityWithoutSystemAssigned(t *testing.T) {
	t.Parallel()
	identities := []directory.ManagedIdentity{{ID: deploymentID, DisplayName: "one"}}
	for _, test := range []struct {
		identities []directory.ManagedIdentity
		want       string
	}{
		{nil, "Identity not found"},
		{identities, `"client_id":"` + deploymentID},
		{append(identities, directory.ManagedIdentity{ID: directory.DefaultIdentityID, DisplayName: "two"}),
			"Multiple user assigned identities exist"},
	} {
		fake := newFake(t, fakeentra.Config{Directory: changed(func(t *directory.Tenant) {
			t.ManagedIdentities = test.identities
		})})
		got := askIdentity(t, fake, imds+"/metadata/identity/oauth2/token?api-version=2018-02-01&resource="+apiURI,
			map[string]string{"Metadata": "true"})
		assert.Contains(t, got.Body, test.want)
	}
}

func TestManagedIdentityRefusesStrangers(t *testing.T) {
	t.Parallel()
	d := withIdentities()
	d.Tenants[0].Apps[1].AssignmentRequired = true
	fake := newFake(t, fakeentra.Config{Directory: d, IdentityHeader: "s"})
	const metadata = "/metadata/identity/oauth2/token"
	const query = "?api-version=2018-02-01&resource=https://graph.microsoft.com"
	const query2019 = "?api-version=2019-08-01&resource=https://graph.microsoft.com"
	for _, test := range []struct {
		name   string
		method string
		path   string
		header string // NAME: VALUE, separated by line breaks
		remote string
		status int
		want   string
	}{
		{"good IMDS", "GET", metadata + query, "Metadata: true", "127.0.0.1:1", 200, "access_token"},
		{"good App Service", "GET", "/msi/token" + query2019, "X-Identity-Header: s", "[::1]:1", 200, "access_token"},
		{"capitals", "GET", metadata + query, "Metadata: True", "127.0.0.1:1", 400, "bad_request_102"},
		{"a proxy", "GET", metadata + query, "Metadata: true\nX-Forwarded-For: 10.0.0.1", "127.0.0.1:1", 400,
			"X-Forwarded-For"},
		{"an empty proxy", "GET", metadata + query, "Metadata: true\nX-Forwarded-For: ", "127.0.0.1:1", 400,
			"X-Forwarded-For"},
		{"another machine", "GET", metadata + query, "Metadata: true", "192.0.2.7:1", 403, "this machine"},
		{"another machine with the secret", "GET", "/msi/token" + query2019, "X-Identity-Header: s", "192.0.2.7:1",
			403, "this machine"},
		{"no secret", "GET", "/msi/token" + query2019, "", "127.0.0.1:1", 401, "X-IDENTITY-HEADER"},
		{"a wrong secret", "GET", "/msi/token" + query2019, "X-Identity-Header: S", "127.0.0.1:1", 401,
			"X-IDENTITY-HEADER"},
		{"the older header", "GET", "/msi/token" + query2019, "Secret: s", "127.0.0.1:1", 401, "X-IDENTITY-HEADER"},
		{"an older api-version", "GET", metadata + "?api-version=2017-12-01&resource=x", "Metadata: true",
			"127.0.0.1:1", 400, "2017-12-01"},
		{"no api-version", "GET", metadata + "?resource=x", "Metadata: true", "127.0.0.1:1", 400, "api-version"},
		{"no resource", "GET", metadata + "?api-version=2018-02-01", "Metadata: true", "127.0.0.1:1", 400, "resource"},
		{"an unknown version of App Service", "GET", "/msi/token?api-version=2020-01-01&resource=x",
			"X-Identity-Header: s", "127.0.0.1:1", 400, "2020-01-01"},
		{"no resource at App Service", "GET", "/msi/token?api-version=2019-08-01", "X-Identity-Header: s",
			"127.0.0.1:1", 400, "resource"},
		{"POST", "POST", metadata + query, "Metadata: true", "127.0.0.1:1", 405, ""},
		{"no assignment", "GET", metadata + "?api-version=2018-02-01&resource=" + apiURI, "Metadata: true",
			"127.0.0.1:1", 400, "AADSTS501051"},
	} {
		r := httptest.NewRequest(test.method, test.path, nil)
		r.RemoteAddr = test.remote
		for _, line := range strings.Split(test.header, "\n") {
			if name, value, found := strings.Cut(line, ": "); found {
				r.Header.Set(name, value)
			}
		}
		got := httptest.NewRecorder()
		fake.ServeHTTP(got, r)
		assert.Equal(t, test.status, got.Code, test.name)
		assert.Contains(t, got.Body.String(), test.want, test.name)
		assert.Empty(t, got.Header().Get("Access-Control-Allow-Origin"), test.name)
	}
}

// A managed identity is the credential of an app, as assertion of a federated credential.
func TestManagedIdentityAsCredential(t *testing.T) {
	t.Parallel()
	issuer := tenantURL + "/v2.0"
	fake := newFake(t, fakeentra.Config{Directory: changed(func(t *directory.Tenant) {
		t.Apps[0].FederatedCredentials = []directory.FederatedCredential{{Issuer: issuer, Subject: hostID}}
	})})
	assertion := askIdentity(t, fake,
		imds+"/metadata/identity/oauth2/token?api-version=2018-02-01&resource="+directory.FederatedAudience,
		map[string]string{"Metadata": "true"}).text("access_token")
	acquire := func(assertion string) error {
		credential := confidential.NewCredFromAssertionCallback(
			func(context.Context, confidential.AssertionRequestOptions) (string, error) { return assertion, nil },
		)
		_, err := confidentialClient(t, fake, directory.DefaultClientID, credential).
			AcquireTokenByCredential(t.Context(), []string{"https://graph.microsoft.com/.default"})
		return err
	}
	require.NoError(t, acquire(assertion))
	parts := strings.Split(assertion, ".")
	assert.ErrorContains(t, acquire(parts[0]+"."+parts[1]+"."+strings.Repeat("A", 342)), "AADSTS700027")
	other, err := fake.Mint(fakeentra.Token{Kind: fakeentra.AppToken, Claims: map[string]any{"sub": hostID}})
	require.NoError(t, err)
	assert.ErrorContains(t, acquire(other), "AADSTS700222", "a token of an app")
}

func TestMSALManagedIdentity(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{Directory: withIdentities()})
	// The library keeps one cache for the process, so the resource belongs to this test.
	const resource = "https://graph.microsoft.com/"
	for _, id := range []managedidentity.ID{
		managedidentity.SystemAssigned(),
		managedidentity.UserAssignedClientID(deploymentID),
		managedidentity.UserAssignedObjectID("5a1e0010-0000-4000-8000-0000000000fe"),
		managedidentity.UserAssignedResourceID(deployment),
	} {
		client, err := managedidentity.New(id, managedidentity.WithHTTPClient(fake.Client()))
		require.NoError(t, err)
		result, err := client.AcquireToken(t.Context(), resource)
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now().Add(24*time.Hour), result.ExpiresOn, time.Minute)
	}
	require.NoError(t, fake.Inject(fault.Fault{
		On:     endpoint.ManagedIdentity,
		Status: http.StatusBadRequest,
		Body:   `{"error":"invalid_request","error_description":"Identity not found"}`,
	}))
	client, err := managedidentity.New(managedidentity.UserAssignedClientID(hostID),
		managedidentity.WithHTTPClient(fake.Client()))
	require.NoError(t, err)
	_, err = client.AcquireToken(t.Context(), resource)
	assert.ErrorContains(t, err, "Identity not found")
}

// defaultCredential gets a token as a program on the machine does.
func defaultCredential(ctx context.Context, options azcore.ClientOptions) (azcore.AccessToken, error) {
	credential, err := azidentity.NewDefaultAzureCredential(
		&azidentity.DefaultAzureCredentialOptions{ClientOptions: options},
	)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	return credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{apiURI + "/.default"}})
}

func TestDefaultAzureCredentialOfAMachine(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{})
	token, err := defaultCredential(t.Context(), azcore.ClientOptions{Transport: fake.Client()})
	require.NoError(t, err)
	verifies(t, fake, token.Token)
}

const processVariable = "FAKEENTRA_TEST_PROCESS"

// App Service gives a process its environment, so the library runs in one.
func TestDefaultAzureCredentialOfAProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv(processVariable) != "" {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // leaves no goroutine
		token, err := defaultCredential(t.Context(), azcore.ClientOptions{Transport: client})
		require.NoError(t, err)
		fmt.Printf("token %s\n", token.Token)
		return
	}
	fake := fakeentra.NewServer(fakeentra.Config{})
	defer fake.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	process := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$")
	process.Env = append(os.Environ(), processVariable+"=1")
	process.Env = append(process.Env, fake.IdentityEnvironment()...)
	output, err := process.CombinedOutput()
	require.NoError(t, err, "%s", output)
	_, token, _ := strings.Cut(string(output), "token ")
	token, _, _ = strings.Cut(token, "\n")
	_, payload := claims(t, token)
	assert.Equal(t, hostID, payload["oid"])
	assert.Equal(t, fake.URL+"/"+directory.DefaultTenantID+"/v2.0", payload["iss"])
}
