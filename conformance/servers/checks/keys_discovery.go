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

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// keysDiscoveryChecks are checks of server/keys: what a server makes of the document in which its
// issuer says where its keys are (OpenID Connect Discovery 1.0 sections 3 and 4, RFC 8414 section
// 3).
func keysDiscoveryChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/keys/document-issuer",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OpenID Connect Discovery 1.0 section 4.3; RFC 8414 section 3.3",
				Sentence: "A discovery document that speaks for another issuer is not used, neither at the start nor " +
					"in place of a good one.",
				Covers: []string{"RS-067"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    foreignDocuments,
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/document-address",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OpenID Connect Discovery 1.0 section 3; RFC 8414 section 2; RFC 9700 section 4.11",
				Sentence: "A discovery document whose jwks_uri is no https URL is not used, and no keys are fetched " +
					"in the clear or from the inside of a network.",
				Covers: []string{"RS-067"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    keyAddresses,
		},
		{
			Rule: check.Rule{
				ID:       "server/keys/document-outage",
				Level:    check.Must,
				Severity: check.High,
				Reference: "OpenID Connect Discovery 1.0 section 4.2; Microsoft identity platform, Signing " +
					"key rollover",
				Sentence: "While the discovery document cannot be had, a server that has none serves nobody, and one " +
					"that has one goes on with it.",
				Covers: []string{"RS-067"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    documentOutage,
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/document-silence",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 15.6.4",
				Sentence: "An issuer that does not answer for its discovery document does not hold a caller " +
					"up for ever.",
				Covers: []string{"RS-067"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    documentSilence,
		},
		{
			Rule: check.Rule{
				ID:        "server/keys/document-redirect",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9700 section 4.11; OpenID Connect Discovery 1.0 section 4.2",
				Sentence:  "A redirect does not lead a server to another discovery document.",
				Covers:    []string{"RS-067"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.OwnServer},
			Run:    keysDocumentRedirect,
		},
	}
}

// keysDocumentRedirect tries server/keys/document-redirect.
func keysDocumentRedirect(ctx context.Context, p *bench.Probe) error {
	return (&attacker{}).described(ctx, p, func(ctx context.Context, d *documents) error {
		d.elsewhere(jsonDocument(d.changed(attack.Member("jwks_uri", elsewhereKeys))))
		return d.mistrusted(
			ctx,
			"a document from where a redirect leads",
			http.RedirectHandler("https://elsewhere.example/document", http.StatusFound),
		)
	})
}

const (
	// elsewhereKeys is where an attacker has keys.
	elsewhereKeys = "https://elsewhere.example/keys"
	// strangeKey is the ID of the attacker's.
	strangeKey = "strange"
	// anotherDay is when a server asks for the document again at the latest.
	anotherDay = 25 * time.Hour
)

// documents are the discovery documents of a fixture's issuer, true and false.
type documents struct {
	*attack.Fixture
	asked atomic.Int64 // how often the server has asked for one that is not the issuer's own

	mu      sync.Mutex
	reached []string // the addresses elsewhere that the server has asked
}

// An attacker has a key, made once since RSA keys take a while.
type attacker struct{ key crypto.Signer }

// described has a fixture whose issuer publishes the attacker's key too, but only at an address
// that no document of its own names. A server that uses a false document believes that key.
func (a *attacker) described(
	ctx context.Context, p *bench.Probe, run func(ctx context.Context, d *documents) error,
) error {
	r, err := attack.NewFixture(ctx, p)
	if err != nil {
		return err
	}
	defer r.Close()
	switch {
	case r.Describe == nil || r.Metadata == nil || r.Elsewhere == nil:
		return &check.NotApplicable{Reason: "the server reads no discovery document"}
	case r.Advance == nil:
		return &check.NotApplicable{Reason: "the rig cannot let a day pass"}
	}
	if a.key == nil {
		a.key = attack.StrangersFor(r.Algorithm)
	}
	d := &documents{Fixture: r}
	strange := jsonDocument(attack.Quoted(map[string]any{
		"keys": append([]json.RawMessage{r.Use(strangeKey, a.key)}, r.Issuers...),
	}))
	own := jsonDocument(attack.Quoted(map[string]any{"keys": r.Issuers}))
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
	return attack.Quoted(document)
}

// besideOwn is an address of the issuer's own keys and the attacker's, at the issuer.
func (d *documents) besideOwn() string {
	document := map[string]any{}
	_ = json.Unmarshal(d.Metadata(), &document)
	return attack.Text(document, "jwks_uri") + "?more"
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

// followed shows that the server goes by the document: keys that it names in another place are
// found there.
func (d *documents) followed(ctx context.Context) error {
	d.describe(jsonDocument(d.changed(attack.Member("jwks_uri", d.besideOwn()))))
	token, err := d.Signed(ctx, strangeKey)
	if err != nil {
		return err
	}
	answer, err := d.Probe.Send(ctx, bench.Request{Header: bench.Bearer(token)})
	if err == nil && !answer.Succeeded() {
		return &check.NotApplicable{
			Reason: "the server does not take the address of its issuer's keys from the discovery document",
		}
	}
	return err
}

// mistrusted lets the issuer have a false document when the server starts, then its own, and the
// false one again a day later.
func (d *documents) mistrusted(ctx context.Context, name string, falsehood http.Handler) error {
	d.describe(falsehood)
	if err := d.refused(ctx, strangeKey, name+", at the start"); err != nil {
		return err
	}
	if d.asked.Load() == 0 {
		return &check.NotApplicable{Reason: "the server does not ask for the discovery document when it needs it"}
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
	token, err := d.Signed(ctx, id)
	if err != nil {
		return err
	}
	answer, err := d.Probe.Send(ctx, bench.Request{Header: bench.Bearer(token)})
	switch {
	case err != nil:
		return err
	case answer.Status/100 == 2:
		return d.Probe.Insecure("a refusal of the attacker's key: "+name, fmt.Sprintf("status %d", answer.Status))
	case answer.Status != http.StatusServiceUnavailable && answer.Status != http.StatusUnauthorized:
		return d.Probe.Mismatch("status 503 or 401: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}

// well wants a good token served.
func (d *documents) well(ctx context.Context, name string) error {
	token, err := d.Probe.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	answer, err := d.Probe.Send(ctx, bench.Request{Header: bench.Bearer(token)})
	if err == nil && !answer.Succeeded() {
		return d.Probe.MismatchAt(check.Policy, "a result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

func foreignDocuments(ctx context.Context, p *bench.Probe) error {
	a := &attacker{}
	if err := a.described(
		ctx,
		p,
		func(ctx context.Context, d *documents) error { return d.followed(ctx) },
	); err != nil {
		return err
	}
	for name, change := range map[string]func(issuer string) any{
		"another issuer":              func(string) any { return "https://login.elsewhere.example/v2.0" },
		"another tenant":              anotherTenant,
		"a slash more":                func(issuer string) any { return issuer + "/" },
		"the issuer in capitals":      func(issuer string) any { return strings.ToUpper(issuer) },
		"what begins like the issuer": func(issuer string) any { return issuer + ".elsewhere.example" },
		"a list of issuers":           func(issuer string) any { return []string{issuer} },
		"no issuer":                   func(string) any { return attack.Nothing },
	} {
		err := a.described(ctx, p, func(ctx context.Context, d *documents) error {
			var own struct {
				Issuer string `json:"issuer"`
			}
			_ = json.Unmarshal(d.Metadata(), &own)
			document := d.changed(attack.Member("issuer", change(own.Issuer)), attack.Member("jwks_uri", d.besideOwn()))
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

func keyAddresses(ctx context.Context, p *bench.Probe) error {
	a := &attacker{}
	if err := a.described(
		ctx,
		p,
		func(ctx context.Context, d *documents) error { return d.followed(ctx) },
	); err != nil {
		return err
	}
	for name, address := range map[string]any{
		"no jwks_uri":                attack.Nothing,
		"an empty jwks_uri":          "",
		"a jwks_uri that is no text": 1,
		"a jwks_uri without a host":  "/keys?more",
		"keys in the clear":          "http://elsewhere.example/keys",
		"keys in a file":             "file:///etc/hostname",
		"keys in the address itself": "data:application/json,%7B%22keys%22%3A%5B%5D%7D",
		"a name and password":        "https://user:password@elsewhere.example/keys",
	} {
		err := a.described(ctx, p, func(ctx context.Context, d *documents) error {
			err := d.mistrusted(
				ctx,
				"a document with "+name,
				jsonDocument(d.changed(attack.Member("jwks_uri", address))),
			)
			if strayed := d.strayed(); err == nil && strayed != "" {
				return d.Probe.Mismatch("no request for the keys of a document with "+name, "one to "+strayed)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	// A document that is right in all else may have its keys with anybody; who has them inside is
	// asked for what is inside.
	for _, inside := range []string{
		"https://169.254.169.254/keys",
		"https://10.0.0.1/keys",
		"https://[fd00:ec2::254]/keys",
		"https://0.0.0.0/keys",
	} {
		err := a.described(ctx, p, func(ctx context.Context, d *documents) error {
			d.describe(jsonDocument(d.changed(attack.Member("jwks_uri", inside))))
			token, err := d.Probe.Token(ctx, bench.Good)
			if err != nil {
				return err
			}
			if _, err := d.Probe.Send(ctx, bench.Request{Header: bench.Bearer(token)}); err != nil {
				return err
			}
			if strayed := d.strayed(); strayed != "" {
				return d.Probe.MismatchAt(check.Policy, "no request to an address inside a network", "one to "+strayed)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func documentOutage(ctx context.Context, p *bench.Probe) error {
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
	document := d.changed(attack.Member("jwks_uri", d.besideOwn()))
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
	token, err := d.Signed(ctx, strangeKey)
	if err != nil {
		return err
	}
	answer, err := d.Probe.Send(ctx, bench.Request{Header: bench.Bearer(token)})
	if err == nil && answer.Succeeded() {
		return d.Probe.MismatchAt(
			check.Policy,
			"a document of 8 MiB not to be read to its end",
			"the result of a token that only its end makes good",
		)
	}
	return err
}

func documentSilence(ctx context.Context, p *bench.Probe) error {
	return (&attacker{}).described(ctx, p, func(ctx context.Context, d *documents) error {
		ended := make(chan struct{})
		defer close(ended)
		d.describe(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			select {
			case <-request.Context().Done():
			case <-ended:
			}
		}))
		token, err := d.Probe.Token(ctx, bench.Good)
		if err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, d.Probe.Patience())
		defer cancel()
		answer, err := d.Probe.Send(bounded, bench.Request{Header: bench.Bearer(token)})
		switch {
		case bounded.Err() != nil && ctx.Err() == nil:
			return d.Probe.Mismatch(
				"an answer while the issuer is silent",
				fmt.Sprintf("none within %v", d.Probe.Patience()),
			)
		case err != nil:
			return err
		case d.asked.Load() == 0:
			return &check.NotApplicable{Reason: "the server does not ask for the discovery document when it needs it"}
		case answer.Status/100 == 2:
			return d.Probe.Insecure("status 503 without any key", fmt.Sprintf("status %d", answer.Status))
		case answer.Status != http.StatusServiceUnavailable:
			return d.Probe.Mismatch(
				"status 503 without any key, so that nobody throws a good token away",
				fmt.Sprintf("status %d", answer.Status),
			)
		}
		return nil
	})
}
