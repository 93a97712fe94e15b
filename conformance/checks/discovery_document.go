package checks

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mcpentra/conformance/engine"
)

// discoveryDocument: what a server makes of the document in which its issuer says where its keys are (OpenID Connect Discovery
// 1.0 sections 3 and 4, RFC 8414 section 3).
func discoveryDocument() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	covers := []string{"RS-067"}
	return []engine.Check{
		{
			ID: "server/keys/document-issuer", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, NeedsRig: true, Covers: covers,
			Reference: "OpenID Connect Discovery 1.0 section 4.3; RFC 8414 section 3.3",
			Sentence:  "A discovery document that speaks for another issuer is not used, neither at the start nor in place of a good one.",
			Run:       foreignDocuments,
		},
		{
			ID: "server/keys/document-address", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, NeedsRig: true, Covers: covers,
			Reference: "OpenID Connect Discovery 1.0 section 3; RFC 8414 section 2; RFC 9700 section 4.11",
			Sentence:  "A discovery document whose jwks_uri is no https URL is not used, and no keys are fetched in the clear or from the inside of a network.",
			Run:       keyAddresses,
		},
		{
			ID: "server/keys/document-outage", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, NeedsRig: true, Covers: covers,
			Reference: "OpenID Connect Discovery 1.0 section 4.2; Microsoft identity platform, Signing key rollover",
			Sentence:  "While the discovery document cannot be had, a server that has none serves nobody, and one that has one goes on with it.",
			Run:       documentOutage,
		},
		{
			ID: "server/keys/document-silence", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Needs: good, NeedsRig: true, Covers: covers,
			Reference: "RFC 9110 section 15.6.4",
			Sentence:  "An issuer that does not answer for its discovery document does not hold a caller up for ever.",
			Run:       documentSilence,
		},
		{
			ID: "server/keys/document-redirect", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Needs: good, NeedsRig: true, Covers: covers,
			Reference: "RFC 9700 section 4.11; OpenID Connect Discovery 1.0 section 4.2",
			Sentence:  "A redirect does not lead a server to another discovery document.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				return (&attacker{}).described(ctx, p, func(ctx context.Context, d *documents) error {
					d.elsewhere(jsonDocument(d.changed(member("jwks_uri", elsewhereKeys))))
					return d.mistrusted(ctx, "a document from where a redirect leads", http.RedirectHandler("https://elsewhere.example/document", http.StatusFound))
				})
			},
		},
	}
}

const (
	// elsewhereKeys is where an attacker has keys.
	elsewhereKeys = "https://elsewhere.example/keys"
	// strangeKey is the ID of the attacker's.
	strangeKey = "strange"
	// anotherDay is when a server asks for the document again at the latest.
	anotherDay = 25 * time.Hour
)

// documents are the discovery documents of a rig's issuer, true and false.
type documents struct {
	*rig
	asked atomic.Int64 // how often the server has asked for one that is not the issuer's own

	mu      sync.Mutex
	reached []string // the addresses elsewhere that the server has asked
}

// An attacker has a key, made once since RSA keys take a while.
type attacker struct{ key crypto.Signer }

// described has a rig whose issuer publishes the attacker's key too, but only at an address that no document of its own
// names. A server that uses a false document believes that key.
func (a *attacker) described(ctx context.Context, p *engine.Probe, run func(ctx context.Context, d *documents) error) error {
	r, err := newRig(ctx, p)
	if err != nil {
		return err
	}
	defer r.Close()
	switch {
	case r.Describe == nil || r.Metadata == nil || r.Elsewhere == nil:
		return &engine.NotApplicable{Reason: "the server reads no discovery document"}
	case r.Advance == nil:
		return &engine.NotApplicable{Reason: "the rig cannot let a day pass"}
	}
	if a.key == nil {
		a.key = strangersFor(r.algorithm)
	}
	d := &documents{rig: r}
	strange := jsonDocument(quoted(map[string]any{"keys": append([]json.RawMessage{r.use(strangeKey, a.key)}, r.issuers...)}))
	own := jsonDocument(quoted(map[string]any{"keys": r.issuers}))
	r.Serve(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.URL.RawQuery != "" {
			strange(w, request)
			return
		}
		own(w, request)
	}))
	d.elsewhere(strange)
	return run(ctx, d)
}

// elsewhere is what others than the issuer answer.
func (d *documents) elsewhere(answer http.HandlerFunc) {
	d.Elsewhere(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		d.mu.Lock()
		d.reached = append(d.reached, request.URL.String())
		d.mu.Unlock()
		answer(w, request)
	}))
}

