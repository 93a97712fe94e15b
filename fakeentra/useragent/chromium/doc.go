// Package chromium starts a real browser without a window, for tests of pages. Unlike the scripted
// browser of package useragent, it applies the rules of cookies, sites, content policies and forms.
// It uses chromedp and the Chromium or Chrome of the machine.
package chromium
