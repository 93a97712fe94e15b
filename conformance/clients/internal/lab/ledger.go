package lab

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"
)

// ledger remembers the credentials that the authorization servers have issued.
type ledger struct {
	mu sync.Mutex

	codes         map[string]*issuance
	idJAGs        map[string]*issuance // identity assertion authorization grants
	accessTokens  map[string]*issuance
	refreshTokens map[string]*issuance
	deviceCodes   map[string]*issuance
	clients       map[string]registration // by client ID

	codeOrder   []string
	accessOrder []*issuance
}

// An issuance is a code, a grant or a token, and the request that it was issued for.
type issuance struct {
	Text     string
	Party    Party
	Lab      *Lab
	ClientID string
	Resource string
	Scopes   []string
	spent    bool
}

// A registration is a client as an authorization server knows it.
type registration struct {
	party  Party
	secret string
	method string
}

func newLedger() *ledger {
	return &ledger{
		codes:         map[string]*issuance{},
		idJAGs:        map[string]*issuance{},
		accessTokens:  map[string]*issuance{},
		refreshTokens: map[string]*issuance{},
		deviceCodes:   map[string]*issuance{},
		clients:       map[string]registration{},
	}
}

// issueCode issues an authorization code.
func (g *ledger) issueCode(a *Authorization) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	issued := &issuance{
		Text:     "code-" + rand.Text(),
		Party:    a.Party,
		Lab:      a.lab,
		ClientID: a.Params.Get("client_id"),
		Resource: a.Params.Get("resource"),
		Scopes:   strings.Fields(a.Params.Get("scope")),
	}
	g.codes[issued.Text] = issued
	g.codeOrder = append(g.codeOrder, issued.Text)
	return issued.Text
}

// issueIDJAG issues an identity assertion authorization grant.
func (g *ledger) issueIDJAG(from issuance) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	from.Text = "jag-" + rand.Text()
	g.idJAGs[from.Text] = &from
	return from.Text
}

// issueDeviceCode issues a device code.
func (g *ledger) issueDeviceCode(from issuance) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	from.Text = "device-" + rand.Text()
	g.deviceCodes[from.Text] = &from
	return from.Text
}

func (g *ledger) hasDeviceCode(code string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.deviceCodes[code] != nil
}

// register issues a client ID, and a secret unless the method is "none".
func (g *ledger) register(party Party, method string) (id, secret string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id = "client-" + rand.Text()
	if method != "none" {
		secret = "secret-" + rand.Text()
	}
	g.clients[id] = registration{party, secret, method}
	return id, secret
}

// configure enters a client that was registered before, and returns its secret.
func (g *ledger) configure(id string, party Party, method string) (secret string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if method != "none" {
		secret = "configured-secret"
	}
	g.clients[id] = registration{party, secret, method}
	return secret
}

// issueTokens issues an access token, and a refresh token if wanted, for the request of another
// issuance.
func (g *ledger) issueTokens(from issuance, refresh bool) (accessToken, refreshToken string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from.spent = false
	access := from
	access.Text = "at-" + rand.Text()
	g.accessTokens[access.Text] = &access
	g.accessOrder = append(g.accessOrder, &access)
	if !refresh {
		return access.Text, ""
	}
	renewal := from
	renewal.Text = "rt-" + rand.Text()
	g.refreshTokens[renewal.Text] = &renewal
	return access.Text, renewal.Text
}

// rename gives an access token another text, for a Script that makes its own.
func (g *ledger) rename(old, text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if issued, found := g.accessTokens[old]; found && old != text {
		issued.Text = text
		g.accessTokens[text] = issued
	}
}

// redeem takes a code or a refresh token, which is valid once.
func (g *ledger) redeem(from map[string]*issuance, text string) (issuance, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	issued, found := from[text]
	if !found || issued.spent {
		return issuance{}, false
	}
	issued.spent = true
	return *issued, true
}

// revoke ends the validity of a token.
func (g *ledger) revoke(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, tokens := range []map[string]*issuance{g.accessTokens, g.refreshTokens} {
		if issued := tokens[token]; issued != nil {
			issued.spent = true
		}
	}
}

// accessToken looks an access token up. The number counts access tokens from 1, and is 0 for an
// unknown token.
func (g *ledger) accessToken(text string) (token issuance, number int, valid bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, issued := range g.accessOrder {
		if issued.Text == text {
			return *issued, i + 1, !issued.spent
		}
	}
	return issuance{}, 0, false
}

// expire ends the validity of every access token.
func (g *ledger) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, issued := range g.accessOrder {
		issued.spent = true
	}
}

// issuedBy returns the keys of what a party has issued.
func (g *ledger) issuedBy(party Party, from map[string]*issuance) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var texts []string
	for text, issued := range from {
		if issued.Party == party {
			texts = append(texts, text)
		}
	}
	return texts
}

// AccessTokens returns the access tokens that a party has issued, in order.
func (l *Lab) AccessTokens(party Party) []string {
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	var tokens []string
	for _, issued := range l.ledger.accessOrder {
		if issued.Party == party {
			tokens = append(tokens, issued.Text)
		}
	}
	return tokens
}

// RefreshTokens returns the refresh tokens that a party has issued.
func (l *Lab) RefreshTokens(party Party) []string {
	return l.ledger.issuedBy(party, l.ledger.refreshTokens)
}

// IdentityGrants returns the identity assertion authorization grants that a party has issued as an
// identity provider.
func (l *Lab) IdentityGrants(party Party) []string {
	return l.ledger.issuedBy(party, l.ledger.idJAGs)
}

// ClientIDs returns the client IDs that a party has issued, and the secrets.
func (l *Lab) ClientIDs(party Party) (ids, secrets []string) {
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	for id, registered := range l.ledger.clients {
		if registered.party != party {
			continue
		}
		ids = append(ids, id)
		if registered.secret != "" {
			secrets = append(secrets, registered.secret)
		}
	}
	return ids, secrets
}

// Redeemed returns the codes that came back in token requests to a party. Each code is a number,
// which counts issued codes from 0.
func (l *Lab) Redeemed(party Party) []int {
	l.ledger.mu.Lock()
	codes := slices.Clone(l.ledger.codeOrder)
	l.ledger.mu.Unlock()
	var redeemed []int
	for _, request := range l.TokenRequests(party) {
		if i := slices.Index(codes, request.Form.Get("code")); i >= 0 {
			redeemed = append(redeemed, i)
		}
	}
	return redeemed
}

// Resource returns the resource parameter of the request that an access token was issued for.
func (l *Lab) Resource(token string) string {
	issued, _, _ := l.ledger.accessToken(token)
	return issued.Resource
}
