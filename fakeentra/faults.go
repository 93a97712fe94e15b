package fakeentra

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/endpoint"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/internal/rules"
)

// Inject appends faults to the fake's script. If one fault has a mistake, it appends none.
func (f *Fake) Inject(faults ...fault.Fault) error { return f.script.Add(faults...) }

// Script returns the fake's script: the faults, and how often each was applied.
func (f *Fake) Script() *fault.Script { return f.script }

// A T is the part of *testing.T and *testing.B that InjectFor needs.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// InjectFor is Inject for a test. The test fails at its end if a fault was applied less often than
// its Times.
func (f *Fake) InjectFor(t T, faults ...fault.Fault) {
	t.Helper()
	if err := f.Inject(faults...); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		t.Helper()
		for _, progress := range f.script.Unused() {
			t.Errorf("fakeentra: the fault %q was applied %d times; the test needs more matching requests",
				progress.Fault.String(), progress.Applied)
		}
	})
}

// garbage is neither JSON nor UTF-8.
var garbage = []byte("\x1f\x8b\x08\x00{\"access_token\":\xff\xfe\x00<html>")

// applyFault answers a request with its fault.
func (f *Fake) applyFault(w http.ResponseWriter, x *serverRequest) {
	injected := x.fault
	if injected.Delay > 0 {
		timer := time.NewTimer(injected.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-x.request.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	blank := x.answer.header.Clone()
	if injected.Processed || !injected.Replaces() {
		f.serve(&x.answer, x.request)
	}
	if injected.Drop {
		panic(http.ErrAbortHandler)
	}
	if injected.Replaces() {
		clear(x.answer.header)
		maps.Copy(x.answer.header, blank)
		x.answer = bufferedResponse{header: x.answer.header}
	}
	switch {
	case injected.AADSTS != 0:
		f.refuseWith(&x.answer, x)
	case injected.Replaces():
		text := injected.Body
		if text == "" {
			text = f.faultBody(x)
		}
		x.answer.header.Set("Content-Type", contentType([]byte(text)))
		x.answer.status = injected.Status
		x.answer.body.WriteString(text)
	case injected.Status != 0:
		x.answer.status = injected.Status
	}
	x.change()
	injected.Apply(x.answer.header)
	if injected.CutAfter > 0 && injected.CutAfter < x.answer.body.Len() {
		x.answer.body.Truncate(injected.CutAfter)
		x.send(w)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	x.send(w)
}

// change edits the body, or replaces it with garbage.
func (x *serverRequest) change() {
	body := x.answer.body.Bytes()
	switch {
	case len(x.fault.Edit) > 0 || x.fault.Change != nil:
		body = edited(body, x.fault)
	case x.fault.Garbage:
		body = garbage
	default:
		return
	}
	x.answer.body = *bytes.NewBuffer(slices.Clone(body))
}

// contentType guesses the media type of a fault's body.
func contentType(body []byte) string {
	switch {
	case json.Valid(body):
		return "application/json; charset=utf-8"
	case bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")):
		return "text/html; charset=utf-8"
	}
	return "text/plain; charset=utf-8"
}

// edited merges the edit of a fault into a JSON object. Any other body stays as it is.
func edited(body []byte, injected *fault.Fault) []byte {
	var document map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&document) != nil || document == nil {
		return body
	}
	merge(document, injected.Edit)
	if injected.Change != nil {
		injected.Change(document)
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic(err) // Change added a value that JSON cannot express
	}
	return text
}

// merge applies a JSON merge patch (RFC 7396): null removes a member, objects are merged, and other
// values are replaced.
func merge(document, patch map[string]any) {
	for name, value := range patch {
		part, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(document, name)
		case isObject:
			inner, _ := document[name].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
			}
			merge(inner, part)
			document[name] = inner
		default:
			document[name] = value
		}
	}
}

// challenged lists the errors that come with a claims challenge.
var challenged = []int{50076, 50079, 53000, 53001, 53003}

// refuseWith answers with the error of a fault, in the error format of the endpoint. At the
// authorization endpoints the format depends on the request, so an error in the request comes
// first.
func (f *Fake) refuseWith(w http.ResponseWriter, x *serverRequest) {
	problem, _ := aadsts.Find(x.fault.AADSTS) // checked when it was injected
	if slices.Contains(challenged, problem.Number) {
		problem = problem.Challenged(rules.GUIDOf("policy", "fault"))
	}
	r := x.request
	f.directoryMu.RLock()
	defer f.directoryMu.RUnlock()
	switch x.call.Endpoint {
	case endpoint.Authorize, endpoint.AdminConsent:
		params, wrong := parameters(r)
		segment, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		r.SetPathValue("tenant", segment)
		path, unknown := f.rules.TenantPath(r.PathValue("tenant"))
		if wrong != nil || unknown != nil {
			f.showError(w, r, problem)
			return
		}
		request := &authorization{
			kind:       byClient,
			version:    rules.V2,
			tenantPath: path,
			tenant:     path.Tenant,
			params:     params,
		}
		if x.call.Endpoint == endpoint.AdminConsent {
			request.kind = byAdmin
		}
		if !strings.Contains(r.URL.Path, "/v2.0/") {
			request.version = rules.V1
		}
		if request.tenant == nil {
			request.tenant = f.rules.HomeOf(params.Get("client_id"))
		}
		failed := f.read(request)
		if failed == nil {
			failed = asRedirect(request, problem)
		}
		f.writePageError(w, r, failed)
	case endpoint.Device, endpoint.Logout, endpoint.SignIn, endpoint.SecondFactor, endpoint.Consent:
		f.showError(w, r, problem)
	case endpoint.Discovery, endpoint.Keys, endpoint.Instance:
		f.writeDiscoveryError(w, r, problem)
	default:
		f.writeError(w, r, problem)
	}
}
