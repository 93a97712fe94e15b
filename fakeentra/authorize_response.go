package fakeentra

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/pages"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/state"
)

// A response says what an authorization response contains, and how it reaches the client.
type response struct {
	code    bool
	idToken bool
	token   bool
	mode    string // query, fragment or form_post
}

// readResponse reads response_type and response_mode (OAuth 2.0 Multiple Response Type Encoding
// Practices).
func (a *authorization) readResponse() *aadsts.Error {
	a.response = response{mode: "query"}
	kinds := strings.Fields(a.params.Get("response_type"))
	if len(kinds) == 0 {
		return aadsts.MissingParameter("response_type")
	}
	for _, responseType := range kinds {
		switch responseType {
		case "code":
			a.response.code = true
		case "id_token":
			a.response.idToken = true
		case "token":
			a.response.token = true
		default:
			return aadsts.UnsupportedResponseType(a.params.Get("response_type"))
		}
	}
	front := a.response.idToken || a.response.token
	if front {
		a.response.mode = "fragment"
	}
	switch mode := a.params.Get("response_mode"); mode {
	case "":
	case "query":
		if front {
			a.response.mode = "fragment"
			return aadsts.UnsupportedResponseMode(mode)
		}
	case "fragment", "form_post":
		a.response.mode = mode
	default:
		return aadsts.UnsupportedResponseMode(mode)
	}
	switch {
	case a.response.idToken && !a.client.ImplicitIDTokens:
		return aadsts.IDTokenNotEnabled("id_token")
	case a.response.token && !a.client.ImplicitAccessTokens:
		return aadsts.TokenNotEnabled("token")
	case a.response.idToken && a.params.Get("nonce") == "":
		return aadsts.MissingParameter("nonce")
	}
	return nil
}

// answer sends the browser back with the response.
func (f *Fake) answer(
	w http.ResponseWriter,
	r *http.Request,
	request *authorization,
	person *state.SignedIn,
) *pageError {
	f.state.CreatePrincipal(&f.rules, request.tenant, request.client)
	switch request.kind {
	case byDevice:
		f.approveDevice(w, request, person)
		return nil
	case byAdmin:
		return respond(w, request, adminResult(request))
	}
	d := f.delegate(request, person)
	f.state.RememberApp(sessionOf(r), request.client, d.SID)
	var result []pages.Parameter
	add := func(name, value string) { result = append(result, pages.Parameter{Name: name, Value: value}) }
	code := ""
	token := ""
	if request.response.code {
		code = f.newCode(request, d)
		add("code", code)
	}
	if request.response.token {
		issued, problem := f.issue(d, rules.V2)
		if problem != nil {
			return asRedirect(request, problem)
		}
		token = issued.AccessToken
		add("access_token", token)
		add("token_type", "Bearer")
		add("expires_in", string(issued.ExpiresIn))
		add("scope", issued.Scope)
	}
	if request.response.idToken {
		add("id_token", f.idToken(&d, code, token))
	}
	if request.params.Get("client_info") == "1" {
		add("client_info", clientInfo(request.tenant, person.User))
	}
	if request.params.Has("state") {
		add("state", request.params.Get("state"))
	}
	add("session_state", f.random.guid())
	if request.params.Get("clidata") == "1" {
		add("clientdata", clientData(f.cloud.instance, request.tenant, nil))
	}
	return respond(w, request, withIssuer(f.config.Face, f.Issuer(request.tenant.ID), result))
}

// withIssuer adds iss (RFC 9207) with the spec-aligned face. Entra ID does not send it (M).
func withIssuer(face Face, issuer string, result []pages.Parameter) []pages.Parameter {
	if face != SpecAlignedFace {
		return result
	}
	return append(result, pages.Parameter{Name: "iss", Value: issuer})
}

