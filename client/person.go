package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// signInByPage sends a person to the authorization page, and redeems the code that comes back.
func (t *Transport) signInByPage(ctx context.Context, a *attempt, entry *tokenstore.Entry) (*tokenrequest.Token, error) {
	redirectURI := t.config.RedirectURI
	var callback *signin.Callback
	if t.config.Paste == nil {
		var err error
		if callback, err = t.listen(entry.RedirectURI); err != nil {
			return nil, err
		}
		defer func() { callback.Close() }()
		redirectURI = callback.RedirectURI
	}
	before := entry.Client.ID
	err := t.register(ctx, a, entry, redirectURI)
	var refused *signin.RefusedError
	if errors.As(err, &refused) && refused.Code == "invalid_redirect_uri" && callback != nil &&
		t.config.RedirectURI == defaultRedirectURI {
		// Some authorization servers take the address where others take the name (RFC 8252 section
		// 7.3).
		callback.Close()
		if callback, err = signin.Listen("http://127.0.0.1/callback"); err != nil {
			return nil, err
		}
		redirectURI = callback.RedirectURI
		err = t.register(ctx, a, entry, redirectURI)
	}
	if err != nil {
		return nil, err
	}
	reused := before != "" && before == entry.Client.ID
	pending, err := signin.Begin(
		signin.Request{
			Issuer:      a.issuer,
			Client:      a.client,
			RedirectURI: redirectURI,
			Resource:    a.resource,
			Scopes:      a.scopes,
		},
	)
	if err != nil {
		return nil, err
	}
	if err := signin.CheckPage(pending.URL); err != nil {
		return nil, &SignInError{err}
	}
	a.shown = true
	var params url.Values
	if callback == nil {
		params, err = t.paste(ctx, pending, redirectURI)
	} else {
		params, err = t.browse(ctx, pending, callback)
	}
	if err != nil {
		if reused && t.config.ClientID == "" && entry.Token.Refresh == "" {
			// The page may have said that it does not know this program. The next try registers
			// anew. A refresh token is of use to the registration alone that it was issued to.
			entry.Client = tokenrequest.Client{}
			entry.RedirectURI = ""
		}
		return nil, err
	}
	answer, err := pending.Read(params)
	if err != nil {
		return nil, &SignInError{err}
	}
	t.config.Trace(Answered{Issuer: params.Get("iss")})
	a.answered = answer.Issuer
	t.turn.keep()
	endpoint := t.endpoint(a.issuer, a.client, a.dpop)
	endpoint.Scope = t.scopeForEntra(a.scopes)
	return endpoint.Redeem(ctx, answer.Code, answer.Verifier, redirectURI, a.resource)
}

// listen waits at the address of the last time if it is free, since a registration names it.
func (t *Transport) listen(last string) (*signin.Callback, error) {
	if last != "" && t.config.ClientID == "" {
		if callback, err := signin.Listen(last); err == nil {
			return callback, nil
		}
	}
	return signin.Listen(t.config.RedirectURI)
}

// register finds out which client this program is at an issuer (MCP 2025-11-25, Client Registration
// Approaches): one that was registered beforehand, or the one that a document describes, or that of
// an earlier registration with the same redirect URI, or a new one.
func (t *Transport) register(ctx context.Context, a *attempt, entry *tokenstore.Entry, redirectURI string) error {
	registered := entry.Client.ID != "" && !entry.Given && entry.Client.ID != t.config.ClientDocument &&
		entry.RedirectURI == redirectURI
	switch {
	case t.config.ClientID != "":
		if err := t.preregistered(a.issuer, entry); err != nil {
			return err
		}
	case t.config.ClientDocument != "" && a.issuer.ClientDocuments:
		entry.Client = tokenrequest.Client{ID: t.config.ClientDocument, AuthMethod: "none"}
		entry.Given = false
		t.config.Trace(Registered{ClientID: entry.Client.ID, AuthMethod: entry.Client.AuthMethod, Document: true})
	case registered:
	default:
		// Without scopes: those of now would be a limit to what a step up can ask for (RFC 7591
		// section 2).
		fresh, err := signin.Register(ctx, t.outbound, a.issuer, signin.Program{
			Name:        t.config.Name,
			RedirectURI: redirectURI,
			DeviceCode:  t.config.DeviceCode,
		})
		if err != nil {
			return err
		}
		entry.Client = fresh
		entry.Given = false
		t.config.Trace(Registered{ClientID: entry.Client.ID, AuthMethod: entry.Client.AuthMethod})
	}
	a.client = entry.Client
	entry.RedirectURI = redirectURI
	return nil
}