// strayed is an address elsewhere that the server has asked, or empty.
func (d *documents) strayed() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.reached) == 0 {
		return ""
	}
	return d.reached[0]
}

// changed is the issuer's own document with changes.
func (d *documents) changed(changes ...func(map[string]any)) string {
	document := map[string]any{}
	_ = json.Unmarshal(d.Metadata(), &document)
	for _, change := range changes {
		change(document)
	}
	return quoted(document)
}

// besideOwn is an address of the issuer's own keys and the attacker's, at the issuer.
func (d *documents) besideOwn() string {
	document := map[string]any{}
	_ = json.Unmarshal(d.Metadata(), &document)
	return text(document, "jwks_uri") + "?more"
}

func jsonDocument(document string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(document))
	}
}

// describe lets the issuer answer for its document, and counts.
func (d *documents) describe(answer http.Handler) {
	d.Describe(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		d.asked.Add(1)
		answer.ServeHTTP(w, request)
	}))
}

// followed shows that the server goes by the document: keys that it names in another place are found there.
func (d *documents) followed(ctx context.Context) error {
	d.describe(jsonDocument(d.changed(member("jwks_uri", d.besideOwn()))))
	token, err := d.signed(ctx, strangeKey)
	if err != nil {
		return err
	}
	answer, err := d.probe.Send(ctx, engine.Request{Header: engine.Bearer(token)})
	if err == nil && !answer.Succeeded() {
		return &engine.NotApplicable{Reason: "the server does not take the address of its issuer's keys from the discovery document"}
	}
	return err
}

// mistrusted lets the issuer have a false document when the server starts, then its own, and the false one again a day later.
func (d *documents) mistrusted(ctx context.Context, name string, falsehood http.Handler) error {
	d.describe(falsehood)
	if err := d.refused(ctx, strangeKey, name+", at the start"); err != nil {
		return err
	}
	if d.asked.Load() == 0 {
		return &engine.NotApplicable{Reason: "the server does not ask for the discovery document when it needs it"}
	}
	d.Describe(nil)
	d.Advance(2 * time.Minute)
	if err := d.well(ctx, "a token after "+name+" was put right"); err != nil {
		return err
	}
	d.describe(falsehood)
	d.Advance(anotherDay)
	if err := d.well(ctx, "a token with "+name+" in place of a good document"); err != nil {
		return err
	}
	return d.refused(ctx, strangeKey, name+", a day later")
}

