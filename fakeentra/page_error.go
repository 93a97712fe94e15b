package fakeentra

import (
	"net/http"
	"net/url"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/internal/rules"
)

// A pageError is the error of a request that a browser makes.
type pageError struct {
	problem *aadsts.Error
	// returnTo is the authorization whose client gets the error. Nil means that the person gets an
	// error page: no browser is sent to a redirect URI that is not registered.
	returnTo *authorization
}

// asPage makes an error that the person sees.
func asPage(problem *aadsts.Error) *pageError { return &pageError{problem: problem} }

// asRedirect makes an error that the client of an authorization gets.
func asRedirect(request *authorization, problem *aadsts.Error) *pageError {
	return &pageError{problem: problem, returnTo: request}
}

// A pageHandler answers a request of a browser. If it returns an error, it has written nothing.
type pageHandler func(w http.ResponseWriter, r *http.Request) *pageError

// page serves a pageHandler. Its errors are written here and nowhere else.
func (f *Fake) page(handle pageHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if failed := handle(w, r); failed != nil {
			f.writePageError(w, r, failed)
		}
	}
}

// writePageError answers with an error page, or sends the error to the client.
func (f *Fake) writePageError(w http.ResponseWriter, r *http.Request, failed *pageError) {
	request := failed.returnTo
	if request == nil || failed.problem.Unredirected || request.kind == byDevice {
		f.showError(w, r, failed.problem)
		return
	}
	f.redirectError(w, r, request, failed.problem)
}

// A formHandler handles the form of a page, with the authorization in the address of the form.
type formHandler func(w http.ResponseWriter, r *http.Request, request *authorization, form url.Values) *pageError

// form serves a formHandler. The address of a form carries the parameters of the authorization. The
// handler checks them again, because it trusts nothing from a page.
func (f *Fake) form(source kind, handle formHandler) http.HandlerFunc {
	return f.page(func(w http.ResponseWriter, r *http.Request) *pageError {
		if err := r.ParseForm(); err != nil || once(r.PostForm) != nil {
			return asPage(aadsts.Malformed())
		}
		params := r.URL.Query()
		if problem := once(params); problem != nil {
			return asPage(problem)
		}
		path, problem := f.rules.TenantPath(r.PathValue("tenant"))
		if problem != nil {
			return asPage(problem)
		}
		request := &authorization{
			kind:       source,
			version:    rules.V2,
			tenantPath: path,
			tenant:     path.Tenant,
			params:     params,
		}
		if r.PathValue("version") == "v1" {
			request.version = rules.V1
		}
		return handle(w, r, request, r.PostForm)
	})
}
