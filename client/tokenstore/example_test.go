package tokenstore_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
)

// Example stores the tokens of two authorization servers for one MCP server. The last one stored is
// in use.
func Example() {
	key := tokenstore.Key{Resource: "https://mcp.example.com/mcp"}
	var tokens tokenstore.Memory
	ctx := context.Background()

	unlock, err := tokens.Lock(ctx, key)
	if err != nil {
		log.Fatal(err)
	}
	var record tokenstore.Record
	record.Put("https://old.example.com", tokenstore.Entry{
		Client: tokenrequest.Client{ID: "a"},
		Token:  tokenrequest.Token{Access: "old token"},
	})
	record.Put("https://new.example.com", tokenstore.Entry{
		Client: tokenrequest.Client{ID: "b"},
		Token:  tokenrequest.Token{Access: "new token"},
	})
	if err := tokens.Save(ctx, key, record); err != nil {
		log.Fatal(err)
	}
	unlock()

	record, err = tokens.Load(ctx, key)
	if err != nil {
		log.Fatal(err)
	}
	issuer, entry, _ := record.InUse()
	fmt.Println(issuer, entry.Token.Access)

	record.Forget(issuer) // the registration stays
	_, entry, _ = record.InUse()
	fmt.Printf("%q %q\n", entry.Token.Access, entry.Client.ID)
	// Output:
	// https://new.example.com new token
	// "" "b"
}

// ExampleFile stores tokens in a folder, so that the next run needs no sign-in.
func ExampleFile() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)

	// With tokenstore.SystemKeychain() in place of nil, the encryption key is in the system's
	// keychain, if one answers.
	tokens, err := tokenstore.OpenFile(folder, nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	key := tokenstore.Key{Resource: "https://mcp.example.com/mcp", Account: "work"}
	var record tokenstore.Record
	record.Put("https://login.example.com", tokenstore.Entry{Token: tokenrequest.Token{Access: "a-1"}})
	if err := tokens.Save(ctx, key, record); err != nil {
		log.Fatal(err)
	}

	nextRun, err := tokenstore.OpenFile(folder, nil)
	if err != nil {
		log.Fatal(err)
	}
	keys, err := nextRun.Keys(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(keys)
	// Output:
	// [{https://mcp.example.com/mcp work}]
}