// refused wants a token refused that only a false document makes good.
func (d *documents) refused(ctx context.Context, id, name string) error {
	token, err := d.signed(ctx, id)
	if err != nil {
		return err
	}
	answer, err := d.probe.Send(ctx, engine.Request{Header: engine.Bearer(token)})
	switch {
	case err != nil:
		return err
	case answer.Status/100 == 2:
		return d.probe.Insecure("a refusal of the attacker's key: "+name, fmt.Sprintf("status %d", answer.Status))
	case answer.Status != http.StatusServiceUnavailable && answer.Status != http.StatusUnauthorized:
		return d.probe.Mismatch("status 503 or 401: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}

// well wants a good token served.
func (d *documents) well(ctx context.Context, name string) error {
	token, err := d.probe.Token(ctx, engine.Good)
	if err != nil {
		return err
	}
	answer, err := d.probe.Send(ctx, engine.Request{Header: engine.Bearer(token)})
	if err == nil && !answer.Succeeded() {
		return d.probe.Lesser(engine.Policy, "a result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

func foreignDocuments(ctx context.Context, p *engine.Probe) error {
	a := &attacker{}
	if err := a.described(ctx, p, func(ctx context.Context, d *documents) error { return d.followed(ctx) }); err != nil {
		return err
	}
	for name, change := range map[string]func(issuer string) any{
		"another issuer":              func(string) any { return "https://login.elsewhere.example/v2.0" },
		"another tenant":              anotherTenant,
		"a slash more":                func(issuer string) any { return issuer + "/" },
		"the issuer in capitals":      func(issuer string) any { return strings.ToUpper(issuer) },
		"what begins like the issuer": func(issuer string) any { return issuer + ".elsewhere.example" },
		"a list of issuers":           func(issuer string) any { return []string{issuer} },
		"no issuer":                   func(string) any { return nothing },
	} {
		err := a.described(ctx, p, func(ctx context.Context, d *documents) error {
			var own struct {
				Issuer string `json:"issuer"`
			}
			_ = json.Unmarshal(d.Metadata(), &own)
			document := d.changed(member("issuer", change(own.Issuer)), member("jwks_uri", d.besideOwn()))
			return d.mistrusted(ctx, "a document of "+name, jsonDocument(document))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

var guids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// anotherTenant is an issuer of the same make, where the name has a GUID in it, or a path more.
func anotherTenant(issuer string) any {
	const other = "9188040d-6c67-4c5b-b112-36a304b66dad"
	if changed := guids.ReplaceAllString(issuer, other); changed != issuer {
		return changed
	}
	return issuer + "/" + other
}

func keyAddresses(ctx context.Context, p *engine.Probe) error {
	a := &attacker{}
	if err := a.described(ctx, p, func(ctx context.Context, d *documents) error { return d.followed(ctx) }); err != nil {
		return err
	}
	for name, address := range map[string]any{
		"no jwks_uri": nothing, "an empty jwks_uri": "", "a jwks_uri that is no text": 1, "a jwks_uri without a host": "/keys?more", "keys in the clear": "http://elsewhere.example/keys",
		"keys in a file": "file:///etc/hostname", "keys in the address itself": "data:application/json,%7B%22keys%22%3A%5B%5D%7D", "a name and password": "https://user:password@elsewhere.example/keys",
	} {
		err := a.described(ctx, p, func(ctx context.Context, d *documents) error {
			err := d.mistrusted(ctx, "a document with "+name, jsonDocument(d.changed(member("jwks_uri", address))))
			if strayed := d.strayed(); err == nil && strayed != "" {
				return d.probe.Mismatch("no request for the keys of a document with "+name, "one to "+strayed)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	// A document that is right in all else may have its keys with anybody; who has them inside is asked for what is inside.
	for _, inside := range []string{"https://169.254.169.254/keys", "https://10.0.0.1/keys", "https://[fd00:ec2::254]/keys", "https://0.0.0.0/keys"} {
		err := a.described(ctx, p, func(ctx context.Context, d *documents) error {
			d.describe(jsonDocument(d.changed(member("jwks_uri", inside))))
			token, err := d.probe.Token(ctx, engine.Good)
			if err != nil {
				return err
			}
			if _, err := d.probe.Send(ctx, engine.Request{Header: engine.Bearer(token)}); err != nil {
				return err
			}
			if strayed := d.strayed(); strayed != "" {
				return d.probe.Lesser(engine.Policy, "no request to an address inside a network", "one to "+strayed)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func documentOutage(ctx context.Context, p *engine.Probe) error {
	a := &attacker{}
	if err := a.described(ctx, p, longDocument); err != nil {
		return err
	}
	for name, handler := range outOfOrder() {
		err := a.described(ctx, p, func(ctx context.Context, d *documents) error {
			return d.mistrusted(ctx, "a document that is: "+name, handler)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// longDocument is far too long, and right at its end: who believes it has read it all.
func longDocument(ctx context.Context, d *documents) error {
	document := d.changed(member("jwks_uri", d.besideOwn()))
	d.describe(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		blanks := []byte(strings.Repeat(" ", 64<<10))
		for range 128 {
			if _, err := w.Write(blanks); err != nil {
				return
			}
		}
		_, _ = w.Write([]byte(document))
	}))
	token, err := d.signed(ctx, strangeKey)
	if err != nil {
		return err
	}
	answer, err := d.probe.Send(ctx, engine.Request{Header: engine.Bearer(token)})
	if err == nil && answer.Succeeded() {
		return d.probe.Lesser(engine.Policy, "a document of 8 MiB not to be read to its end", "the result of a token that only its end makes good")
	}
	return err
}

func documentSilence(ctx context.Context, p *engine.Probe) error {
	return (&attacker{}).described(ctx, p, func(ctx context.Context, d *documents) error {
		ended := make(chan struct{})
		defer close(ended)
		d.describe(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			select {
			case <-request.Context().Done():
			case <-ended:
			}
		}))
		token, err := d.probe.Token(ctx, engine.Good)
		if err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, d.probe.Patience())
		defer cancel()
		answer, err := d.probe.Send(bounded, engine.Request{Header: engine.Bearer(token)})
		switch {
		case bounded.Err() != nil && ctx.Err() == nil:
			return d.probe.Mismatch("an answer while the issuer is silent", fmt.Sprintf("none within %v", d.probe.Patience()))
		case err != nil:
			return err
		case d.asked.Load() == 0:
			return &engine.NotApplicable{Reason: "the server does not ask for the discovery document when it needs it"}
		case answer.Status/100 == 2:
			return d.probe.Insecure("status 503 without any key", fmt.Sprintf("status %d", answer.Status))
		case answer.Status != http.StatusServiceUnavailable:
			return d.probe.Mismatch("status 503 without any key, so that nobody throws a good token away", fmt.Sprintf("status %d", answer.Status))
		}
		return nil
	})
}
