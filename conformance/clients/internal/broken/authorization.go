package broken

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strings"
)

// pending is a sign-in in progress.
type pending struct {
	run      *attempt
	issuer   *issuerDocument
	client   identity
	host     string // of the redirect URI
	redirect string
	state    string
	verifier string
	resource string
	code     string

	server  *httptest.Server
	page    string
	answers chan url.Values
}

func (p *pending) close() {
	switch {
	case p.server == nil:
	case p.run.has(KeepsListening):
		p.run.unclosed = append(p.run.unclosed, p.server)
	default:
		p.server.Close()
	}
}

// foreignRedirect is a redirect URI that no client should use.
const foreignRedirect = "http://client.example.com/callback"

// startSignIn registers, starts the listener and prepares the authorization request.
func (r *attempt) startSignIn(
	ctx context.Context, issuer *issuerDocument, resource string, scopes []string,
) (*pending, error) {
	p := &pending{
		run:      r,
		issuer:   issuer,
		resource: resource,
		state:    rand.Text(),
		verifier: rand.Text() + rand.Text(),
		answers:  make(chan url.Values, 4),
	}
	if r.has(ReusesState) {
		p.state = "always-the-same-state"
	}
	if r.has(ReusesVerifier) {
		p.verifier = strings.Repeat("always-the-same-", 4)
	}
	if err := p.listen(); err != nil {
		return nil, err
	}
	client, err := r.identity(ctx, issuer, p.redirect)
	if err != nil {
		p.close()
		return nil, err
	}
	p.client = client
	separator := "?"
	if strings.Contains(issuer.Authorization, "?") {
		separator = "&"
	}
	p.page = issuer.Authorization + separator + p.query(scopes).Encode()
	r.memory.mu.Lock()
	r.memory.latest = p
	r.memory.mu.Unlock()
	return p, nil
}

// listen starts the listener at the redirect URI.
func (p *pending) listen() error {
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	if p.run.has(ListensEverywhere) {
		everywhere, err := net.Listen("tcp4", "0.0.0.0:0")
		if err != nil {
			return err
		}
		_ = p.server.Listener.Close()
		p.server.Listener = everywhere
	}
	p.server.Start()
	_, port, err := net.SplitHostPort(p.server.Listener.Addr().String())
	if err != nil {
		return err
	}
	p.host = "127.0.0.1:" + port
	p.redirect = "http://" + p.host + "/callback"
	if p.run.has(UsesForeignRedirect) {
		p.redirect = foreignRedirect
	}
	if p.run.has(ReadsRedirect) {
		p.server.Close()
		p.server = nil
	}
	return nil
}

// query returns the parameters of the authorization request.
func (p *pending) query(scopes []string) url.Values {
	r := p.run
	query := url.Values{
		"response_type": {"code"},
		"client_id":     {p.client.id},
		"redirect_uri":  {p.redirect},
		"state":         {p.state},
	}
	isRegistered := p.client.redirect != ""
	if r.has(MakesUpID) && isRegistered {
		query.Set("client_id", "broken client")
	}
	p.addPKCE(query)
	if r.has(FallsBackToImplicit) && !slices.Contains(p.issuer.Responses, "code") {
		query.Set("response_type", "token")
	}
	if p.resource != "" && !r.has(LeavesOutResourceAsking) {
		query.Set("resource", p.resource)
	}
	if len(scopes) > 0 {
		query.Set("scope", strings.Join(scopes, " "))
	}
	return query
}

// addPKCE adds the code challenge.
func (p *pending) addPKCE(query url.Values) {
	lacksS256 := !slices.Contains(p.issuer.Methods, "S256")
	switch {
	case p.run.has(SendsNoPKCE):
	case p.run.has(UsesPlain), p.run.has(FallsBackToPlain) && lacksS256:
		query.Set("code_challenge", p.verifier)
		query.Set("code_challenge_method", "plain")
	default:
		sum := sha256.Sum256([]byte(p.verifier))
		query.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		query.Set("code_challenge_method", "S256")
	}
}

// await opens the page and waits for an accepted answer.
func (p *pending) await(ctx context.Context) error {
	if err := p.run.checkPage(p.page); err != nil {
		return err
	}
	if p.run.has(UsesForeignRedirect) || p.run.has(ReadsRedirect) {
		return p.followRedirect(ctx)
	}
	if p.run.has(OpensWithShell) {
		_ = exec.CommandContext(ctx, "sh", "-c", `: "`+p.issuer.Authorization+`"`).Run()
	}
	opened := make(chan error, 1)
	go func() { opened <- p.run.task.Open(ctx, p.page) }()
	var failed error
	for {
		select {
		case answer := <-p.answers:
			err := p.accept(answer)
			if p.run.has(RedeemsEveryAnswer) && opened != nil {
				<-opened
				p.redeemOthers(ctx)
			}
			return err
		case failed = <-opened:
			opened = nil
			if len(p.answers) == 0 {
				return fmt.Errorf("no answer arrived: %w", failed)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// followRedirect requests the page itself, and reads the answer from the redirect.
func (p *pending) followRedirect(ctx context.Context) error {
	response, _, err := p.run.do(ctx, http.MethodGet, p.page, http.Header{}, nil)
	if err != nil {
		return err
	}
	to, err := url.Parse(response.Header.Get("Location"))
	if err != nil {
		return err
	}
	query := to.Query()
	ambiguous := isRepeated(query) && !p.run.has(TakesRepeatedAnswers)
	if query.Get("state") != p.state || ambiguous {
		return errors.New("the answer belongs to another sign-in")
	}
	return p.accept(query)
}

// redeemOthers redeems the codes of all other answers.
func (p *pending) redeemOthers(ctx context.Context) {
	for len(p.answers) > 0 {
		answer := <-p.answers
		form := url.Values{"grant_type": {"authorization_code"}, "code": {answer.Get("code")}}
		_, _, _ = p.run.post(ctx, p.issuer.Token, formType, nil, []byte(form.Encode()))
	}
}

// checkPage returns an error for a page that the client must not open.
func (r *attempt) checkPage(page string) error {
	parsed, err := url.Parse(page)
	switch {
	case r.has(OpensAnything):
		return nil
	case r.has(BlocksKnownSchemes) && err == nil && parsed.Scheme != "" &&
		!slices.Contains([]string{"javascript", "data", "file", "vbscript", "http"}, parsed.Scheme):
		return nil
	case err != nil || parsed.Host == "" ||
		parsed.Scheme != "https" && !(parsed.Scheme == "http" && onLoopback(parsed.Hostname())):
		return fmt.Errorf("want an authorization page on https or loopback, got %q", page)
	}
	return nil
}
