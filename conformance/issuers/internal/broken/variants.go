package broken

import "net/http"

// Conforming variants. A server with one of them differs from the server without faults, and keeps
// every rule in its own way. No check may go red for it. To add one, name it and simulate it here,
// and add it to conforming in the tests.
const (
	NamesTransactionsInPaths Fault = "has the ID of a transaction in the path of its forms"
	ClosesLongRequests       Fault = "closes the connection of a long request"
	LooksAtCodesFirst        Fault = "refuses an unknown code before it looks at the client"
	OffersNoRefusal          Fault = "has no button that declines"
	RefusesBrokenJSONInHTML  Fault = "refuses a registration that is not JSON with a page"
	TakesSecretsInBodyOnly   Fault = "takes client secrets in the body only"
	RenewsSessions           Fault = "gives the browser another session with its answer"
	WantsTypedUserCodes      Fault = "has no link with a user code"
	ServesTLS                Fault = "serves TLS"
)

// serveInteraction takes both forms of a transaction whose ID is in the path.
func (s *Issuer) serveInteraction(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("prompt") == "login" {
		s.serveSignIn(w, r)
		return
	}
	s.serveAnswer(w, r)
}

// transactionID returns the ID of the transaction of a form.
func transactionID(r *http.Request) string {
	if id := r.PathValue("transaction"); id != "" {
		return id
	}
	return r.PostFormValue("transaction")
}

// formOf returns the beginning of a form of a transaction.
func (s *Issuer) formOf(action, prompt, id string) string {
	if s.has(NamesTransactionsInPaths) {
		return `<form method="post" action="/issuer/interaction/` + id + `">` +
			`<input type="hidden" name="prompt" value="` + prompt + `">`
	}
	return `<form method="post" action="` + action + `"><input type="hidden" name="transaction" value="` + id + `">`
}

// renewSession gives a browser another session in place of its own.
func (s *Issuer) renewSession(w http.ResponseWriter, r *http.Request) {
	before := s.session(r)
	after := s.beginSession(w)
	delete(s.sessions, before)
	for _, tx := range s.transactions {
		if tx.session == before {
			tx.session = after
		}
	}
}
