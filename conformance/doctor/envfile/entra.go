package envfile

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mcpentra/conformance/doctor"
	"mcpentra/conformance/doctor/aadsts"
)

// mostAnswer bounds the body of an answer, in bytes.
const mostAnswer = 1 << 20

// An answer is the answer to one request.
type answer struct {
	status   int
	location string
	body     []byte
	request  string // its parameters without secrets, for the explanation of an error
}

// newClient returns the client for Entra and Graph. It follows no redirects.
func (e *exam) newClient() *http.Client {
	client := &http.Client{}
	if e.config.HTTPClient != nil {
		*client = *e.config.HTTPClient
	} else {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxResponseHeaderBytes = 64 << 10
		transport.DisableKeepAlives = true
		if e.roots != nil {
			transport.TLSClientConfig = &tls.Config{RootCAs: e.roots}
		}
		client.Transport = transport
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

func (e *exam) fetch(ctx context.Context, address string) (*answer, error) {
	return e.do(ctx, http.MethodGet, address, nil)
}

// do sends one request. A form makes its body.
func (e *exam) do(ctx context.Context, method, address string, form url.Values) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.config.Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("the address cannot be used: %w", err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := e.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return nil, fmt.Errorf("the answer cannot be read: %w", err)
	}
	return &answer{status: response.StatusCode, location: response.Header.Get("Location"), body: body}, nil
}

// refused reports the errors of Entra in an answer. It returns false if there is none. The fixes
// come before the ones of the explanation.
func (e *exam) refused(key string, answer *answer, fixes ...doctor.Fix) bool {
	isRefused := false
	for _, finding := range aadsts.Find(answer.request + "\n" + answer.location + "\n" + string(answer.body)) {
		if finding.Sign != aadsts.Marked || finding.Code == 0 {
			continue
		}
		isRefused = true
		name := "AADSTS" + strconv.Itoa(finding.Code)
		if !finding.Known {
			e.fault(key, "aadsts-"+strconv.Itoa(finding.Code), "Entra answers "+name,
				"This code is not known here. The "+
					"sign-in log of the tenant has the reason.", fixes...)
			continue
		}
		e.fault(key, "aadsts-"+strconv.Itoa(finding.Code), "Entra answers "+name+": "+finding.Explanation.Meaning,
			finding.Explanation.Why, append(slices.Clone(fixes), e.explained(finding.Explanation, fixes)...)...)
	}
	return isRefused
}

// explained returns the fixes of an explanation that concern the file or the portal, without the
// settings and pages that other fixes are about.
func (e *exam) explained(explanation aadsts.Explanation, others []doctor.Fix) []doctor.Fix {
	var all []doctor.Fix
	for _, fix := range explanation.Fixes {
		made := doctor.Fix{Place: doctor.Place(fix.Place), Where: fix.Where, Text: fix.Text}
		isOurs := made.Place == doctor.PortalPage || made.Place == doctor.ServerSetting
		isTwice := slices.ContainsFunc(others, func(other doctor.Fix) bool {
			isSetting := strings.HasPrefix(other.Text, made.Where+"=")
			return other.Place == made.Place && (strings.HasPrefix(other.Where, made.Where) || isSetting)
		})
		if isOurs && !isTwice {
			all = append(all, made)
		}
	}
	return all
}

// checkSignIn sends the authorization request of the server, and stops at the sign-in page.
func (e *exam) checkSignIn(ctx context.Context) bool {
	unusable := e.wrong["AUTH_CLIENT_ID"] || e.wrong["AUTH_REDIRECT_URI"] || e.wrong["MCP_PUBLIC_URL"]
	redirect := e.redirectURI()
	if e.tenant == nil || unusable || e.get("AUTH_CLIENT_ID") == "" || e.isDirect() {
		return true
	}
	if redirect == "" {
		e.did("not tried: the redirect URI depends on the port, and MCP_ADDR leaves it open")
		return true
	}
	challenge := sha256.Sum256([]byte(rand.Text()))
	query := url.Values{
		"client_id":             {e.get("AUTH_CLIENT_ID")},
		"response_type":         {"code"},
		"response_mode":         {"query"},
		"redirect_uri":          {redirect},
		"scope":                 {"openid profile offline_access User.Read"},
		"state":                 {rand.Text()},
		"nonce":                 {rand.Text()},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}
	answer, err := e.fetch(ctx, e.tenant.Authorization+"?"+query.Encode())
	if err != nil {
		e.unreachable(e.tenant.Authorization, err)
		return false
	}
	e.did("the authorization request for %s with the redirect URI %s: %d", e.get("AUTH_CLIENT_ID"), e.address(redirect),
		answer.status)
	answer.request = "?client_id=" + e.get("AUTH_CLIENT_ID") + "&redirect_uri=" + url.QueryEscape(redirect)
	key := "AUTH_CLIENT_ID"
	if strings.Contains(answer.location+string(answer.body), "AADSTS50011") {
		key = "AUTH_REDIRECT_URI" // the app is known
	}
	if e.refused(key, answer, e.fixesOfSignIn(answer, redirect)...) {
		return true
	}
	if answer.status >= http.StatusBadRequest {
		e.fault("AUTH_CLIENT_ID", "sign-in-refused", fmt.Sprintf("Entra answers %d to the authorization request",
			answer.status), "No person can sign in.",
			e.portal("Authentication", "compare the redirect URI with "+redirect))
		return true
	}
	e.fine("sign-in-page", "Entra knows the app and the redirect URI, and shows the sign-in page")
	return true
}

// fixesOfSignIn returns fixes with the values of this file.
func (e *exam) fixesOfSignIn(answer *answer, redirect string) []doctor.Fix {
	text := answer.location + string(answer.body)
	switch {
	case strings.Contains(text, "AADSTS700016"), strings.Contains(text, "AADSTS700038"):
		return []doctor.Fix{
			e.write("AUTH_CLIENT_ID", "APPLICATION-CLIENT-ID"),
			{
				Place: doctor.PortalPage,
				Where: "Entra admin center > App registrations > All applications > your app > Overview",
				Text:  "copy the Application (client) ID, not the Object ID; check that the tenant is the right one",
			},
		}
	case strings.Contains(text, "AADSTS50011"), strings.Contains(text, "AADSTS500113"):
		return []doctor.Fix{e.portal("Authentication > Add a platform > Web", redirect)}
	}
	return nil
}

// requestToken sends a client credentials request. It returns nil if there is no answer.
func (e *exam) requestToken(ctx context.Context, scope string, proof url.Values) *answer {
	form := url.Values{"client_id": {e.get("AUTH_CLIENT_ID")}, "grant_type": {"client_credentials"}, "scope": {scope}}
	for name, values := range proof {
		form[name] = values
	}
	answer, err := e.do(ctx, http.MethodPost, e.tenant.Token, form)
	if err != nil {
		e.unreachable(e.tenant.Token, err)
		return nil
	}
	e.did("a client credentials request for %s: %d", scope, answer.status)
	answer.request = "?client_id=" + e.get("AUTH_CLIENT_ID") + "&scope=" + url.QueryEscape(scope)
	return answer
}

// allowed are errors after Entra has accepted the credential: Conditional Access for workload
// identities, and apps that must be assigned. People who sign in meet other policies.
var allowed = []int{53003, 530003, 501051}

// checkCredential asks for a token of Graph, and drops it.
func (e *exam) checkCredential(ctx context.Context) bool {
	if e.tenant == nil || e.wrong["AUTH_CLIENT_ID"] {
		return true
	}
	proof := e.parameters()
	if proof == nil {
		return true
	}
	key := e.credentials()[0]
	answer := e.requestToken(ctx, e.graphScope()+"/.default", proof)
	if answer == nil {
		return false
	}
	isPolicy := slices.ContainsFunc(aadsts.Find(string(answer.body)), func(f aadsts.Finding) bool {
		return slices.Contains(allowed, f.Code)
	})
	if answer.status == http.StatusOK || isPolicy {
		e.fine("credential-accepted", "Entra accepts the credential; the token was dropped")
		return true
	}
	if e.refused(key, answer, e.fixesOfCredential(key, string(answer.body))...) {
		return true
	}
	e.fault(key, "credential-refused", fmt.Sprintf("Entra answers %d to a token request, without a code",
		answer.status),
		"The server cannot redeem codes.", e.portal("Certificates & secrets", "check the credential"))
	return true
}

// fixesOfCredential returns fixes with the values of this file.
func (e *exam) fixesOfCredential(key, body string) []doctor.Fix {
	switch {
	case strings.Contains(body, "AADSTS7000215"), strings.Contains(body, "AADSTS7000222"):
		fix := e.write(key, "'VALUE-OF-THE-SECRET'")
		if key == "AUTH_CLIENT_SECRET_FILE" {
			fix = e.line(key, "write the Value to "+e.get(key))
		}
		return []doctor.Fix{
			e.portal("Certificates & secrets > Client secrets > New client secret", "copy the Value of the new secret"),
			fix,
		}
	case strings.Contains(body, "AADSTS700027"):
		return []doctor.Fix{e.portal("Certificates & secrets > Certificates > Upload certificate",
			"upload the certificate in "+e.get(key)+", without the key")}
	}
	return nil
}
