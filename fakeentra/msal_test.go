package fakeentra_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent"
)

// What passes here is other people's software, told nothing but where to find its HTTP client.

const middleTierID = "5a1e0002-0000-4000-8000-0000000000aa"

func newCertificate(t *testing.T) (*x509.Certificate, crypto.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7),
		Subject:      pkix.Name{CommonName: "daemon"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return certificate, key
}

func confidentialClient(
	t *testing.T,
	fake *fakeentra.Fake,
	id string,
	credential confidential.Credential,
) confidential.Client {
	t.Helper()
	client, err := confidential.New(tenantURL, id, credential, confidential.WithHTTPClient(fake.Client()))
	require.NoError(t, err)
	return client
}

func TestMSALClientCredentials(t *testing.T) {
	t.Parallel()
	d, certificate, key := directoryOfApps(t)
	fake := newFake(t, fakeentra.Config{Directory: d})
	bySecret, err := confidential.NewCredFromSecret(directory.DefaultClientSecret)
	require.NoError(t, err)
	byCertificate, err := confidential.NewCredFromCert([]*x509.Certificate{certificate}, key)
	require.NoError(t, err)
	for _, test := range []struct {
		name       string
		credential confidential.Credential
		strength   string
	}{
		{"secret", bySecret, "1"},
		{"certificate", byCertificate, "2"},
	} {
		client := confidentialClient(t, fake, directory.DefaultClientID, test.credential)
		result, err := client.AcquireTokenByCredential(t.Context(), []string{apiURI + "/.default"})
		require.NoError(t, err, test.name)
		_, payload := claims(t, result.AccessToken)
		assert.Equal(t, test.strength, payload["azpacr"])
		verifies(t, fake, result.AccessToken)
	}
	wrong, err := confidential.NewCredFromSecret("guess")
	require.NoError(t, err)
	_, err = confidentialClient(t, fake, directory.DefaultClientID, wrong).
		AcquireTokenByCredential(t.Context(), []string{"https://graph.microsoft.com/.default"})
	var call msal.CallErr
	require.ErrorAs(t, err, &call)
	assert.Contains(t, call.Error(), "AADSTS7000215")

	foreign, foreignKey := newCertificate(t)
	stranger, err := confidential.NewCredFromCert([]*x509.Certificate{foreign}, foreignKey)
	require.NoError(t, err)
	_, err = confidentialClient(t, fake, directory.DefaultClientID, stranger).
		AcquireTokenByCredential(t.Context(), []string{"https://graph.microsoft.com/.default"})
	assert.ErrorContains(t, err, "AADSTS700027")
}

// A token of another issuer replaces a credential; here another fake issues it.
func TestMSALFederatedCredential(t *testing.T) {
	t.Parallel()
	d, _, _ := directoryOfApps(t)
	workload := newFake(t, fakeentra.Config{PublicURL: "https://workload.test"})
	fake := newFake(t, fakeentra.Config{Directory: d, FederationClient: workload.Client()})
	mint := func(edit func(map[string]any)) confidential.Credential {
		return confidential.NewCredFromAssertionCallback(
			func(context.Context, confidential.AssertionRequestOptions) (string, error) {
				return workload.Mint(fakeentra.Token{Edit: func(claims map[string]any) {
					claims["sub"] = "workload"
					claims["aud"] = directory.FederatedAudience
					edit(claims)
				}})
			},
		)
	}
	scopes := []string{"https://graph.microsoft.com/.default"}
	_, err := confidentialClient(
		t,
		fake,
		directory.DefaultClientID,
		mint(func(map[string]any) {}),
	).AcquireTokenByCredential(t.Context(), scopes)
	require.NoError(t, err)
	for _, test := range []struct {
		number string
		edit   func(map[string]any)
	}{
		{"AADSTS700211", func(claims map[string]any) { claims["iss"] = "https://elsewhere.test" }},
		{"AADSTS7002138", func(claims map[string]any) { claims["sub"] = "Workload" }},
		{"AADSTS700213", func(claims map[string]any) { claims["sub"] = "another workload" }},
		{"AADSTS700212", func(claims map[string]any) { claims["aud"] = "api://other" }},
		{"AADSTS700024", func(claims map[string]any) { claims["exp"] = 1 }},
	} {
		_, err := confidentialClient(
			t,
			fake,
			directory.DefaultClientID,
			mint(test.edit),
		).AcquireTokenByCredential(t.Context(), scopes)
		assert.ErrorContains(t, err, test.number)
	}
}

