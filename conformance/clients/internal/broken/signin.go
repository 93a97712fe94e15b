package broken

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
)

// manyTimes bounds the loop of a client with a fault like StepsUpForever.
const manyTimes = 12

// renew gets another token after a 401. It refreshes first, and then signs in.
func (r *attempt) renew(ctx context.Context, challenge map[string]string, renewed *bool) error {
	stored := r.grant
	if stored != nil && !*renewed {
		*renewed = true
		if r.has(RefreshesAnywhere) {
			if _, issuer, err := r.discover(ctx, challenge); err == nil {
				stored.issuer = issuer
			}
		}
		if stored.refresh != "" || r.has(RefreshesWithNothing) {
			err := r.refreshAlone(ctx)
			var down statusError
			if errors.As(err, &down) {
				if r.has(ForgetsAtOutage) {
					stored.refresh = ""
					err = errors.Join(err, r.storeGrant())
				}
				return err
			}
			if err == nil || r.has(KeepsRefusedRefresh) {
				return err
			}
		}
	}
	r.signIns++
	continues := r.has(SignsInForever) && r.signIns <= manyTimes
	if r.signIns > 2 && !continues {
		return errTokenRefused
	}
	return r.signIn(ctx, challenge, nil)
}

// stepUp gets a token with more scopes.
func (r *attempt) stepUp(ctx context.Context, challenge map[string]string) error {
	r.stepUps++
	continues := r.has(StepsUpForever) && r.stepUps <= manyTimes
	if r.has(GivesUpAtStepUp) || r.stepUps > 3 && !continues {
		return errors.New("the server demands more scopes than it grants")
	}
	more := strings.Fields(challenge["scope"])
	if len(more) > 100 && !r.has(TakesManyScopes) {
		return errors.New("want at most 100 scopes in a challenge")
	}
	if r.grant != nil && !r.has(ForgetsScopes) {
		for _, scope := range r.grant.scopes {
			if !slices.Contains(more, scope) {
				more = append(more, scope)
			}
		}
	}
	if r.declined && !r.has(AsksDeclinedAgain) {
		return errors.New("the scopes were declined before")
	}
	err := r.signIn(ctx, challenge, more)
	r.declined = err != nil
	return err
}

// signIn gets a token from the authorization server that the metadata names now.
func (r *attempt) signIn(ctx context.Context, challenge map[string]string, scopes []string) error {
	var resource *resourceDocument
	var err error
	issuer := r.found
	if issuer == nil || !r.has(KeepsMetadata) {
		if resource, issuer, err = r.discover(ctx, challenge); err != nil {
			return err
		}
		r.found = issuer
		r.foundFor = ""
		if resource != nil {
			r.foundFor, _ = resource.Resource.(string)
		}
	}
	if r.has(OpensDocumentation) && issuer.Documentation != "" {
		_ = r.task.Open(ctx, issuer.Documentation)
	}
	if scopes == nil {
		scopes = r.scopes(challenge, resource, issuer)
	}
	name := r.resourceName(r.foundFor)
	if r.has(KeysTokensByIssuer) && r.grant == nil {
		r.grant = r.storedGrant(issuer.Issuer)
		if r.grant != nil {
			return nil
		}
	}
	switch {
	case r.task.Machine:
		return r.machine(ctx, issuer, name, scopes)
	case r.task.Enterprise != nil:
		return r.enterprise(ctx, issuer, name, scopes)
	case r.task.Device:
		return r.device(ctx, issuer, name, scopes)
	}
	if r.first == nil {
		r.first = scopes
	}
	p, err := r.startSignIn(ctx, issuer, name, scopes)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.await(ctx); err != nil {
		return err
	}
	r.grant = &grant{scopes: scopes, issuer: issuer, client: p.client, resource: name}
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {p.code},
		"code_verifier": {p.verifier},
		"redirect_uri":  {p.redirect},
	}
	if name != "" && !r.has(LeavesOutResourceToken) {
		form.Set("resource", name)
	}
	if r.has(SendsNoPKCE) {
		form.Del("code_verifier")
	}
	if r.has(MixesSignInsUp) {
		r.memory.mu.Lock()
		issuer = r.memory.latest.issuer
		r.memory.mu.Unlock()
	}
	if r.has(SignsInWhenSlow) && !r.slow {
		r.slow = true
		soon, cancel := context.WithTimeout(ctx, 2*second)
		err := r.redeem(soon, issuer, p.client, form)
		cancel()
		if soon.Err() != nil && err != nil {
			return r.signIn(ctx, challenge, scopes)
		}
		return err
	}
	return r.redeem(ctx, issuer, p.client, form)
}

// resourceName returns the resource parameter. Found is the resource in the metadata.
func (r *attempt) resourceName(found string) string {
	server, err := url.Parse(r.task.URL)
	switch {
	case err != nil || found == "" && r.task.Revision == check.R20250326:
		return ""
	case r.has(SendsForeignResource):
		return "https://mcp.example.com/mcp"
	case r.has(SendsOriginAsResource):
		return strings.ToLower(server.Scheme + "://" + server.Host)
	case r.has(SendsResourceAsGiven):
		return r.task.URL
	}
	return found
}

// scopes returns the scopes to request.
func (r *attempt) scopes(challenge map[string]string, resource *resourceDocument, issuer *issuerDocument) []string {
	asked := strings.Fields(challenge["scope"])
	var listed []string
	if resource != nil {
		listed = resource.Scopes
	}
	if r.has(IgnoresListedScopes) {
		listed = nil
	}
	switch {
	case r.has(IgnoresChallengedScope) || len(asked) == 0:
		asked = listed
	case r.has(DropsUnlistedScopes) && listed != nil:
		asked = slices.DeleteFunc(asked, func(scope string) bool { return !slices.Contains(listed, scope) })
	case r.has(AsksForAllScopes):
		asked = append(asked, listed...)
	}
	if len(asked) == 0 && r.has(AsksForSomeScope) {
		asked = []string{"openid"}
	}
	if slices.Contains(issuer.Scopes, "offline_access") || r.has(AddsOfflineAccess) {
		asked = append(asked, "offline_access")
	}
	return asked
}
