package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A clientEntry is one client in the file of clients. Its members are named as in RFC 7591 section
// 2. The file holds hashes in place of the secret. Several hashes let a secret be replaced.
type clientEntry struct {
	ID           string   `json:"client_id"`
	Name         string   `json:"client_name"`
	RedirectURIs []string `json:"redirect_uris"`
	GrantTypes   []string `json:"grant_types"`
	AuthMethod   string   `json:"token_endpoint_auth_method"`
	SecretHashes []string `json:"client_secret_hashes"`
	Scope        string   `json:"scope"`
	JWKSURI      string   `json:"jwks_uri"`
	SigningAlg   string   `json:"token_endpoint_auth_signing_alg"`

	JWKS jsontext.Value `json:"jwks"`

	// Introspection says that the client is a resource server, which may introspect the tokens of
	// its resources.
	Introspection bool `json:"introspection"`
	// Resources are the URLs of the resources that the client introspects for, and calls as an
	// application. Nil means the MCP endpoint.
	Resources []string `json:"resources"`
}

// parseClients reads the text of the file of clients. It refuses unknown and repeated members: a
// member that is not read may be one on which the operator relies.
func (b *Broker) parseClients(text []byte) (map[string]*client, error) {
	var file struct {
		Clients []clientEntry `json:"clients"`
	}
	if err := json.Unmarshal(text, &file, json.RejectUnknownMembers(true)); err != nil {
		return nil, entryFault(err)
	}
	if file.Clients == nil {
		return nil, errors.New(`want a JSON object with the member "clients", an array`)
	}
	known := make(map[string]*client, len(file.Clients))
	for i, entry := range file.Clients {
		made, err := b.judgeEntry(entry)
		if err != nil {
			return nil, fmt.Errorf("client %d (%q): %w", i+1, entry.ID, err)
		}
		if known[made.ID] != nil {
			return nil, fmt.Errorf("client %d: the client_id %q is there twice", i+1, made.ID)
		}
		known[made.ID] = made
	}
	return known, nil
}

// entryFault names the place of a fault in the file, and shows no value.
func entryFault(err error) error {
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		if errors.Is(err, json.ErrUnknownName) {
			return fmt.Errorf("the member %s is not known here", semantic.JSONPointer)
		}
		return fmt.Errorf("the member %s has another type than in RFC 7591 section 2", semantic.JSONPointer)
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return fmt.Errorf("not JSON, or a member is there twice, at byte %d (%s)",
			syntactic.ByteOffset, syntactic.JSONPointer)
	}
	return errors.New("not JSON")
}

// judgeEntry turns an entry into a client, or returns its fault.
func (b *Broker) judgeEntry(entry clientEntry) (*client, error) {
	made := &client{
		ID:              entry.ID,
		Name:            cleanName(entry.Name),
		RedirectURIs:    entry.RedirectURIs,
		AuthMethod:      entry.AuthMethod,
		GrantTypes:      entry.GrantTypes,
		ApplicationType: "web",
		ownScopes:       strings.Fields(entry.Scope),
		introspects:     entry.Introspection,
		origin:          fromFile,
	}
	if slices.ContainsFunc(made.RedirectURIs, isLoopbackURI) {
		made.ApplicationType = "native"
	}
	if made.AuthMethod == authKey || entry.JWKS != nil || entry.JWKSURI != "" || entry.SigningAlg != "" {
		if err := made.readEntryKeys(entry); err != nil {
			return nil, err
		}
	}
	return made, errors.Join(
		judgeEntryID(entry.ID),
		b.judgeEntryRedirects(entry.RedirectURIs),
		made.judgeEntryGrants(),
		b.readEntryResources(made, entry.Resources),
		made.readEntrySecrets(entry.SecretHashes),
	)
}

func judgeEntryID(id string) error {
	switch {
	case id == "" || len(id) > maxClientID || strings.ContainsFunc(id, notInURI):
		return fmt.Errorf("want a client_id of 1 to %d visible ASCII characters without * and backslash", maxClientID)
	case strings.Contains(id, "://"):
		return errors.New("want a client_id that is not a URL: a URL names a client's own metadata")
	}
	return nil
}

// judgeEntryRedirects refuses an unusable redirect URI. The file is the operator's, so a mistake is
// an error here and not left out.
func (b *Broker) judgeEntryRedirects(uris []string) error {
	if len(uris) > maxRedirectURIs {
		return fmt.Errorf("want at most %d redirect_uris, got %d", maxRedirectURIs, len(uris))
	}
	for _, uri := range uris {
		if err := b.checkClientRedirect(&client{origin: fromFile}, uri); err != nil {
			return fmt.Errorf("redirect_uris: %s: %w", seenURL(uri), err)
		}
	}
	return nil
}