func TestMSALAuthorizationCodeAndSilentRefresh(t *testing.T) {
	t.Parallel()
	d, _, _ := directoryOfApps(t)
	now := time.Now()
	fake := newFake(t, fakeentra.Config{Directory: d, AutoSignIn: true, Now: func() time.Time { return now }})
	credential, err := confidential.NewCredFromSecret(directory.DefaultClientSecret)
	require.NoError(t, err)
	client := confidentialClient(t, fake, directory.DefaultClientID, credential)
	address, err := client.AuthCodeURL(t.Context(), directory.DefaultClientID, callback, []string{apiScope})
	require.NoError(t, err)
	code := returned(t, get(t, fake, address)).Get("code")
	result, err := client.AcquireTokenByAuthCode(t.Context(), code, callback, []string{apiScope})
	require.NoError(t, err)
	assert.Equal(t, "AdeleV@contoso.onmicrosoft.com", result.Account.PreferredUsername)
	assert.Equal(t, directory.DefaultUserID+"."+directory.DefaultTenantID, result.Account.HomeAccountID)
	assert.Equal(t, "Adele Vance", result.IDToken.Name)
	silent, err := client.AcquireTokenSilent(
		t.Context(),
		[]string{"User.Read"},
		confidential.WithSilentAccount(result.Account),
	)
	require.NoError(t, err, "by refresh token, for another resource")
	assert.NotEqual(t, result.AccessToken, silent.AccessToken)
}

func TestMSALOnBehalfOf(t *testing.T) {
	t.Parallel()
	d, _, _ := directoryOfApps(t)
	fake := newFake(t, fakeentra.Config{Directory: d})
	credential, err := confidential.NewCredFromSecret("middle")
	require.NoError(t, err)
	client := confidentialClient(t, fake, middleTierID, credential)
	mint := func(edit func(map[string]any)) string {
		raw, err := fake.Mint(fakeentra.Token{API: middleTierID, Edit: edit})
		require.NoError(t, err)
		return raw
	}
	result, err := client.AcquireTokenOnBehalfOf(t.Context(), mint(nil), []string{"User.Read"})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.microsoft.com/v1.0/me", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+result.AccessToken)
	assert.Equal(t, "Adele Vance", do(t, fake, r).text("displayName"))

	for _, test := range []struct {
		number    string
		assertion string
	}{
		{"AADSTS500131", mint(func(claims map[string]any) { claims["aud"] = directory.DefaultAPIID })},
		{"AADSTS500133", mint(func(claims map[string]any) { claims["exp"] = 1 })},
		{"AADSTS7000114", mint(func(claims map[string]any) { delete(claims, "scp") })},
		{"AADSTS240002", mint(func(claims map[string]any) { delete(claims, "azp") })},
		{"AADSTS50013", mint(nil) + "x"},
	} {
		_, err := client.AcquireTokenOnBehalfOf(t.Context(), test.assertion, []string{"User.Read"})
		assert.ErrorContains(t, err, test.number)
	}
	_, err = client.AcquireTokenOnBehalfOf(t.Context(), mint(nil), []string{"Calendars.Read"})
	assert.ErrorContains(t, err, "AADSTS65001", "the API was not consented to for this")
}

func TestMSALInteractive(t *testing.T) {
	t.Parallel()
	d, _, _ := directoryOfApps(t)
	fake := fakeentra.NewTLSServer(fakeentra.Config{Directory: d})
	defer fake.Close()
	client, err := public.New(directory.DefaultAPIID, public.WithAuthority(fake.URL+"/"+directory.DefaultTenantID),
		public.WithHTTPClient(fake.Client()), public.WithInstanceDiscovery(false))
	require.NoError(t, err)
	person := &useragent.Browser{Transport: fake.Client().Transport}
	visited := make(chan error, 1)
	result, err := client.AcquireTokenInteractive(
		t.Context(),
		[]string{"User.Read"},
		public.WithOpenURL(func(address string) error {
			go func() {
				_, err := person.Visit(t.Context(), address)
				visited <- err
			}()
			return nil
		}),
	)
	require.NoError(t, err)
	require.NoError(t, <-visited)
	assert.Equal(t, "AdeleV@contoso.onmicrosoft.com", result.Account.PreferredUsername)
	_, err = client.AcquireTokenSilent(t.Context(), []string{"User.Read"}, public.WithSilentAccount(result.Account))
	require.NoError(t, err)
}

