package signin

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
)

//go:embed callback.html
var callbackFile embed.FS

var callbackPage = template.Must(template.ParseFS(callbackFile, "callback.html"))

// removeQuery is the pages' script. It takes the response, and the code in it, out of the browser's
// address line and history.
const removeQuery template.JS = `history.replaceState(null, "", location.pathname)`

// A pageText is the text of a page that the browser shows at the redirect URI.
type pageText struct{ title, text string }

var (
	pageNothing = pageText{
		"There is nothing here",
		"This address belongs to a sign-in in another window.",
	}
	pageOtherSignIn = pageText{
		"This answer was not used",
		"It belongs to a different sign-in. If you did not start one, close this window.",
	}
	pageSecondResponse = pageText{
		"This answer was not used",
		"The sign-in already has its answer.",
	}
	pageRefused = pageText{
		"You are not signed in",
		"The server refused the sign-in. The program that you came from shows the reason.",
	}
	pageSignedIn = pageText{
		"You are signed in",
		"You can go back to the program that you came from.",
	}
)

func showPage(w http.ResponseWriter, status int, page pageText) {
	w.WriteHeader(status)
	_ = callbackPage.Execute(w, struct {
		Title, Text string
		Script      template.JS
	}{page.title, page.text, removeQuery})
}

func setCallbackHeaders(header http.Header) {
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", callbackPolicy())
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	header.Set("Connection", "close")
}

// callbackPolicy allows the pages' script and style, and nothing else.
func callbackPolicy() string {
	sum := sha256.Sum256([]byte(removeQuery))
	script := base64.StdEncoding.EncodeToString(sum[:])
	return "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + script + "'; " +
		"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}
