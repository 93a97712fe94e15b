// Package chromium starts a real browser without a window, for tests of pages: it keeps the rules
// of cookies, sites, content policies and forms that the scripted browser of package useragent does
// not. It drives the Chromium or Chrome of the machine with chromedp.
package chromium