// The library waits between its questions; inside the bubble that costs no time.
func TestMSALDeviceCode(t *testing.T) {
	t.Parallel()
	d, _, _ := directoryOfApps(t)
	d.Tenants[0].Apps[1].Consented = nil // so that there is something to decline
	for _, test := range []struct {
		answer string
		want   string
	}{
		{"approve", ""},
		{"decline", "authorization_declined"},
		{"no answer", "context deadline exceeded"},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := newFake(t, fakeentra.Config{Directory: d})
			client, err := public.New(
				directory.DefaultAPIID,
				public.WithAuthority(tenantURL),
				public.WithHTTPClient(fake.Client()),
			)
			require.NoError(t, err)
			code, err := client.AcquireTokenByDeviceCode(t.Context(), []string{"User.Read"})
			require.NoError(t, err)
			assert.Len(t, code.Result.UserCode, 9)
			assert.Contains(t, code.Result.Message, code.Result.UserCode)
			if test.answer != "no answer" {
				go func() {
					time.Sleep(12 * time.Second) // of the bubble's clock
					person := &useragent.Browser{Transport: fake.Client().Transport, Deny: test.answer == "decline"}
					page, err := person.Visit(
						t.Context(),
						"https://login.microsoftonline.com/device?user_code="+code.Result.UserCode,
					)
					assert.NoError(t, err)
					assert.Contains(t, page.Title, "device")
				}()
			}
			result, err := code.AuthenticationResult(t.Context())
			if test.want != "" {
				require.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "AdeleV@contoso.onmicrosoft.com", result.Account.PreferredUsername)
		})
	}
}

func TestMSALPassword(t *testing.T) {
	t.Parallel()
	d, _, _ := directoryOfApps(t)
	fake := newFake(t, fakeentra.Config{Directory: d})
	client, err := public.New(
		directory.DefaultAPIID,
		public.WithAuthority(tenantURL),
		public.WithHTTPClient(fake.Client()),
	)
	require.NoError(t, err)
	//lint:ignore SA1019 the password grant is part of Entra ID, and this is the library's way to it
	result, err := client.AcquireTokenByUsernamePassword(
		t.Context(),
		[]string{"User.Read"},
		"AlexW@contoso.onmicrosoft.com",
		"correct horse",
	)
	require.NoError(t, err)
	assert.Equal(t, "Alex Wilber", result.IDToken.Name)
	//lint:ignore SA1019 as above
	_, err = client.AcquireTokenByUsernamePassword(
		t.Context(),
		[]string{"User.Read"},
		"AlexW@contoso.onmicrosoft.com",
		"guess",
	)
	assert.ErrorContains(t, err, "AADSTS50126")
}

func TestAzureIdentity(t *testing.T) {
	t.Parallel()
	d, certificate, key := directoryOfApps(t)
	fake := newFake(t, fakeentra.Config{Directory: d})
	options := azcore.ClientOptions{Transport: fake.Client(), Cloud: cloud.AzurePublic}
	scopes := policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}}

	bySecret, err := azidentity.NewClientSecretCredential(
		directory.DefaultTenantID,
		directory.DefaultClientID,
		directory.DefaultClientSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options},
	)
	require.NoError(t, err)
	byCertificate, err := azidentity.NewClientCertificateCredential(
		directory.DefaultTenantID,
		directory.DefaultClientID,
		[]*x509.Certificate{certificate},
		key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: options},
	)
	require.NoError(t, err)
	byAssertion, err := azidentity.NewClientAssertionCredential(
		directory.DefaultTenantID,
		directory.DefaultClientID,
		func(context.Context) (string, error) {
			return clientAssertion(t, key, jose.PS256, nil, nil), nil
		},
		&azidentity.ClientAssertionCredentialOptions{ClientOptions: options},
	)
	require.NoError(t, err)
	assertion, err := fake.Mint(fakeentra.Token{API: middleTierID})
	require.NoError(t, err)
	onBehalf, err := azidentity.NewOnBehalfOfCredentialWithSecret(
		directory.DefaultTenantID,
		middleTierID,
		assertion,
		"middle",
		&azidentity.OnBehalfOfCredentialOptions{ClientOptions: options},
	)
	require.NoError(t, err)
	for _, test := range []struct {
		name       string
		credential azcore.TokenCredential
	}{
		{"secret", bySecret},
		{"certificate", byCertificate},
		{"assertion", byAssertion},
		{"on behalf of", onBehalf},
	} {
		token, err := test.credential.GetToken(t.Context(), scopes)
		require.NoError(t, err, test.name)
		assert.NotEmpty(t, token.Token, test.name)
	}
}

