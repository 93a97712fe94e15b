package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"

	"mcpentra/client/tokenstore"
)

// maxBody bounds a request body that is kept to be sent again.
const maxBody = 16 << 20

// A Transport is an http.RoundTripper for one MCP server. It is safe for concurrent use.
type Transport struct {
	config  Config
	server  *url.URL
	policy  *addressPolicy
	stepUps *stepUps
	tokens  *tokens
}

// New makes a Transport.
func New(config Config) (*Transport, error) {
	server, err := ReadServerURL(config.Server)
	if err != nil {
		return nil, err
	}
	if err := config.setDefaults(); err != nil {
		return nil, err
	}
	t := &Transport{
		config:  config,
		server:  server,
		policy:  &addressPolicy{server: server, lookup: config.LookupIP},
		stepUps: newStepUps(),
	}
	channel := &backChannel{
		config: &t.config,
		server: server,
		http:   config.httpClient(t.policy.transport(config.Base)),
	}
	preparing, endPreparing := t.policy.preparing(config.Base)
	channel.preparing = config.httpClient(preparing)
	channel.endPreparing = endPreparing
	t.tokens = &tokens{
		config:  &t.config,
		channel: channel,
		key:     tokenstore.Key{Resource: server.String(), Account: config.Account},
		stepUps: t.stepUps,
		worker:  newWorker(),
	}
	return t, nil
}

// RoundTrip sends a request, and signs in if the server asks for it. Requests to other origins pass
// unchanged. Requests to paths of the server's origin that the token's resource does not cover
// carry no token. The errors are the network's, or a *SignInError.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if !sameOrigin(t.server, request.URL) {
		return t.config.Base.RoundTrip(request)
	}
	body, err := rewindable(request)
	if err != nil {
		return nil, err
	}
	a := attempts{request: request, body: body}
	for {
		token, err := t.tokens.get(request.Context())
		if !covers(t.server, token, request) {
			return t.sendBare(request, body)
		}
		if err != nil {
			return nil, err
		}
		response, err := t.send(request, body, token)
		if err != nil {
			return nil, err
		}
		again, err := t.answer(&a, token, response)
		if err != nil {
			return nil, err
		}
		if !again {
			return response, nil
		}
	}
}

// getBody returns the body of a request from its beginning.
type getBody func() (io.ReadCloser, error)

// rewindable returns the body of a request for any number of tries.
func rewindable(request *http.Request) (getBody, error) {
	if request.Body == nil || request.Body == http.NoBody {
		return func() (io.ReadCloser, error) { return http.NoBody, nil }, nil
	}
	if request.GetBody != nil {
		_ = request.Body.Close() // each try gets its own
		return request.GetBody, nil
	}
	defer request.Body.Close()
	text, err := io.ReadAll(io.LimitReader(request.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxBody {
		return nil, fmt.Errorf(
			"client: a request body of more than %d bytes cannot be sent again after a sign-in",
			maxBody,
		)
	}
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }, nil
}

// send sends a request with a token.
func (t *Transport) send(request *http.Request, body getBody, token *currentToken) (*http.Response, error) {
	try := request.WithContext(t.policy.watch(request)) // a copy
	var err error
	try.Body, err = body()
	if err != nil {
		return nil, err
	}
	try.Header = make(http.Header, len(request.Header)+2)
	maps.Copy(try.Header, request.Header)
	delete(try.Header, "Authorization") // the caller's may be for another server
	if token.access != "" {
		try.Header["Authorization"] = token.authorization
	}
	if token.dpop == nil {
		return t.config.Base.RoundTrip(try)
	}
	if err := token.dpop.Sign(try, token.access); err != nil {
		return nil, err
	}
	response, err := t.config.Base.RoundTrip(try)
	if err == nil {
		if response.Request == nil {
			response.Request = try
		}
		token.dpop.KeepNonce(response)
	}
	return response, err
}

// sendBare sends a request without a token.
func (t *Transport) sendBare(request *http.Request, body getBody) (*http.Response, error) {
	bare := request.Clone(request.Context())
	bare.Header.Del("Authorization") // the caller's may be for another server
	var err error
	bare.Body, err = body()
	if err != nil {
		return nil, err
	}
	return t.config.Base.RoundTrip(bare)
}

// Reset allows another sign-in after a refused one, or after SignOut. It waits for a running
// sign-in to end.
func (t *Transport) Reset() { t.tokens.reset() }

// SignOut revokes the grant at the authorization server and forgets its tokens. It reports whether
// there was a token. If the revocation fails, the error says so, and the tokens are forgotten
// anyway. Later requests fail with ErrSignedOut until Reset. So a request that ends a session
// starts no new sign-in.
func (t *Transport) SignOut(ctx context.Context) (bool, error) { return t.tokens.signOut(ctx) }

// Finish waits until no token request is under way. Call it before the program ends: without the
// answer to a code or refresh token that was sent, the person has to sign in again. It returns the
// context's error if that ends first.
func (t *Transport) Finish(ctx context.Context) error { return t.tokens.worker.wait(ctx) }
