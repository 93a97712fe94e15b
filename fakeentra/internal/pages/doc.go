// Package pages writes the pages of a fake Entra ID: sign-in, consent, errors and the look-up of an
// error. A page says that it is fake, and no page may be framed.
package pages
