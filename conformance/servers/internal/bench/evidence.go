package bench

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/internal/evidence"
	"mcpentra/conformance/internal/exchange"
)

// Hide masks a value in all reports of the probe and its clones, as if it were a credential.
func (p *Probe) Hide(values ...string) { p.secrets.Add(values...) }

// remember notes the credentials of a request, so that an answer that repeats them does not carry
// them into a report.
func (p *Probe) remember(request *http.Request) {
	for _, value := range request.Header.Values("Authorization") {
		_, credentials, _ := strings.Cut(value, " ")
		p.secrets.Add(credentials)
	}
	for _, values := range request.URL.Query() {
		p.secrets.Add(values...)
	}
	for _, values := range request.Header {
		for _, value := range values {
			p.secrets.Add(slices.DeleteFunc(words(value), p.hidesNothing)...)
		}
	}
}

// words returns the different words of a header that are long enough to be a credential in base64.
// A check may send a header of thousands of words.
func words(value string) []string {
	isBetween := func(r rune) bool { return strings.ContainsRune(` ,;="{}`, r) }
	isShort := func(word string) bool { return len(word) < base64.RawStdEncoding.EncodedLen(exchange.MinSecret) }
	found := slices.DeleteFunc(strings.FieldsFunc(value, isBetween), isShort)
	slices.Sort(found)
	return slices.Compact(found)
}

// hidesNothing reports whether a word is not the base64 encoding of a credential, with or without
// other text.
func (p *Probe) hidesNothing(word string) bool {
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(word)
	decoded, err := base64.RawStdEncoding.DecodeString(standard)
	return err != nil || p.secrets.Mask(string(decoded)) == string(decoded)
}

// answered keeps the description of an exchange for reports.
func (p *Probe) answered(ctx context.Context, describe func() string) {
	p.last = describe
	evidence.Record(ctx, describe)
}

// record describes an exchange for a report, without credentials and bodies.
func (p *Probe) record(request *http.Request, response *http.Response) string {
	address := *request.URL
	if address.RawQuery != "" {
		address.RawQuery = "…"
	}
	return p.secrets.Record(address.String(), request, response)
}

// shown prepares a value for a report.
func (p *Probe) shown(value string) string { return p.secrets.Shown(value) }
