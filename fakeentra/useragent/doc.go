// Package useragent is a scripted browser with a scripted person in front of it, for sign-ins that
// nobody watches.
//
// It keeps cookies, follows redirects, meta refreshes and forms that send themselves, picks an
// account, types a password where one is asked for, and approves what it is asked to consent to, or
// denies it. It runs no script and loads no picture. It goes to loopback addresses only.
package useragent
