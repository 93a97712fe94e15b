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

// Script is the fake's script of faults: what was injected, and how much of it has struck.
func (f *Fake) Script() *fault.Script { return f.script }

// A T is what InjectFor needs of a test. *testing.T and *testing.B are one.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// InjectFor is Inject for a test. The test fails at its end if a fault has not struck as often as
// it says: then what it was to show was not shown.
func (f *Fake) InjectFor(t T, faults ...fault.Fault) {
	t.Helper()
	if err := f.Inject(faults...); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		t.Helper()
		for _, one := range f.script.Unused() {
			t.Errorf(
				"fakeentra: the fault %q has struck %d times, and was to strike more often",
				one.Fault.String(),
				one.Struck,
			)
		}
	})
}

// garbage is neither JSON nor UTF-8.
var garbage = []byte("\x1f\x8b\x08\x00{\"access_token\":\xff\xfe\x00<html>")

// spoil answers a request as its fault says.
func (f *Fake) spoil(w http.ResponseWriter, x *exchange) {
	struck := x.struck
	if struck.Delay > 0 {
		timer := time.NewTimer(struck.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-x.request.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	blank := x.answer.header.Clone()
	if struck.Processed || !struck.Replaces() {
		f.serve(&x.answer, x.request)
	}
	if struck.Drop {
		panic(http.ErrAbortHandler)
	}
	if struck.Replaces() {
		clear(x.answer.header)
		maps.Copy(x.answer.header, blank)
		x.answer = held{header: x.answer.header}
	}
	switch {
	case struck.AADSTS != 0:
		f.refuseWith(&x.answer, x)
	case struck.Replaces():
		text := struck.Body
		if text == "" {
			text = http.StatusText(struck.Status)
		}
		x.answer.header.Set("Content-Type", contentType([]byte(text)))
		x.answer.status = struck.Status
		x.answer.body.WriteString(text)
	case struck.Status != 0:
		x.answer.status = struck.Status
	}
	x.change()
	struck.Apply(x.answer.header)
	if struck.CutAfter > 0 && struck.CutAfter < x.answer.body.Len() {
		x.answer.body.Truncate(struck.CutAfter)
		x.send(w)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	x.send(w)
}

// change edits the body, or spoils it.
func (x *exchange) change() {
	body := x.answer.body.Bytes()
	switch {
	case len(x.struck.Edit) > 0 || x.struck.Change != nil:
		body = edited(body, x.struck)
	case x.struck.Garbage:
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

// edited merges a fault's edit into a JSON object. What is none stays as it is.
func edited(body []byte, struck *fault.Fault) []byte {
	var document map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&document) != nil || document == nil {
		return body
	}
	merge(document, struck.Edit)
	if struck.Change != nil {
		struck.Change(document)
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

// refuseWith answers with the error of a fault, in the manner of the endpoint. What is wrong with
// the request itself is said first where the manner depends on it.
func (f *Fake) refuseWith(w http.ResponseWriter, x *exchange) {
	problem, _ := aadsts.Find(x.struck.AADSTS) // checked when it was injected
	if slices.Contains(challenged, problem.Number) {
		problem = problem.Challenged(rules.GUIDOf("policy", "fault"))
	}
	r := x.request
	f.world.RLock()
	defer f.world.RUnlock()
	switch x.call.Endpoint {
	case endpoint.Authorize, endpoint.AdminConsent:
		params, wrong := parameters(r)
		segment, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		r.SetPathValue("tenant", segment)
		place, elsewhere := f.rules.TenantPath(r.PathValue("tenant"))
		if wrong != nil || elsewhere != nil {
			f.showError(w, r, problem)
			return
		}
		request := &authorization{kind: byClient, version: rules.V2, place: place, tenant: place.Tenant, params: params}
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

// refuseAuthorization sends an error to the client of an authorization, if it has one that is in
// order.
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