func TestGoOIDC(t *testing.T) {
	t.Parallel()
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	ctx := oidc.ClientContext(t.Context(), fake.Client())
	provider, err := oidc.NewProvider(ctx, tenantURL+"/v2.0")
	require.NoError(t, err)
	_, err = oidc.NewProvider(ctx, "https://login.microsoftonline.com/common/v2.0")
	require.ErrorContains(t, err, "{tenantid}", "the shared document's issuer is a template")

	config := oauth2.Config{
		ClientID:     directory.DefaultClientID,
		ClientSecret: directory.DefaultClientSecret,
		RedirectURL:  callback,
		Endpoint:     provider.Endpoint(),
		Scopes:       []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess},
	}
	verifier := oauth2.GenerateVerifier()
	back := returned(
		t,
		get(t, fake, config.AuthCodeURL("state", oidc.Nonce("n"), oauth2.S256ChallengeOption(verifier))),
	)
	token, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	raw, _ := token.Extra("id_token").(string)
	checked, err := provider.Verifier(&oidc.Config{ClientID: directory.DefaultClientID}).Verify(ctx, raw)
	require.NoError(t, err)
	assert.Equal(t, "n", checked.Nonce)

	info, err := provider.UserInfo(ctx, config.TokenSource(ctx, token))
	require.NoError(t, err)
	assert.Equal(t, checked.Subject, info.Subject, "userinfo has the sub of the client's ID token")
	assert.Equal(t, directory.DefaultUser, info.Email)

	token.Expiry = time.Now().Add(-time.Hour)
	renewed, err := config.TokenSource(ctx, token).Token()
	require.NoError(t, err)
	assert.NotEqual(t, token.AccessToken, renewed.AccessToken)

	// A key that is published later is found when its first token comes.
	require.NoError(t, fake.Rotate())
	require.NoError(t, fake.Rotate())
	next := idToken(t, fake, renewed.RefreshToken)
	_, err = provider.Verifier(&oidc.Config{ClientID: directory.DefaultClientID}).Verify(ctx, next)
	require.NoError(t, err)
}

func idToken(t *testing.T, fake *fakeentra.Fake, refresh string) string {
	t.Helper()
	got := token(t, fake, refreshing(refresh, nil))
	require.Equal(t, http.StatusOK, got.Status, got.Body)
	return got.text("id_token")
}

// The generic library, told nothing of Entra ID but its addresses: client credentials, code,
// refresh and device code, with the secret in the header, where it tries first, and in the body.
// Inside the bubble its waiting costs no time.
func TestOAuth2(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testOAuth2)
}

func testOAuth2(t *testing.T) {
	d := changed(func(t *directory.Tenant) { t.Apps[1].AllowPublicFlows = true })
	fake := newFake(t, fakeentra.Config{AutoSignIn: true, Directory: d})
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, fake.Client())
	endpoint := oauth2.Endpoint{
		AuthURL:       tenantURL + "/oauth2/v2.0/authorize",
		TokenURL:      tenantURL + "/oauth2/v2.0/token",
		DeviceAuthURL: tenantURL + "/oauth2/v2.0/devicecode",
	}
	for _, style := range []oauth2.AuthStyle{
		oauth2.AuthStyleAutoDetect,
		oauth2.AuthStyleInHeader,
		oauth2.AuthStyleInParams,
	} {
		endpoint.AuthStyle = style
		app := clientcredentials.Config{
			ClientID:     directory.DefaultClientID,
			ClientSecret: directory.DefaultClientSecret,
			TokenURL:     endpoint.TokenURL,
			AuthStyle:    style,
			Scopes:       []string{"api://" + directory.DefaultAPIID + "/.default"},
		}
		_, err := app.Token(ctx)
		require.NoError(t, err)
		config := oauth2.Config{
			ClientID:     directory.DefaultClientID,
			ClientSecret: directory.DefaultClientSecret,
			RedirectURL:  callback,
			Endpoint:     endpoint,
			Scopes:       []string{"offline_access", apiScope},
		}
		verifier := oauth2.GenerateVerifier()
		code := returned(t, get(t, fake, config.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier)))).Get("code")
		token, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		require.NoError(t, err)
		token.Expiry = time.Now().Add(-time.Hour)
		renewed, err := config.TokenSource(ctx, token).Token()
		require.NoError(t, err)
		assert.NotEqual(t, token.RefreshToken, renewed.RefreshToken)
		app.ClientSecret = "guess"
		_, err = app.Token(ctx)
		var refused *oauth2.RetrieveError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, "invalid_client", refused.ErrorCode)
	}
	device := oauth2.Config{ClientID: directory.DefaultAPIID, Endpoint: endpoint, Scopes: []string{"User.Read"}}
	asked, err := device.DeviceAuth(ctx)
	require.NoError(t, err)
	assert.Empty(t, asked.VerificationURIComplete)
	r, err := http.NewRequestWithContext(
		ctx,
		http.MethodPost,
		asked.VerificationURI,
		strings.NewReader(url.Values{"user_code": {asked.UserCode}}.Encode()),
	)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	assert.Contains(t, do(t, fake, r).Body, "You have signed in")
	_, err = device.DeviceAccessToken(ctx, asked)
	require.NoError(t, err)
}
