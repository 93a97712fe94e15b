package tokenstore_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// Example keeps the tokens of two authorization servers for one MCP server apart. The one put last
// is in use.
func Example() {
	place := tokenstore.Place{Resource: "https://mcp.example.com/mcp"}
	var tokens tokenstore.Memory
	ctx := context.Background()

	unlock, err := tokens.Lock(ctx, place)
	if err != nil {
		log.Fatal(err)
	}
	var record tokenstore.Record
	record.Put(
		"https://old.example.com",
		tokenstore.Entry{Client: tokenrequest.Client{ID: "a"}, Token: tokenrequest.Token{Access: "of old"}},
	)
	record.Put(
		"https://new.example.com",
		tokenstore.Entry{Client: tokenrequest.Client{ID: "b"}, Token: tokenrequest.Token{Access: "of new"}},
	)
	if err := tokens.Save(ctx, place, record); err != nil {
		log.Fatal(err)
	}
	unlock()

	record, err = tokens.Load(ctx, place)
	if err != nil {
		log.Fatal(err)
	}
	issuer, entry, _ := record.InUse()
	fmt.Println(issuer, entry.Token.Access)

	record.Forget(issuer) // the registration stays
	_, entry, _ = record.InUse()
	fmt.Printf("%q %q\n", entry.Token.Access, entry.Client.ID)
	// Output:
	// https://new.example.com of new
	// "" "b"
}

// ExampleFile keeps tokens in a folder, so that a person signs in once.
func ExampleFile() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)

	// tokenstore.SystemKeychain() in place of nil has the key in the system's keychain, if there is
	// one that answers.
	tokens, err := tokenstore.OpenFile(folder, nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	place := tokenstore.Place{Resource: "https://mcp.example.com/mcp", Account: "work"}
	var record tokenstore.Record
	record.Put("https://login.example.com", tokenstore.Entry{Token: tokenrequest.Token{Access: "a-1"}})
	if err := tokens.Save(ctx, place, record); err != nil {
		log.Fatal(err)
	}

	later, err := tokenstore.OpenFile(folder, nil)
	if err != nil {
		log.Fatal(err)
	}
	places, err := later.Places(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(places)
	// Output:
	// [{https://mcp.example.com/mcp work}]
}
