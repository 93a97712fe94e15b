package bench

import (
	"net/http"
	"net/url"
)

// secretParameters are the parameters of forms and queries that no report shows.
var secretParameters = []string{
	"code", "code_verifier", "client_secret", "refresh_token", "access_token", "token", "device_code", "password",
}

// remember notes the credentials in a form or a query.
func (p *Probe) remember(values url.Values) {
	for _, name := range secretParameters {
		p.secrets.Add(values[name]...)
	}
}

// record describes an exchange for a report, without bodies.
func (p *Probe) record(request *http.Request, response *http.Response) string {
	address := *request.URL
	query := address.Query()
	for _, name := range secretParameters {
		if query.Has(name) {
			query.Set(name, "…")
			address.RawQuery = query.Encode()
		}
	}
	return p.secrets.Record(address.String(), request, response)
}

// shown prepares a value for a report.
func (p *Probe) shown(value string) string { return p.secrets.Shown(value) }
