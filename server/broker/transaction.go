package broker

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"mcpentra/server/identity"
	"mcpentra/server/store"
)

// A transaction is one authorization under way, from the client's request to the code. The store
// keeps it, so that any replica can continue it.
type transaction struct {
	ClientID    string   `json:"client_id"`
	ClientName  string   `json:"client_name"`
	RedirectURI string   `json:"redirect_uri"`
	State       string   `json:"state"`
	HasState    bool     `json:"has_state"`
	Challenge   string   `json:"challenge"`
	Scopes      []string `json:"scopes"`
	Prompts     []string `json:"prompts,omitempty"`

	// Device is the device authorization that the person answers, instead of an authorization
	// request. Then there is no redirect URI.
	Device *deviceRequest `json:"device,omitempty"`

	// OwnPage is the page of this server for which a person signs in. No client takes part.
	OwnPage string `json:"own_page,omitempty"`

	// Preregistered says that the operator registered the client.
	Preregistered bool `json:"preregistered,omitempty"`

	// Trusted says that the browser may go to the redirect URI without a click (RFC 9700 section
	// 4.11.2). The redirect URI is on loopback or a pre-registered client's, or the person who is
	// signed in has approved it before.
	Trusted bool `json:"trusted,omitempty"`
	// Approved says that a person has approved the redirect URI in this transaction. The approval
	// counts once the person has signed in.
	Approved bool `json:"approved,omitempty"`

	// CSRF is the hash of the secret in the consent page's form.
	CSRF string `json:"csrf,omitempty"`
	// Browser is the hash of the secret in the cookie that binds the transaction to one browser.
	Browser string `json:"browser,omitempty"`

	// Answer is the person's answer on the consent page, and Next the step that follows. Both are
	// kept for answerLifetime.
	Answer string    `json:"answer,omitempty"`
	Next   *nextStep `json:"next,omitempty"`

	// Verifier and Nonce belong to the broker's own request to Entra.
	Verifier string `json:"verifier,omitempty"`
	Nonce    string `json:"nonce,omitempty"`

	// Returned is the hash of Entra's answer. It leads to SignedIn and Next, or to Failure. All are
	// kept for answerLifetime.
	Returned string   `json:"returned,omitempty"`
	Failure  *failure `json:"failure,omitempty"`

	// Remembered is the principal whose earlier consent replaced the consent page. If Entra returns
	// another principal, SignedIn waits for that principal's consent.
	Remembered *identity.Principal `json:"remembered,omitempty"`
	SignedIn   *signIn             `json:"signed_in,omitempty"`

	// Proven says that only the registered client can receive the answer (client.provesItself).
	Proven bool `json:"proven,omitempty"`
	// Kept are scopes that the client has already for the person KeptOf. The new grant holds them
	// as well. Regained are the scopes of a grant that a demand of Entra has ended.
	Kept     []string            `json:"kept,omitempty"`
	KeptOf   *identity.Principal `json:"kept_of,omitempty"`
	Regained []string            `json:"regained,omitempty"`

	// Demand is what Entra wants from the person in this sign-in. DemandOf is the person whose
	// demand it is; nil if Entra refused the first trip before it named the person. SecondTrip says
	// that the browser is at Entra again, because the first trip showed who the person is.
	Demand     *demand             `json:"demand,omitempty"`
	DemandOf   *identity.Principal `json:"demand_of,omitempty"`
	SecondTrip bool                `json:"second_trip,omitempty"`
}

// A nextStep says where a browser goes after its person has approved a client. A person who has
// signed in goes back to the client with Code. Any other person goes to Entra at Address.
type nextStep struct {
	Address string `json:"address,omitempty"`
	SignIn  string `json:"sign_in,omitempty"` // the key of the transaction that waits for the callback
	Browser string `json:"browser,omitempty"` // the secret in the sign-in cookie
	Code    string `json:"code,omitempty"`
}

// A failure is a protocolError in the form in which it is stored.
type failure struct {
	Status      int    `json:"status"`
	Code        string `json:"code"`
	Description string `json:"description"`
	Why         string `json:"why"`
}

func newFailure(problem *protocolError) *failure {
	return &failure{
		Status:      problem.status,
		Code:        problem.code,
		Description: problem.description,
		Why:         problem.why,
	}
}

func (f *failure) problem() *protocolError {
	problem := &protocolError{status: f.Status, code: f.Code, description: f.Description}
	return problem.because(f.Why).asWarning()
}

// A browserStep is a step of a transaction that only one browser may take: the consent page's form
// or the callback.
type browserStep struct {
	// cookie names the cookie that binds the browser to a transaction, by the transaction's key.
	cookie     func(id string) string
	cookiePath string
	// awaits reports whether a transaction waits for this step.
	awaits func(*transaction) bool
	// unknown answers a request whose transaction does not exist.
	unknown protocolError
	// foreign answers a request of another browser.
	foreign protocolError
}

// browserTransaction returns a transaction for a step of the browser that the transaction is bound
// to. If it returns false, the request is answered. The transaction stays in the store, so a guess
// from another browser does not end it.
func (b *Broker) browserTransaction(
	w http.ResponseWriter,
	r *http.Request,
	id string,
	step browserStep,
) (*transaction, bool) {
	var tx transaction
	_, err := b.records.get(r.Context(), kindTransaction, id, &tx)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !step.awaits(&tx):
		b.showRefusal(w, r, &step.unknown)
	case err != nil:
		b.storeFailed(w, r, err)
	case !sameSecret(tx.Browser, b.readCookie(r, step.cookie(id))):
		b.showRefusal(w, r, step.foreign.saw("client", tx.ClientID))
	default:
		return &tx, true
	}
	return nil, false
}

// keepForSecondClick keeps the cookie of a step for as long as the step's answer is kept.
func (b *Broker) keepForSecondClick(w http.ResponseWriter, r *http.Request, id string, step browserStep) {
	name := step.cookie(id)
	b.setCookie(w, name, b.readCookie(r, name), step.cookiePath, answerLifetime)
}

// knownPrompts are the values of prompt that the broker knows (OpenID Connect Core section
// 3.1.2.1).
var knownPrompts = []string{"none", "login", "consent", "select_account"}

// readPrompts reads the parameter prompt, each value once. All unknown values become one value: it
// shows that "none" was not alone. So a long parameter does not make a large transaction.
func readPrompts(parameter string) []string {
	var prompts []string
	for prompt := range strings.FieldsSeq(parameter) {
		if !slices.Contains(knownPrompts, prompt) {
			prompt = "unknown"
		}
		if !slices.Contains(prompts, prompt) {
			prompts = append(prompts, prompt)
		}
	}
	return prompts
}

// prompts reports whether the client asked for a prompt (OpenID Connect Core section 3.1.2.1).
func (t *transaction) prompts(prompt string) bool { return slices.Contains(t.Prompts, prompt) }

// upstreamPrompt returns the prompt for Entra, which takes one value. The broker asks for consent
// itself, so it does not pass "consent" on.
func (t *transaction) upstreamPrompt() string {
	if t.Demand != nil && t.Demand.Login && !t.prompts("none") {
		return "login"
	}
	for _, prompt := range []string{"none", "login", "select_account"} {
		if t.prompts(prompt) {
			return prompt
		}
	}
	return ""
}

// displayName names the client on a page.
func (t *transaction) displayName() string {
	if t.ClientName != "" {
		return t.ClientName
	}
	return "the program that asked"
}
