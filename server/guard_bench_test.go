package server_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/server"
	"mcpentra/server/entra"
)

// nowhere is an http.ResponseWriter that drops answers and accepts deadlines.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header              { return n.header }
func (n *nowhere) WriteHeader(int)                  {}
func (n *nowhere) Write(p []byte) (int, error)      { return len(p), nil }
func (n *nowhere) SetReadDeadline(time.Time) error  { return nil }
func (n *nowhere) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkGuardAlone measures a call from handler to handler, without connections and with a token
// that was verified before. Both runs make the request, which is nearly all of the work of "bare".
// The difference is the guard.
func BenchmarkGuardAlone(b *testing.B) {
	fake := fakeentra.NewServer(fakeentra.Config{Directory: apiDirectory()})
	b.Cleanup(fake.Close)
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var room [512]byte
		for {
			if _, err := r.Body.Read(room[:]); err != nil {
				break
			}
		}
		_, _ = w.Write(room[:64])
	})
	guarded, err := server.New(b.Context(), server.Config{
		PublicURL: "http://localhost:8000",
		Direct:    &server.Direct{},
		MCP:       bare,
		Entra: entra.Config{
			Authority:           fake.URL,
			TenantID:            directory.DefaultTenantID,
			ClientID:            directory.DefaultAPIID,
			ClientSecret:        apiSecret,
			HTTPClient:          fake.Client(),
			TrustPublicFakeKeys: true,
		},
	})
	require.NoError(b, err)
	token, err := fake.Mint(fakeentra.Token{Claims: map[string]any{"scp": "access_as_user"}})
	require.NoError(b, err)
	address, err := url.Parse("http://localhost:8000/mcp")
	require.NoError(b, err)
	body := bytes.NewReader(nil)
	length := strconv.Itoa(len(echoCall))
	ctx := b.Context()
	call := func(handler http.Handler, w *nowhere) {
		clear(w.header)
		body.Reset([]byte(echoCall))
		handler.ServeHTTP(w, (&http.Request{
			Method:        http.MethodPost,
			URL:           address,
			Proto:         "HTTP/1.1",
			ProtoMajor:    1,
			ProtoMinor:    1,
			Host:          address.Host,
			Body:          io.NopCloser(body),
			ContentLength: int64(len(echoCall)),
			Header: http.Header{
				"Content-Type":         {"application/json"},
				"Accept":               {"application/json, text/event-stream"},
				"Mcp-Protocol-Version": {"2025-11-25"},
				"Authorization":        {"Bearer " + token},
				"User-Agent":           {"Go-http-client/1.1"},
				"Accept-Encoding":      {"gzip"},
				"Content-Length":       {length},
			},
		}).WithContext(ctx))
	}
	for _, run := range []struct {
		name    string
		handler http.Handler
	}{{"bare", bare}, {"guarded", guarded}} {
		b.Run(run.name, func(b *testing.B) {
			w := &nowhere{header: http.Header{}}
			call(run.handler, w)
			b.ReportAllocs()
			for b.Loop() {
				call(run.handler, w)
			}
		})
	}
}
