package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"mcpentra/fakeentra/internal/certificate"
	"mcpentra/fakeentra/internal/verify/mask"
	"mcpentra/fakeentra/internal/verify/recording"
)

// Bounds of an exchange.
const (
	maxRequest = 1 << 20 // bytes
	maxAnswer  = 8 << 20 // bytes
)

// A Config describes a Proxy. All fields are required.
type Config struct {
	// Origins are the schemes and hosts that the proxy passes requests on to.
	Origins []string
	// Transport sends the requests on.
	Transport http.RoundTripper
	Masker    mask.Masker
	// Record receives each masked exchange, one at a time.
	Record func(recording.Exchange) error
	// Failed receives the errors of single requests, without addresses.
	Failed func(err error)
}

// A Proxy is the handler of a proxy.
type Proxy struct {
	config Config
	tls    *tls.Config
	ca     []byte

	mu    sync.Mutex // guards Record and the count
	count int
}

// Count returns the number of recorded exchanges.
func (p *Proxy) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// New returns a proxy with a new CA.
func New(config Config) (*Proxy, error) {
	made, ca, err := certificate.New(time.Now(), config.Origins...)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return &Proxy{
		config: config,
		tls:    &tls.Config{Certificates: []tls.Certificate{made}, NextProtos: []string{"http/1.1"}},
		ca:     encode(ca),
	}, nil
}

func encode(ca *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})
}

// CAPEM returns the certificate of the CA in PEM. A program behind the proxy must trust it.
func (p *Proxy) CAPEM() []byte { return p.ca }

// ServeHTTP answers CONNECT, and requests with a full address.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodConnect:
		p.connect(w, r)
	case r.URL.IsAbs() && p.allows(r.URL.Scheme+"://"+r.URL.Host):
		p.pass(w, r, r.URL)
	default:
		p.refuse(w, r.Host)
	}
}

// allows reports whether an origin belongs to the authority.
func (p *Proxy) allows(origin string) bool {
	return slices.ContainsFunc(p.config.Origins, func(known string) bool { return strings.EqualFold(known, origin) })
}

func (p *Proxy) refuse(w http.ResponseWriter, host string) {
	text := fmt.Sprintf("fakeentra record passes on requests to %s; add %s to NO_PROXY",
		strings.Join(p.config.Origins, ", "), host)
	http.Error(w, text, http.StatusForbidden)
}

// connect ends a TLS connection here and serves its requests.
func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	host := strings.TrimSuffix(r.Host, ":443")
	if !p.allows("https://" + host) {
		p.refuse(w, r.Host)
		return
	}
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_, err = io.WriteString(connection, "HTTP/1.1 200 Connection established\r\n\r\n")
	}
	if err != nil {
		p.config.Failed(fmt.Errorf("proxy: %w", err))
		return
	}
	defer connection.Close()
	listener := newOneConnection(tls.Server(connection, p.tls))
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, inner *http.Request) {
			target := *inner.URL
			target.Scheme = "https"
			target.Host = host
			p.pass(w, inner, &target)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          silent,
		ConnState:         listener.follow,
	}
	_ = server.Serve(listener) // ends with the connection
}

// pass sends a request on, records it with its answer, and answers.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, target *url.URL) {
	sent, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "the request is too long for fakeentra record", http.StatusRequestEntityTooLarge)
		return
	}
	request, err := http.NewRequestWithContext(r.Context(), r.Method, target.String(), bytes.NewReader(sent))
	if err != nil {
		http.Error(w, "the address is not valid", http.StatusBadRequest)
		return
	}
	request.Header = r.Header.Clone()
	removeHopByHop(request.Header)
	request.Header.Del("Accept-Encoding") // the transport adds its own and decompresses
	response, body, err := p.send(request)
	if err != nil {
		p.config.Failed(err)
		http.Error(w, "fakeentra record cannot reach the authority", http.StatusBadGateway)
		return
	}
	header := response.Header.Clone()
	removeHopByHop(header)
	header.Del("Content-Length")
	p.record(mask.Raw{
		Method:        r.Method,
		URL:           target,
		RequestHeader: r.Header,
		RequestBody:   sent,
		Status:        response.StatusCode,
		Header:        header,
		Body:          body,
	})
	maps.Copy(w.Header(), header)
	w.WriteHeader(response.StatusCode)
	_, _ = w.Write(body)
}

// send sends a request on and reads its answer. Its error has no address.
func (p *Proxy) send(request *http.Request) (*http.Response, []byte, error) {
	response, err := p.config.Transport.RoundTrip(request)
	if err != nil {
		return nil, nil, fmt.Errorf("proxy: the authority cannot be reached: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("want at most %d bytes", maxAnswer)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("proxy: the answer cannot be read: %w", err)
	}
	return response, body, nil
}

func (p *Proxy) record(raw mask.Raw) {
	exchange := p.config.Masker.Exchange(raw)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.config.Record(exchange); err != nil {
		p.config.Failed(fmt.Errorf("proxy: the recording cannot be written: %w", err))
		return
	}
	p.count++
}

// removeHopByHop removes the fields that are for one connection (RFC 9110 section 7.6.1).
func removeHopByHop(header http.Header) {
	for _, list := range header.Values("Connection") {
		for name := range strings.SplitSeq(list, ",") {
			header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range []string{
		"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade",
	} {
		header.Del(name)
	}
}
