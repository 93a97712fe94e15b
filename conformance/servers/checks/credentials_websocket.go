package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/vocabulary"
)

// credentialsWebSocketChecks returns the checks of server/credentials about WebSockets. Browsers
// cannot add an Authorization header to their handshake, so servers invent other places for a
// token.
func credentialsWebSocketChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/credentials/websocket",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "MCP authorization, Token Requirements; RFC 6455 section 4.1",
				Sentence: "A token among the subprotocols of a WebSocket is ignored, and a WebSocket serves " +
					"nothing without a token.",
				Covers: []string{"RS-003"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(credentialsWebSocket),
		},
	}
}

// credentialsWebSocket tries server/credentials/websocket.
func credentialsWebSocket(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	sweep := attack.Sweep{
		Claims:     valueClaims(vocabulary.Subprotocol, "Sec-WebSocket-Protocol"),
		Bases:      bases[:1],
		CarryToken: true,
	}
	tries := []func() error{func() error { return sweep.Run(ctx, p, trial) }}
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	origin := endpoint.Scheme + "://" + endpoint.Host
	addresses := []string{p.URL(), strings.TrimSuffix(p.URL(), "/") + "/ws", origin + "/ws", origin + "/websocket"}
	for _, address := range addresses {
		tries = append(tries, func() error { return tryWebSocket(ctx, p, trial, address) })
	}
	return inputs.TryAll(tries, func(try func() error) error { return try() })
}

// tryWebSocket opens WebSockets at an address without a token, and with one in other places.
func tryWebSocket(ctx context.Context, p *bench.Probe, trial *bench.Trial, address string) error {
	message := p.Clone().First().Body
	name := "a WebSocket at " + address
	bare, answer, err := attack.WebSocket(ctx, p, attack.Handshake{URL: address, Message: message})
	switch {
	case err != nil:
		return err
	case attack.HasResult(answer):
		return &check.Mismatch{
			Want:     "no result without a token: " + name,
			Got:      "the result of the first message",
			Insecure: true,
			Level:    check.Must,
			Severity: check.Critical,
		}
	case bare == http.StatusSwitchingProtocols, bare == http.StatusNotFound, bare == 0:
		return nil // the server asks for a token later, or has no WebSocket there
	}
	var handshakes []attack.Handshake
	for _, value := range vocabulary.Names(vocabulary.Subprotocol) {
		handshakes = append(handshakes, attack.Handshake{URL: address, Protocol: withToken(value, trial.Token)})
	}
	for _, parameter := range vocabulary.Names(vocabulary.Query)[:40] {
		query := url.Values{parameter: {trial.Token}}
		handshakes = append(handshakes, attack.Handshake{URL: address, Query: query})
	}
	return tryFew(ctx, handshakes, func(handshake attack.Handshake) error {
		status, _, err := attack.WebSocket(ctx, p, handshake)
		if err != nil || status != http.StatusSwitchingProtocols {
			return err
		}
		mismatch := &check.Mismatch{
			Want:     fmt.Sprintf("status %d, as without a token, to a token among the subprotocols: %s", bare, name),
			Got:      fmt.Sprintf("status %d", status),
			Insecure: true,
		}
		for parameter := range handshake.Query {
			mismatch.Want = fmt.Sprintf("status %d, as without a token, to the parameter %s: %s", bare, parameter, name)
			mismatch.Level = check.Must
			mismatch.Severity = check.High
		}
		return mismatch
	})
}
