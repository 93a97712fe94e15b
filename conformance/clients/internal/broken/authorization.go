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

// pending is a sign-in that is under way.
type pending struct {
	run      *attempt
	issuer   *issuerDocument
	client   identity
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
		p.run.left = append(p.run.left, p.server)
	default:
		p.server.Close()
	}
}

// foreignRedirect is where no answer should be sent to.
const foreignRedirect = "http://client.example.com/callback"

// begin registers, and makes the authorization request.
func (r *attempt) begin(
	ctx context.Context, issuer *issuerDocument, resource string, scopes []string,
) (identity, *pending, error) {
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
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	if r.has(ListensEverywhere) {
		everywhere, err := net.Listen("tcp4", "0.0.0.0:0")
		if err != nil {
			return identity{}, nil, err
		}
		_ = p.server.Listener.Close()
		p.server.Listener = everywhere
	}
	p.server.Start()
	_, port, err := net.SplitHostPort(p.server.Listener.Addr().String())
	if err != nil {
		return identity{}, nil, err
	}
	p.redirect = "http://127.0.0.1:" + port + "/callback"
	if r.has(UsesForeignRedirect) {
		p.redirect = foreignRedirect
	}
	if p.client, err = r.identity(ctx, issuer, p.redirect); err != nil {
		p.close()
		return identity{}, nil, err
	}
	query := url.Values{
		"response_type": {"code"},
		"client_id":     {p.client.id},
		"redirect_uri":  {p.redirect},
		"state":         {p.state},
	}
	if r.has(MakesUpID) && p.client.redirect != "" { // it has registered
		query.Set("client_id", "broken client")
	}
	sum := sha256.Sum256([]byte(p.verifier))
	plain := r.has(UsesPlain) || r.has(FallsBackToPlain) && !slices.Contains(issuer.Methods, "S256")
	switch {
	case r.has(SendsNoPKCE):
	case plain:
		query.Set("code_challenge", p.verifier)
		query.Set("code_challenge_method", "plain")
	default:
		query.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		query.Set("code_challenge_method", "S256")
	}
	if r.has(FallsBackToImplicit) && !slices.Contains(issuer.Responses, "code") {
		query.Set("response_type", "token")
	}
	if resource != "" && !r.has(LeavesOutResourceAsking) {
		query.Set("resource", resource)
	}
	if len(scopes) > 0 {
		query.Set("scope", strings.Join(scopes, " "))
	}
	separator := "?"
	if strings.Contains(issuer.Authorization, "?") {
		separator = "&"
	}
	p.page = issuer.Authorization + separator + query.Encode()
	r.memory.mu.Lock()
	r.memory.latest = p
	r.memory.mu.Unlock()
	return p.client, p, nil
}

// await shows the page and waits for the answer that is taken.
func (p *pending) await(ctx context.Context) error {
	if err := p.run.check(p.page); err != nil {
		return err
	}
	if p.run.has(UsesForeignRedirect) {
		response, _, err := p.run.do(ctx, http.MethodGet, p.page, http.Header{}, nil)
		if err != nil {
			return err
		}
		to, err := url.Parse(response.Header.Get("Location"))
		if err != nil {
			return err
		}
		if to.Query().Get("state") != p.state || repeated(to.Query()) && !p.run.has(TakesRepeatedAnswers) {
			return errors.New("the answer belongs to another sign-in")
		}
		return p.take(to.Query())
	}
	if p.run.has(OpensWithShell) {
		_ = exec.CommandContext(ctx, "sh", "-c", `: "`+p.raw()+`"`).Run()
	}
	opened := make(chan error, 1)
	go func() { opened <- p.run.task.Open(ctx, p.page) }()
	var failed error
	for {
		select {
		case answer := <-p.answers:
			err := p.take(answer)
			if p.run.has(RedeemsEveryAnswer) && opened != nil {
				<-opened
				for len(p.answers) > 0 {
					one := <-p.answers
					_, _, _ = p.run.post(
						ctx,
						p.issuer.Token,
						formType,
						nil,
						[]byte(url.Values{"grant_type": {"authorization_code"}, "code": {one.Get("code")}}.Encode()),
					)
				}
			}
			return err
		case failed = <-opened:
			opened = nil
			if len(p.answers) == 0 {
				return fmt.Errorf("no answer came: %w", failed)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// raw is the page as the authorization server wrote it.
func (p *pending) raw() string { return p.issuer.Authorization }

// check says why a page is not opened.
func (r *attempt) check(page string) error {
	parsed, err := url.Parse(page)
	switch {
	case r.has(OpensAnything):
		return nil
	case r.has(BlocksKnownSchemes) && err == nil && parsed.Scheme != "" &&
		!slices.Contains([]string{"javascript", "data", "file", "vbscript", "http"}, parsed.Scheme):
		return nil
	case err != nil || parsed.Host == "" ||
		parsed.Scheme != "https" && !(parsed.Scheme == "http" && onLoopback(parsed.Hostname())):
		return fmt.Errorf("the authorization page %q is not opened", page)
	}
	return nil
}
