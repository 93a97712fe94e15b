package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

// maxPastes bounds how often a person may paste a wrong address.
const maxPastes = 10

// byPage sends a person to the authorization page, and redeems the code in the answer.
func (s *signIn) byPage(ctx context.Context) (*tokenrequest.Token, error) {
	redirectURI, callback, err := s.registerForPage(ctx)
	if err != nil {
		return nil, err
	}
	if callback != nil {
		defer callback.Close()
	}
	pending, err := signin.Begin(signin.Request{
		Issuer:      s.issuer,
		Client:      s.client,
		RedirectURI: redirectURI,
		Resource:    s.resource,
		Scopes:      s.scopes,
	})
	if err != nil {
		return nil, err
	}
	if err := signin.CheckPage(pending.URL); err != nil {
		return nil, &SignInError{err}
	}
	s.asked = true
	var params url.Values
	if callback == nil {
		params, err = s.paste(ctx, pending, redirectURI)
	} else {
		params, err = s.browse(ctx, pending, callback)
	}
	if err != nil {
		s.doubtRegistration()
		return nil, err
	}
	answer, err := pending.ReadResponse(params)
	if err != nil {
		return nil, &SignInError{err}
	}
	s.config.Trace(Answered{Issuer: params.Get("iss")})
	s.answerIss = answer.Issuer
	s.commit()
	s.channel.closeIdle()
	endpoint := s.tokenEndpoint()
	endpoint.Scope = s.config.scopeParameter(s.scopes)
	return endpoint.Redeem(ctx, answer.Code, answer.Verifier, redirectURI, s.resource)
}

// registerForPage listens for the answer and registers the client with the listener's address. With
// Config.Paste there is no listener. The caller closes the listener.
func (s *signIn) registerForPage(ctx context.Context) (string, *signin.Callback, error) {
	if s.config.Paste != nil {
		return s.config.RedirectURI, nil, s.register(ctx, s.config.RedirectURI)
	}
	callback, err := s.listen()
	if err != nil {
		return "", nil, err
	}
	registered := false
	defer func() { // also if Config.Trace ends the goroutine
		if !registered {
			callback.Close()
		}
	}()
	err = s.register(ctx, callback.RedirectURI)
	var refused *signin.RefusedError
	wrongURI := errors.As(err, &refused) && refused.Code == "invalid_redirect_uri"
	if wrongURI && s.config.RedirectURI == defaultRedirectURI {
		// Some authorization servers accept only the loopback address, not its name (RFC 8252
		// section 7.3).
		other, listenErr := signin.Listen("http://127.0.0.1/callback")
		if listenErr != nil {
			return "", nil, listenErr
		}
		callback.Close()
		callback = other
		err = s.register(ctx, callback.RedirectURI)
	}
	if err != nil {
		return "", nil, err
	}
	registered = true
	return callback.RedirectURI, callback, nil
}

// listen listens at the address of the last registration if it is free.
func (s *signIn) listen() (*signin.Callback, error) {
	if s.entry.RedirectURI != "" && s.config.ClientID == "" {
		if callback, err := signin.Listen(s.entry.RedirectURI); err == nil {
			return callback, nil
		}
	}
	return signin.Listen(s.config.RedirectURI)
}

// browse opens the page in the browser. It waits until the answer comes, the browser fails, or the
// time runs out. After one answer it listens no more.
func (s *signIn) browse(
	ctx context.Context, pending *signin.Authorization, callback *signin.Callback,
) (url.Values, error) {
	callback.Serve(pending.State)
	defer callback.Close()
	s.config.Trace(PageReady{URL: pending.URL, RedirectURI: callback.RedirectURI})
	waiting, cancel := context.WithTimeout(ctx, s.config.SignInTimeout)
	defer cancel()
	failed := make(chan error, 1)
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		err := s.config.Browser(waiting, pending.URL)
		var notOpened *signin.NotOpenedError
		switch {
		case err == nil:
		case errors.As(err, &notOpened) && waiting.Err() == nil:
			s.config.Trace(BrowserFailed{
				URL:         pending.URL,
				RedirectURI: callback.RedirectURI,
				Reason:      notOpened.Error(),
			})
		default:
			failed <- err
			cancel()
		}
	}()
	params, err := callback.Wait(waiting)
	if err == nil {
		return params, nil
	}
	cancel()
	<-opened
	select {
	case err := <-failed:
		return nil, &SignInError{err}
	default:
	}
	return nil, noAnswer(ctx)
}

// paste lets the person open the page anywhere, and reads the address at which the browser ended.
// The person can correct a wrong paste.
func (s *signIn) paste(ctx context.Context, pending *signin.Authorization, redirectURI string) (url.Values, error) {
	s.config.Trace(PageReady{
		URL:         pending.URL,
		RedirectURI: redirectURI,
		Paste:       true,
	})
	waiting, cancel := context.WithTimeout(ctx, s.config.SignInTimeout)
	defer cancel()
	for left := maxPastes - 1; ; left-- {
		text, err := s.config.Paste(waiting)
		switch {
		case waiting.Err() != nil:
			return nil, noAnswer(ctx)
		case err != nil:
			return nil, &SignInError{err}
		}
		params, err := pending.ReadPasted(text)
		switch {
		case err == nil:
			return params, nil
		case left == 0:
			return nil, &SignInError{err}
		}
		s.config.Trace(PasteRefused{Reason: err.Error(), Left: left})
	}
}

// doubtRegistration forgets a reused registration after a page without an answer: the page may have
// said that it does not know the client. A refresh token keeps its registration, because it works
// for no other.
func (s *signIn) doubtRegistration() {
	reused := s.earlierID != "" && s.earlierID == s.entry.Client.ID
	if reused && s.config.ClientID == "" && s.entry.Token.Refresh == "" {
		s.forgetClient()
	}
}

// noAnswer returns the reason why no answer came: the caller gave up, or the time ran out.
func noAnswer(ctx context.Context) error {
	if ctx.Err() != nil {
		return &SignInError{fmt.Errorf("interrupted while waiting for the browser: %w", context.Cause(ctx))}
	}
	return &SignInError{ErrNoAnswer}
}
