package fakeentra

import (
	"bytes"
	"net/http"

	"mcpentra/fakeentra/internal/differences"
)

// differ changes an answer in the differences of the directory.
func differ(names []string, w *bufferedResponse, r *http.Request) {
	answer := differences.Answer{Status: max(w.status, http.StatusOK), Header: w.header, Body: w.body.Bytes()}
	differences.Apply(names, differences.Call{
		Path:   r.URL.Path,
		Query:  r.URL.Query(),
		Form:   r.PostForm,
		Origin: r.Header.Get("Origin"),
	}, &answer)
	w.status = answer.Status
	w.body = *bytes.NewBuffer(answer.Body)
}
