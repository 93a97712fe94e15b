package fakeentra_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// rounds is how many interleaved rounds a ratio is the median of.
const rounds = 31

// median measures two things in turn, each first in every second round, and returns the median of
// base/other in processor time: over 1, the other one is cheaper.
func median(b *testing.B, base, other func()) float64 {
	base()
	other()
	var ratios []float64
	for round := range rounds {
		first := base
		second := other
		if round%2 == 1 {
			first = other
			second = base
		}
		start := cpu(b)
		first()
		middle := cpu(b)
		second()
		ratio := float64(middle-start) / float64(cpu(b)-middle)
		if round%2 == 1 {
			ratio = 1 / ratio
		}
		ratios = append(ratios, ratio)
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// bareIssuer signs n tokens of the same size for each request, and does nothing else.
func bareIssuer(b *testing.B, n int) *httptest.Server {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(b, err)
	fake := newBenchFake(b, fakeentra.Config{})
	sample, err := fake.Mint(fakeentra.Token{})
	require.NoError(b, err)
	signed := sample[:strings.LastIndexByte(sample, '.')]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		tokens := make([]string, n)
		for i := range tokens {
			digest := sha256.Sum256([]byte(signed))
			signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
			if err != nil {
				panic(err)
			}
			tokens[i] = signed + "." + base64.RawURLEncoding.EncodeToString(signature)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"token_type": "Bearer", "expires_in": 3599, "tokens": tokens})
	}))
	b.Cleanup(server.Close)
	return server
}

func newBenchFake(b *testing.B, config fakeentra.Config) *fakeentra.Fake {
	fake, err := fakeentra.New(config)
	require.NoError(b, err)
	return fake
}

func BenchmarkClientCredentials(b *testing.B) {
	bare := bareIssuer(b, 1)
	fake := fakeentra.NewServer(fakeentra.Config{})
	defer fake.Close()
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {directory.DefaultClientID},
		"client_secret": {directory.DefaultClientSecret},
		"scope":         {"api://" + directory.DefaultAPIID + "/.default"},
	}
	repeat := func(client *http.Client, address string) func() {
		return func() {
			for range 40 {
				post(b, client, address, form)
			}
		}
	}
	for b.Loop() {
		ratio := median(
			b,
			repeat(bare.Client(), bare.URL),
			repeat(fake.Client(), fake.URL+"/"+directory.DefaultTenantID+"/oauth2/v2.0/token"),
		)
		b.ReportMetric(ratio, "ratio")
		b.ReportMetric(0.90, "ratio>=")
	}
}

// BenchmarkCodeFlow is an authorization and a redemption, which sign an access token and an ID
// token; the bare handler answers two requests, and signs twice.
func BenchmarkCodeFlow(b *testing.B) {
	bare := bareIssuer(b, 2)
	fake := fakeentra.NewServer(fakeentra.Config{AutoSignIn: true})
	defer fake.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		w.Header().Set("Location", callback+"?code="+strings.Repeat("x", 700))
		w.WriteHeader(http.StatusFound)
	}))
	defer plain.Close()
	base := fake.URL + "/" + directory.DefaultTenantID + "/oauth2/v2.0/"
	query := "?" + request(map[string]string{"scope": "openid profile " + apiScope}).Encode()
	flow := func(client *http.Client, authorization, token string) func() {
		return func() {
			for range 20 {
				r, err := http.NewRequest(http.MethodGet, authorization, nil)
				require.NoError(b, err)
				response, err := client.Transport.RoundTrip(r)
				require.NoError(b, err)
				response.Body.Close()
				location, err := response.Location()
				require.NoError(b, err)
				post(b, client, token, redemption(location.Query().Get("code"), nil))
			}
		}
	}
	for b.Loop() {
		ratio := median(
			b,
			flow(bare.Client(), plain.URL+query, bare.URL),
			flow(fake.Client(), base+"authorize"+query, base+"token"),
		)
		b.ReportMetric(ratio, "ratio")
		b.ReportMetric(0.90, "ratio>=")
	}
}

// BenchmarkDiscovery is measured over real sockets; the bare handler writes the same headers and
// body, which it knows by heart.
func BenchmarkDiscovery(b *testing.B) {
	fake := fakeentra.NewServer(fakeentra.Config{})
	defer fake.Close()
	address := fake.URL + "/" + directory.DefaultTenantID + "/v2.0/.well-known/openid-configuration"
	read := func(client *http.Client, address string) (http.Header, []byte) {
		response, err := client.Get(address)
		require.NoError(b, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(b, err)
		return response.Header, body
	}
	header, body := read(fake.Client(), address)
	header.Del("Date")
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		_, _ = w.Write(body)
	}))
	defer bare.Close()
	repeat := func(client *http.Client, address string) func() {
		return func() {
			for range 1000 {
				read(client, address)
			}
		}
	}
	for b.Loop() {
		b.ReportMetric(1/median(b, repeat(bare.Client(), bare.URL), repeat(fake.Client(), address)), "times")
		b.ReportMetric(1.3, "times<=")
	}
}

func BenchmarkNew(b *testing.B) {
	newBenchFake(b, fakeentra.Config{}) // parses the embedded keys, once a process
	for b.Loop() {
		b.ReportMetric(typical(func() { newBenchFake(b, fakeentra.Config{}) }), "ms")
		b.ReportMetric(0.1, "ms<=")
	}
}

func BenchmarkNewServer(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(typical(func() { fakeentra.NewServer(fakeentra.Config{}).Close() }), "ms")
		b.ReportMetric(1, "ms<=")
	}
}

func BenchmarkFiftyServersAtOnce(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		servers := make([]*fakeentra.Server, 50)
		start := func() {
			var group sync.WaitGroup
			for i := range servers {
				group.Go(func() { servers[i] = fakeentra.NewServer(fakeentra.Config{}) })
			}
			group.Wait()
		}
		stop := func() {
			for _, server := range servers {
				server.Close()
			}
		}
		b.ReportMetric(typical(func() { start(); stop() }), "ms")
		b.ReportMetric(25, "ms<=")
		start()
		runtime.GC()
		runtime.ReadMemStats(&after)
		stop()
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB")
		b.ReportMetric(10, "MB<=")
	}
}

// typical is the median of many runs in milliseconds.
func typical(run func()) float64 {
	var took []time.Duration
	for range 101 {
		began := time.Now()
		run()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return float64(took[len(took)/2].Nanoseconds()) / 1e6
}
