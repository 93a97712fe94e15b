// Package rig plays the third party where an authorization server lets people sign in: an OpenID
// provider. The operator points the server at the provider. The checks then decide what each
// sign-in gives to the server.
package rig
