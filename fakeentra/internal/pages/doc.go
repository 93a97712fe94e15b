// Package pages writes the pages of a fake Entra ID: sign-in, consent, errors and the search for an
// error. Each page says that it is fake, and refuses to be framed.
package pages
