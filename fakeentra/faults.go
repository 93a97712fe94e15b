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

// Inject appends faults to the fake's script. It takes all of them or, when one cannot be meant,
// none.
func (f *Fake) Inject(faults ...fault.Fault) error { return f.script.Add(faults...) }

// Script is the fake's script of faults: what was injected, and how much of it was applied.
func (f *Fake) Script() *fault.Script { return f.script }

// A T is what InjectFor needs of a test. *testing.T and *testing.B are one.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// InjectFor is Inject for a test. The test fails at its end if a fault was applied less often than
// it says.
func (f *Fake) InjectFor(t T, faults ...fault.Fault) {
	t.Helper()
	if err := f.Inject(faults...); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		t.Helper()
		for _, progress := range f.script.Unused() {
			t.Errorf(
				"fakeentra: the fault %q has struck %d times, and was to strike more often",
				progress.Fault.String(),
				progress.Struck,
			)
		}
	})
}

// garbage is neither JSON nor UTF-8.
var garbage = []byte("\x1f\x8b\x08\x00{\"access_token\":\xff\xfe\x00<html>")

// applyFault answers a request with its fault.
func (f *Fake) applyFault(w http.ResponseWriter, x *exchange) {
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
			text = http.StatusText(injected.Status)
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
func (x *exchange) change() {
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

// contentType guesses what the text of a fault is.
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
		panic(err) // what Change put in
	}
	return text
}

// merge is RFC 7396: null takes a member away, objects are merged, all else is replaced.
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

// challenged are the errors that come with a claims challenge.
var challenged = []int{50076, 50079, 53000, 53001, 53003}

// refuseWith answers with the error of a fault, in the form of the endpoint. Where the form depends
// on the request, an error in the request comes first.
func (f *Fake) refuseWith(w http.ResponseWriter, x *exchange) {
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
		f.refuseAuthorization(w, r, request, problem)
	case endpoint.Device, endpoint.Logout, endpoint.SignIn, endpoint.SecondFactor, endpoint.Consent:
		f.showError(w, r, problem)
	case endpoint.Discovery, endpoint.Keys, endpoint.Instance:
		f.writeDiscoveryError(w, r, problem)
	default:
		f.writeError(w, r, problem)
	}
}

// refuseAuthorization sends an error to the client of an authorization. An error in the request
// comes first.
func (f *Fake) refuseAuthorization(
	w http.ResponseWriter,
	r *http.Request,
	request *authorization,
	problem *aadsts.Error,
) {
	if request.tenant == nil {
		request.tenant = f.rules.HomeOf(request.params.Get("client_id"))
	}
	if done := f.read(w, r, request); !done {
		f.redirectError(w, r, request, problem)
	}
}
