// Package useragent is a scripted browser with a scripted person, for sign-ins in tests.
//
// The browser keeps cookies, and follows redirects, meta refreshes and forms that a script submits.
// The person picks an account, types a password, and approves or declines requests for consent. The
// browser runs no scripts and loads no pictures. It opens only loopback addresses.
package useragent