// judgeEntryGrants checks that grant types, redirect URIs and authentication fit one another.
func (c *client) judgeEntryGrants() error {
	isOnlyResource := c.introspects && len(c.RedirectURIs) == 0 && len(c.ownScopes) == 0
	if c.GrantTypes == nil && isOnlyResource {
		c.GrantTypes = []string{}
	} else if c.GrantTypes == nil {
		c.GrantTypes = []string{codeGrant, refreshGrant}
	}
	for _, grantType := range c.GrantTypes {
		if !slices.Contains(fileGrantTypes, grantType) {
			return fmt.Errorf("grant_types: want %s, got %q", strings.Join(fileGrantTypes, ", "), grantType)
		}
	}
	appOnly := c.mayUse(appGrant)
	switch {
	case c.introspects && c.AuthMethod == authNone:
		return errors.New("introspection is true, so the client has to authenticate")
	case len(c.GrantTypes) == 0 && !c.introspects:
		return errors.New("grant_types is empty: leave it out for " + codeGrant + " and " + refreshGrant)
	case c.mayUse(codeGrant) && len(c.RedirectURIs) == 0:
		return errors.New("redirect_uris is missing, and grant_types has " + codeGrant)
	case !c.mayUse(codeGrant) && len(c.RedirectURIs) > 0:
		return errors.New("grant_types lacks " + codeGrant + ", for which redirect_uris are")
	case appOnly && c.AuthMethod == authNone:
		return errors.New("grant_types has " + appGrant + ", so the client has to authenticate")
	case appOnly && len(c.ownScopes) == 0:
		return errors.New("scope is missing: it lists what the client may ask for with " + appGrant)
	case !appOnly && len(c.ownScopes) > 0:
		return errors.New("scope is for " + appGrant + ": people decide about the other grants")
	}
	return nil
}

// readEntryResources reads the resources of a client that introspects or calls for itself.
func (b *Broker) readEntryResources(made *client, urls []string) error {
	if urls == nil {
		made.ownResources = []string{b.primary().URL}
		return nil
	}
	if !made.introspects && !made.mayUse(appGrant) {
		return errors.New("resources is for introspection and " + appGrant + ": people decide about the other grants")
	}
	for _, asked := range urls {
		found := b.resourceAt(asked)
		if found == nil {
			return fmt.Errorf("resources: want %s, got %s", strings.Join(b.resourceURLs(), ", "), seenURL(asked))
		}
		made.ownResources = append(made.ownResources, found.URL)
	}
	if len(urls) == 0 {
		return errors.New("resources is empty: leave it out for " + b.primary().URL)
	}
	return nil
}

// readEntrySecrets reads the hashes of the client's secrets.
func (c *client) readEntrySecrets(hashes []string) error {
	switch c.AuthMethod {
	case authNone, authKey:
		if len(hashes) > 0 {
			return fmt.Errorf("client_secret_hashes is not for token_endpoint_auth_method %q", c.AuthMethod)
		}
		return nil
	case authBasic, authPost:
	default:
		return fmt.Errorf("token_endpoint_auth_method: want %s, got %q", strings.Join(authMethods, ", "), c.AuthMethod)
	}
	if len(hashes) == 0 || len(hashes) > maxSecrets {
		return fmt.Errorf("client_secret_hashes: want 1 to %d hashes, got %d", maxSecrets, len(hashes))
	}
	var read []string
	for _, text := range hashes {
		hash, err := readSecretHash(text)
		if err != nil {
			return fmt.Errorf("client_secret_hashes: %w", err)
		}
		read = append(read, hash)
	}
	c.SecretHash = read[0]
	c.otherSecrets = read[1:]
	return nil
}

// readEntryKeys reads the keys of a client that authenticates with private_key_jwt.
func (c *client) readEntryKeys(entry clientEntry) error {
	if c.AuthMethod != authKey {
		return errors.New("jwks, jwks_uri and token_endpoint_auth_signing_alg are for token_endpoint_auth_method " +
			authKey)
	}
	keys := clientMetadata{JWKS: entry.JWKS, JWKSURI: entry.JWKSURI, SigningAlg: entry.SigningAlg, AuthMethod: authKey}
	if err := keys.checkKeys(); err != nil {
		return err
	}
	c.JWKS = keys.keys()
	c.JWKSURI = keys.JWKSURI
	c.SigningAlg = keys.SigningAlg
	return nil
}
