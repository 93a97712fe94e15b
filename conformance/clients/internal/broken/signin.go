package broken

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
)

// manyTimes is how often a client that does something for ever does it here.
const manyTimes = 12

// renew gets another token after a 401: a refreshed one first, and then one by a sign-in.
func (r *attempt) renew(ctx context.Context, challenge map[string]string, renewed *bool) error {
	held := r.grant
	if held != nil && !*renewed {
		*renewed = true
		if r.has(RefreshesAnywhere) {
			if _, issuer, err := r.discover(ctx, challenge); err == nil {
				held.issuer = issuer
			}
		}
		if held.refresh != "" || r.has(RefreshesWithNothing) {
			err := r.refreshAlone(ctx)
			var down statusError
			if errors.As(err, &down) {
				if r.has(ForgetsAtOutage) {
					held.refresh = ""
					err = errors.Join(err, r.keep())
				}
				return err
			}
			if err == nil {
				return nil
			}
		}
	}
	if r.signIns++; r.signIns > 2 && !(r.has(SignsInForever) && r.signIns <= manyTimes) {
		return errRefused
	}
	return r.signIn(ctx, challenge, nil)
}

func (r *attempt) stepUp(ctx context.Context, challenge map[string]string) error {
	if r.stepUps++; r.has(GivesUpAtStepUp) || r.stepUps > 3 && !(r.has(StepsUpForever) && r.stepUps <= manyTimes) {
		return errors.New("the server wants more scopes than it grants")
	}
	more := strings.Fields(challenge["scope"])
	if len(more) > 100 && !r.has(TakesManyScopes) {
		return errors.New("the server wants more scopes than anybody would approve")
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

// signIn gets a token from whatever authorization server the metadata names now.
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
		if r.grant = r.kept(issuer.Issuer); r.grant != nil {
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
	client, p, err := r.begin(ctx, issuer, name, scopes)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.await(ctx); err != nil {
		return err
	}
	r.grant = &grant{scopes: scopes, issuer: issuer, client: client, resource: name}
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
		err := r.redeem(soon, issuer, client, form)
		cancel()
		if soon.Err() != nil && err != nil {
			return r.signIn(ctx, challenge, scopes)
		}
		return err
	}
	return r.redeem(ctx, issuer, client, form)
}

func (r *attempt) resourceName(found string) string {
	server, err := url.Parse(r.task.URL)
	switch {
	case err != nil || found == "" && r.task.Revision == check.R20250326:
		return ""
	case r.has(SendsOriginAsResource):
		return strings.ToLower(server.Scheme + "://" + server.Host)
	case r.has(SendsResourceAsGiven):
		return r.task.URL
	}
	return found
}

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
