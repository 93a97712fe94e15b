package tokenstore_test

import (
	"fmt"

	"mcpentra/client/grant"
	"mcpentra/client/tokenstore"
)

// Example keeps the tokens of two authorization servers for one MCP server apart. The one saved last is in use.
func Example() {
	const resource = "https://mcp.example.com/mcp"
	var tokens tokenstore.Memory
	before := tokenstore.Key{Issuer: "https://old.example.com", Resource: resource}
	after := tokenstore.Key{Issuer: "https://new.example.com", Resource: resource}
	tokens.Save(before, tokenstore.Entry{Client: grant.Client{ID: "a"}, Token: grant.Token{Access: "of old"}})
	tokens.Save(after, tokenstore.Entry{Client: grant.Client{ID: "b"}, Token: grant.Token{Access: "of new"}})

	key, entry, _ := tokens.Load(resource)
	fmt.Println(key.Issuer, entry.Token.Access)

	tokens.Forget(key) // the registration stays
	_, entry, _ = tokens.Load(resource)
	fmt.Printf("%q %q\n", entry.Token.Access, entry.Client.ID)
	// Output:
	// https://new.example.com of new
	// "" "b"
}
