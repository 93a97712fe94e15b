package checks

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// approveDevice lets a person approve a device. The person opens the link with the user code. If
// there is none, the person types the code at the verification URI (RFC 8628 section 3.3).
func approveDevice(ctx context.Context, p *bench.Probe, told *deviceAnswer) error {
	browser := p.NewBrowser()
	if told.Complete != "" {
		_, err := browser.Visit(ctx, told.Complete, false)
		return err
	}
	browser.Tamper = func(request *http.Request, form url.Values) *http.Response {
		typeUserCode(browser.Last(), request, form, told.UserCode)
		return nil
	}
	_, err := browser.Visit(ctx, told.Address, false)
	return err
}

// typeUserCode puts a user code into the empty field for it on the page that a request comes from.
func typeUserCode(page bench.Exchange, request *http.Request, form url.Values, code string) {
	field := userCodeField(page.TextFields())
	if field == "" || len(page.Passwords()) > 0 {
		return
	}
	if form.Has(field) && form.Get(field) == "" {
		form.Set(field, code)
		bench.SetForm(request, form)
	}
	query := request.URL.Query()
	if query.Has(field) && query.Get(field) == "" {
		query.Set(field, code)
		request.URL.RawQuery = query.Encode()
	}
}

// userCodeField returns the field whose name says that it takes a code, or the only field.
func userCodeField(fields []string) string {
	for _, name := range fields {
		if strings.Contains(strings.ToLower(name), "code") {
			return name
		}
	}
	if len(fields) == 1 {
		return fields[0]
	}
	return ""
}

// notApproved is the error of a check whose control failed: an approved device gets no tokens. If
// the person had to type the code, the page may want more than that.
func notApproved(told *deviceAnswer, answer *bench.Answer) error {
	if told.Complete == "" {
		return &check.NotApplicable{
			Reason: "the scripted person could not approve the device at its verification_uri: " + answer.String(),
		}
	}
	return &check.CannotJudge{Reason: "the control failed: an approved device gets " + answer.String()}
}
