package lab

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"
)

// ledger is what the authorization servers have issued.
type ledger struct {
	mu      sync.Mutex
	codes   map[string]*issuance
	jags    map[string]*issuance // identity assertion authorization grants
	tokens  map[string]*issuance
	renewal map[string]*issuance
	devices map[string]*issuance // device codes
	clients map[string]client
	order   []*issuance // of access tokens
	coded   []string    // codes
}

// An issuance is a code, an access token or a refresh token.
type issuance struct {
	Text     string
	Party    Party
	Lab      *Lab
	ClientID string
	Resource string
	Scopes   []string
	spent    bool
}

type client struct {
	party  Party
	secret string
	method string
}

func newBook() *ledger {
	return &ledger{
		codes:   map[string]*issuance{},
		jags:    map[string]*issuance{},
		tokens:  map[string]*issuance{},
		renewal: map[string]*issuance{},
		devices: map[string]*issuance{},
		clients: map[string]client{},
	}
}

func (b *ledger) code(a *Authorization) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := &issuance{
		Text:     "code-" + rand.Text(),
		Party:    a.Party,
		Lab:      a.lab,
		ClientID: a.Params.Get("client_id"),
		Resource: a.Params.Get("resource"),
		Scopes:   strings.Fields(a.Params.Get("scope")),
	}
	b.codes[one.Text] = one
	b.coded = append(b.coded, one.Text)
	return one.Text
}

// jag issues an identity assertion authorization grant.
func (b *ledger) jag(from issuance) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	from.Text = "jag-" + rand.Text()
	b.jags[from.Text] = &from
	return from.Text
}

func (b *ledger) register(party Party, method string) (id, secret string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id = "client-" + rand.Text()
	if method != "none" {
		secret = "secret-" + rand.Text()
	}
	b.clients[id] = client{party, secret, method}
	return id, secret
}

// access issues an access token, and a refresh token if it is wanted, with what another issuance
// had.
func (b *ledger) access(from issuance, refresh bool) (token, renewal string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := from
	one.Text = "at-" + rand.Text()
	one.spent = false
	b.tokens[one.Text] = &one
	b.order = append(b.order, &one)
	if refresh {
		again := from
		again.Text = "rt-" + rand.Text()
		again.spent = false
		b.renewal[again.Text] = &again
		renewal = again.Text
	}
	return one.Text, renewal
}

// rename gives an access token another text, for a Script that wants one of its own making.
func (b *ledger) rename(old, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if one, found := b.tokens[old]; found && old != text {
		one.Text = text
		b.tokens[text] = one
	}
}

// spend takes a code or refresh token that can be used once.
func (b *ledger) spend(from map[string]*issuance, text string) (issuance, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one, found := from[text]
	if !found || one.spent {
		return issuance{}, false
	}
	one.spent = true
	return *one, true
}

// good looks an access token up. Its number counts from 1, in the order of issuing.
func (b *ledger) good(text string) (one issuance, number int, found bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, each := range b.order {
		if each.Text == text {
			return *each, i + 1, !each.spent
		}
	}
	return issuance{}, 0, false
}

func (b *ledger) expire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.order {
		one.spent = true
	}
}

// AccessTokens are those that a party of this lab has issued, and RefreshTokens, Secrets and
// ClientIDs the like.
func (l *Lab) AccessTokens(party Party) []string {
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	var all []string
	for _, one := range l.ledger.order {
		if one.Party == party {
			all = append(all, one.Text)
		}
	}
	return all
}

func (l *Lab) RefreshTokens(party Party) []string {
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	var all []string
	for text, one := range l.ledger.renewal {
		if one.Party == party {
			all = append(all, text)
		}
	}
	return all
}

// Identities are the identity assertion authorization grants that a party has issued as an identity
// provider.
func (l *Lab) Identities(party Party) []string {
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	var all []string
	for text, one := range l.ledger.jags {
		if one.Party == party {
			all = append(all, text)
		}
	}
	return all
}

func (l *Lab) ClientIDs(party Party) (ids, secrets []string) {
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	for id, one := range l.ledger.clients {
		if one.party == party {
			ids = append(ids, id)
			if one.secret != "" {
				secrets = append(secrets, one.secret)
			}
		}
	}
	return ids, secrets
}

// Redeemed are the places of the codes that came back in token requests, in the order in which they
// were issued, counted from 0.
func (l *Lab) Redeemed(party Party) []int {
	l.ledger.mu.Lock()
	codes := slices.Clone(l.ledger.coded)
	l.ledger.mu.Unlock()
	var all []int
	for _, one := range l.TokenRequests(party) {
		if i := slices.Index(codes, one.Form.Get("code")); i >= 0 {
			all = append(all, i)
		}
	}
	return all
}

// Resource is what an access token was issued for, as the client asked.
func (l *Lab) Resource(token string) string {
	one, _, _ := l.ledger.good(token)
	return one.Resource
}
