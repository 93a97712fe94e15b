// Package broker is the authorization server between MCP clients and Entra ID.
//
// Clients see an OAuth 2.1 authorization server: metadata, dynamic registration, client ID metadata
// documents, authorization code with PKCE, refresh with rotation, revocation. Entra sees one
// confidential client with one registration. Entra remembers consent for that one client. So the
// broker asks for consent itself, for each client, before it sends a browser to Entra (the confused
// deputy of MCP's security best practices).
//
// A client never sees a token of Entra's. The broker keeps Entra's tokens, encrypted, with the
// grant. It renews them when less than five minutes are left.
//
// A sign-in goes through these files:
//
//  1. register.go makes a client, or client_document.go reads it from the URL that is its ID, with
//     package fetch. redirect.go and host.go check its redirect URIs.
//  2. authorize.go checks the request and begins a transaction (transaction.go).
//  3. consent.go shows the consent page and takes its form. consent_record.go remembers the answer.
//  4. signin.go sends the browser to Entra. callback.go receives it, and signin.go redeems Entra's
//     code. errors.go lists Entra's refusals (65001, 65004, 50105 …) with the client's answer.
//  5. code.go issues the broker's own code, and response.go sends it back to the client.
//  6. token.go is the token endpoint. authenticate.go checks the client, code.go redeems the code,
//     refresh.go rotates refresh tokens, and access_token.go signs and verifies access tokens.
//  7. A program without a browser begins at device.go instead. device_page.go takes the code that a
//     person types, and device_poll.go is where the program gets its tokens.
//  8. grant.go keeps the grant and renews Entra's token for it. revoke.go ends it.
//
// lifetimes.go and limits.go have the bounds, and log.go the line that each refusal leaves.
// records.go and keys.go have the encrypted store, and keys_file.go the file of its keys.
// maintain.go encrypts records anew after a change of the keys. epoch.go ends what a store from a
// backup has issued. signing_set.go and signing_rotation.go have the keys that sign access tokens.
package broker