// preregistered notes the client of the Config in an entry.
func (t *Transport) preregistered(issuer *discovery.Issuer, entry *tokenstore.Entry) error {
	known, err := signin.Preregistered(issuer, t.config.ClientID, t.config.ClientSecret, t.config.ClientKey != nil)
	if err != nil {
		return err
	}
	entry.Client = known
	entry.Given = true
	t.config.Trace(Registered{ClientID: known.ID, AuthMethod: known.AuthMethod, Preregistered: true})
	return nil
}

// browse opens the page and waits for the answer, for the browser to fail, or for the time to run
// out. After one answer nothing listens any more.
func (t *Transport) browse(
	ctx context.Context,
	pending *signin.Pending,
	callback *signin.Callback,
) (url.Values, error) {
	callback.Serve(pending.State)
	defer callback.Close()
	t.config.Trace(PageReady{URL: pending.URL, RedirectURI: callback.RedirectURI})
	waiting, cancel := context.WithTimeout(ctx, t.config.SignInTimeout)
	defer cancel()
	failed := make(chan error, 1)
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		err := t.config.Browser(waiting, pending.URL)
		var notOpened *signin.NotOpenedError
		switch {
		case err == nil:
		case errors.As(err, &notOpened) && waiting.Err() == nil:
			t.config.Trace(BrowserFailed{
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
	return nil, t.unanswered(ctx)
}

// maxPastes is how often a person may paste what is not the answer.
const maxPastes = 10

// paste has the person open the page anywhere, and bring back where the browser ended. A wrong
// paste is told, and the person can correct it.
func (t *Transport) paste(ctx context.Context, pending *signin.Pending, redirectURI string) (url.Values, error) {
	t.config.Trace(PageReady{URL: pending.URL, RedirectURI: redirectURI, Paste: true})
	waiting, cancel := context.WithTimeout(ctx, t.config.SignInTimeout)
	defer cancel()
	for left := maxPastes - 1; ; left-- {
		text, err := t.config.Paste(waiting)
		switch {
		case waiting.Err() != nil:
			return nil, t.unanswered(ctx)
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
		t.config.Trace(PasteRefused{Reason: err.Error(), Left: left})
	}
}

// signInByDevice has a person approve on another device.
func (t *Transport) signInByDevice(ctx context.Context, a *attempt, entry *tokenstore.Entry) (*tokenrequest.Token, error) {
	if a.issuer.DeviceEndpoint == "" {
		return nil, &SignInError{errors.New("the authorization server does not offer device codes")}
	}
	if err := t.register(ctx, a, entry, t.config.RedirectURI); err != nil {
		return nil, err
	}
	endpoint := t.endpoint(a.issuer, a.client, a.dpop)
	device, err := endpoint.AskDevice(ctx, a.issuer.DeviceEndpoint, a.scopes, a.resource)
	if err != nil {
		return nil, err
	}
	// These are for a person to open.
	for _, address := range []string{device.VerificationURI, device.VerificationURIComplete} {
		if address == "" {
			continue
		}
		if err := signin.CheckPage(address); err != nil {
			return nil, &SignInError{err}
		}
	}
	a.shown = true
	t.config.Trace(DeviceReady{
		URL:      device.VerificationURI,
		Complete: device.VerificationURIComplete,
		UserCode: device.UserCode,
		Lifetime: device.Expiry.Sub(t.config.Now()),
	})
	waiting, cancel := context.WithTimeout(ctx, t.config.SignInTimeout)
	defer cancel()
	token, err := endpoint.AwaitDevice(waiting, device)
	if err != nil && waiting.Err() != nil {
		return nil, t.unanswered(ctx)
	}
	return token, err
}

// unanswered says why there was no answer: the caller has given up, or the person has not come.
func (t *Transport) unanswered(ctx context.Context) error {
	if ctx.Err() != nil {
		return &SignInError{fmt.Errorf("interrupted while waiting for the browser: %w", context.Cause(ctx))}
	}
	return &SignInError{ErrNoAnswer}
}
