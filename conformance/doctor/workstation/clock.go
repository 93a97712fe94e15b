package workstation

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"mcpentra/conformance/doctor"
)

// How far the clocks may differ. Servers refuse tokens from the future after some minutes.
const (
	noticedSkew = time.Minute
	harmfulSkew = 5 * time.Minute
)

// clock compares this machine's clock with the server's. The request is a GET without credentials.
func (m *machine) clock(ctx context.Context, step *doctor.Step) {
	sent := m.config.Walk.Now()
	date, err := m.serverDate(ctx)
	if err != nil {
		did(step, "the server's clock is unknown: %v", err)
		fine(step, "clock-unknown", "the clocks were not compared")
		return
	}
	skew := sent.Add(m.config.Walk.Now().Sub(sent) / 2).Sub(date).Round(time.Second)
	did(step, "this machine's clock and the server's differ by %v", skew.Abs())
	if skew.Abs() < noticedSkew {
		fine(step, "clock-right", "the clocks agree")
		return
	}
	side := "ahead of"
	if skew < 0 {
		side = "behind"
	}
	finding := doctor.Finding{
		Code:    "clock-wrong",
		Kind:    doctor.Warning,
		Seen:    fmt.Sprintf("this machine's clock is %v %s the server's", skew.Abs(), side),
		Why:     "Tokens, certificates and the proofs of DPoP are valid for a time.",
		Effects: stops("it refreshes tokens at the wrong time, and servers refuse its assertions"),
		Fixes:   []doctor.Fix{change("this machine", "turn on time synchronisation: timedatectl set-ntp true")},
	}
	if skew.Abs() >= harmfulSkew {
		finding.Kind = doctor.Fault
	}
	step.Add(finding)
}

// serverDate returns the Date of an answer of the server.
func (m *machine) serverDate(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, m.config.Walk.Patience)
	defer cancel()
	transport := &http.Transport{
		Proxy:       func(request *http.Request) (*url.URL, error) { return m.proxyFor(request.URL) },
		DialContext: m.direct,
		// The date needs no trust. The walk reports a certificate that is wrong.
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true},
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true,
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.config.URL, nil)
	if err != nil {
		return time.Time{}, errors.New("the address is not a URL") // the cause repeats the address
	}
	request.URL.User = nil
	request.Header.Set("Accept", "application/json, text/event-stream")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return time.Time{}, err
	}
	_ = response.Body.Close()
	return http.ParseTime(response.Header.Get("Date"))
}