// clientData writes the telemetry that msal-browser asks for with clidata=1: the kind of account,
// error, suberror, cloud and data boundary. The format comes from the library's source. The last
// two values are guesses (L).
func clientData(instance string, tenant *directory.Tenant, problem *aadsts.Error) string {
	account := "e"
	number := ""
	suberror := ""
	if tenant.Personal() {
		account = "m"
	}
	if problem != nil {
		number = strconv.Itoa(problem.Number)
		suberror = problem.Suberror
	}
	return strings.Join([]string{
		account,
		number,
		suberror,
		instance,
		strings.ToLower(rules.RegionOf(tenant)),
	}, "|")
}

// delegate makes the delegation that an authorization gives its client.
func (f *Fake) delegate(request *authorization, person *state.SignedIn) rules.Delegation {
	wishes, _ := rules.ReadClaimsRequest(request.params.Get("claims")) // read has checked it
	_, withTime, _ := readMaxAge(request.params)
	return rules.Delegation{
		Version:      request.version,
		Tenant:       request.tenant,
		Client:       request.client,
		User:         person.User,
		Platform:     request.platform,
		Asked:        request.asked,
		Nonce:        strings.Clone(request.params.Get("nonce")),
		SID:          f.random.guid(),
		Strength:     "0",
		Began:        f.state.Begin(person.User.ID, f.clock.now()),
		SignedIn:     person.At,
		AuthTime:     withTime,
		SecondFactor: person.SecondFactor,
		Contexts:     wishes.Contexts,
		Capabilities: wishes.Capabilities,
		Hybrid:       request.response.idToken || request.response.token,
	}
}

// redirectError sends an error to the client.
func (f *Fake) redirectError(w http.ResponseWriter, r *http.Request, request *authorization, problem *aadsts.Error) {
	if problem.Code == "invalid_grant" {
		problem.Code = "interaction_required" // the name while there is no grant yet
	}
	noteProblem(w, problem)
	occurrence := f.occurrence(w, r)
	result := []pages.Parameter{
		{Name: "error", Value: problem.Code},
		{Name: "error_description", Value: problem.Description(occurrence)},
	}
	if uri := problem.ErrorURI(occurrence); uri != "" {
		result = append(result, pages.Parameter{Name: "error_uri", Value: uri})
	}
	if problem.Suberror != "" {
		result = append(result, pages.Parameter{Name: "error_subcode", Value: problem.Suberror})
	}
	if problem.Claims != "" {
		result = append(result, pages.Parameter{Name: "claims", Value: problem.Claims})
	}
	if request.params.Has("state") {
		result = append(result, pages.Parameter{Name: "state", Value: request.params.Get("state")})
	}
	if request.params.Get("clidata") == "1" {
		result = append(result, pages.Parameter{
			Name:  "clientdata",
			Value: clientData(f.cloud.instance, request.tenant, problem),
		})
	}
	result = withIssuer(f.config.Face, f.Issuer(request.tenant.ID), result)
	if failed := respond(w, request, result); failed != nil {
		f.showError(w, r, failed.problem)
	}
}

// respond sends an authorization response in its response_mode.
func respond(w http.ResponseWriter, request *authorization, result []pages.Parameter) *pageError {
	target, err := url.Parse(request.redirect)
	if err != nil {
		return asPage(aadsts.RedirectMalformed())
	}
	pages.NoStore(w)
	if target.Path == "" && target.Opaque == "" {
		target.Path = "/" // Entra ID adds the path to a redirect URI without one
	}
	if request.response.mode == "form_post" {
		pages.Show(w, "formpost.html", pages.Page{
			Title:    "Working…",
			Redirect: target.String(),
			Result:   result,
		})
		return nil
	}
	location := make([]byte, 0, 2048)
	location = append(location, target.String()...)
	switch {
	case request.response.mode == "fragment":
		location = append(location, '#')
	case target.RawQuery != "":
		location = append(location, '&')
	default:
		location = append(location, '?')
	}
	for i, parameter := range result {
		if i > 0 {
			location = append(location, '&')
		}
		location = aadsts.AppendEscaped(append(append(location, parameter.Name...), '='), parameter.Value)
	}
	if request.response.mode != "fragment" {
		location = append(location, '#') // or the browser would append the fragment of the page before
	}
	w.Header().Set("Location", string(location))
	w.WriteHeader(http.StatusFound)
	return nil
}
