package verify_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/internal/verify"
	"mcpentra/fakeentra/internal/verify/compare"
	"mcpentra/fakeentra/internal/verify/proxy"
	"mcpentra/fakeentra/internal/verify/recording"
)

// A recorder is a listening proxy of fakeentra record, with a client that uses it.
type recorder struct {
	*proxy.Proxy
	file   bytes.Buffer
	client *http.Client
}

func newRecorder(t *testing.T, authority string, transport http.RoundTripper) *recorder {
	t.Helper()
	r := &recorder{}
	writer, err := recording.NewWriter(&r.file, verify.HeaderOf(authority))
	require.NoError(t, err)
	fake, _, err := verify.NewFake(authority, verify.Settings{})
	require.NoError(t, err)
	r.Proxy, err = proxy.New(proxy.Config{
		Origins:   verify.Origins(authority, fake.Values["graph"]),
		Transport: transport,
		Masker:    fake.Masker,
		Record:    writer.Write,
		Failed:    func(err error) { t.Error(err) },
	})
	require.NoError(t, err)
	listening := httptest.NewServer(r.Proxy)
	t.Cleanup(listening.Close)
	address, err := url.Parse(listening.URL)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(r.CAPEM()))
	r.client = &http.Client{Transport: &http.Transport{
		Proxy:           http.ProxyURL(address),
		TLSClientConfig: &tls.Config{RootCAs: pool},
	}}
	t.Cleanup(r.client.CloseIdleConnections)
	return r
}

// text returns the recording. The count waits for the proxy.
func (r *recorder) text(t *testing.T) string {
	t.Helper()
	require.NotZero(t, r.Count())
	return r.file.String()
}

// results compares the recording with the fake.
func (r *recorder) results(t *testing.T) []compare.Result {
	t.Helper()
	read, err := recording.Read(strings.NewReader(r.text(t)))
	require.NoError(t, err)
	fake, pace, err := verify.NewFake(verify.AuthorityOf(read.Header), verify.Settings{})
	require.NoError(t, err)
	requests, all := list(t)
	ours := verify.Ask(t.Context(), requests, fake, 2, pace)
	return verify.Judge(all, ours, verify.Match(requests, ours, read.Exchanges))
}

// MSAL works through the proxy with Microsoft's own addresses, and its traffic can be compared.
func TestRecordMSAL(t *testing.T) {
	t.Parallel()
	fake, err := fakeentra.New(fakeentra.Config{Directory: otherDirectory()})
	require.NoError(t, err)
	r := newRecorder(t, "https://login.microsoftonline.com", fake.Client().Transport)
	credential, err := confidential.NewCredFromSecret(otherSecret)
	require.NoError(t, err)
	const authority = "https://login.microsoftonline.com/" + otherTenant
	client, err := confidential.New(authority, otherClient, credential, confidential.WithHTTPClient(r.client))
	require.NoError(t, err)
	_, err = client.AcquireTokenByCredential(t.Context(), []string{"api://" + otherClient + "/.default"})
	require.NoError(t, err)
	judged := map[string]bool{}
	for _, result := range r.results(t) {
		assert.NotEqual(t, compare.Drift, result.Verdict, "%s: %s", result.Name(), result.Tenant)
		if result.Verdict == compare.Same {
			judged[result.Request] = true
		}
	}
	assert.True(t, judged["app-token"], "the token request of MSAL is compared")
	assert.True(t, judged["discovery-v2-tenant"])
	assert.NotContains(t, r.text(t), otherTenant)
	assert.NotContains(t, r.text(t), otherClient)
}

// The proxy passes on requests to the authority and to Graph alone.
func TestRecordRefusesOtherHosts(t *testing.T) {
	t.Parallel()
	fake, err := fakeentra.New(fakeentra.Config{})
	require.NoError(t, err)
	r := newRecorder(t, "https://login.microsoftonline.com", fake.Client().Transport)
	_, err = r.client.Get("https://internal.example/")
	require.ErrorContains(t, err, "Forbidden")
	response, err := r.client.Get("http://169.254.169.254/metadata/identity/oauth2/token")
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusForbidden, response.StatusCode)
	assert.Contains(t, string(body), "NO_PROXY")
	assert.Zero(t, r.Count())
}
