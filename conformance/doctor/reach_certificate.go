package doctor

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// soon is how long before its end a certificate is worth a warning: 14 days, or a quarter of its
// time if that is less.
const soon = 14 * 24 * time.Hour

// certificateEffects are the effects of each wrong certificate.
var certificateEffects = []Effect{
	{"Claude, Copilot, ChatGPT", "their hosts refuse the connection, and the person sees no reason"},
	{"VS Code, Cursor, Codex, Gemini CLI, Inspector", "they report a failed connection"},
}

var certificateSymptoms = []symptom[*reached]{
	{
		code:    "certificate-wrong-name",
		kind:    Fault,
		seen:    (*reached).seesOtherName,
		why:     "A certificate counts only for the names in it.",
		effects: certificateEffects,
		fixes:   fixCertificate,
	},
	{
		code:    "certificate-expired",
		kind:    Fault,
		seen:    (*reached).seesExpired,
		why:     "No client accepts an expired certificate. The renewal has failed, or the proxy was not reloaded.",
		effects: certificateEffects,
		fixes:   fixRenewal,
	},
	{
		code:    "certificate-not-yet-valid",
		kind:    Fault,
		seen:    (*reached).seesFuture,
		why:     "The certificate begins later, or a clock is wrong.",
		effects: certificateEffects,
		fixes:   fixRenewal,
	},
	{
		code: "certificate-chain-incomplete",
		kind: Fault,
		seen: (*reached).seesNoChain,
		why: "The server sends its own certificate alone. Browsers often find the missing one, programs do not. So " +
			"the address works in a browser and fails in every client.",
		effects: certificateEffects,
		fixes:   fixChain,
	},
	{
		code:    "certificate-authority-unknown",
		kind:    Fault,
		seen:    (*reached).seesUnknownAuthority,
		why:     "The certificate is self-signed, or from an authority inside a company.",
		effects: certificateEffects,
		fixes:   fixAuthority,
	},
	{
		code:    "certificate-invalid",
		kind:    Fault,
		seen:    (*reached).seesInvalid,
		why:     "Clients refuse the certificate.",
		effects: certificateEffects,
		fixes:   fixCertificate,
	},
	{
		code:    "certificate-expires-soon",
		kind:    Warning,
		seen:    (*reached).seesSoon,
		why:     "Renewals usually happen earlier, so this one may have failed.",
		effects: everyClient("they fail from that day on"),
		fixes:   fixRenewal,
	},
	{
		code: "plain-http",
		kind: Fault,
		seen: (*reached).seesPlainHTTP,
		why:  "Tokens would travel unencrypted. OAuth allows http on loopback only.",
		effects: []Effect{
			{"Claude, Copilot, ChatGPT", "they accept https URLs only"},
			{"VS Code, Codex, Cursor", "they refuse the addresses of the sign-in"},
		},
		fixes: fixPlainHTTP,
	},
	{
		code: "host-with-underscore",
		kind: Warning,
		seen: (*reached).seesUnderscore,
		why: "Host names consist of letters, digits and hyphens (RFC 1123 section 2.1). Public certificate " +
			"authorities issue no certificate for another name, and some URL libraries find no host in it.",
		effects: []Effect{{"clients in Java", "they report that the URL has no host"}},
		fixes:   fixUnderscore,
	},
	{
		code:    "private-address",
		kind:    Warning,
		seen:    (*reached).seesPrivate,
		why:     "Hosted clients connect from the internet.",
		effects: []Effect{{"Claude on the web, Copilot coding agent, ChatGPT", "they cannot reach the address"}},
		fixes:   fixPrivate,
	},
}

func (s *reached) seesOtherName() string {
	var wrong x509.HostnameError
	if !errors.As(s.verifyErr, &wrong) {
		return ""
	}
	return fmt.Sprintf("the certificate is for %s, not for %s", s.names, s.endpoint.Hostname())
}

func (s *reached) seesExpired() string {
	if s.verifyErr == nil || !s.now.After(s.certificate.NotAfter) {
		return ""
	}
	return "the certificate ended on " + s.certificate.NotAfter.UTC().Format(time.DateOnly)
}

func (s *reached) seesFuture() string {
	if s.verifyErr == nil || !s.now.Before(s.certificate.NotBefore) {
		return ""
	}
	return "the certificate begins on " + s.certificate.NotBefore.UTC().Format(time.DateOnly)
}

// isUnknown reports whether the certificate has an authority that nothing here trusts.
func (s *reached) isUnknown() bool {
	var unknown x509.UnknownAuthorityError
	return errors.As(s.verifyErr, &unknown)
}

// isLone reports whether the server sent one certificate, which another one signed.
func (s *reached) isLone() bool {
	return s.sent == 1 && s.certificate.Issuer.String() != s.certificate.Subject.String()
}

func (s *reached) seesNoChain() string {
	if !s.isUnknown() || !s.isLone() {
		return ""
	}
	return fmt.Sprintf("the server sends one certificate, and nothing here knows its issuer %q",
		clean(s.certificate.Issuer.CommonName))
}

func (s *reached) seesUnknownAuthority() string {
	if !s.isUnknown() || s.isLone() {
		return ""
	}
	return fmt.Sprintf("no trusted authority signed the certificate; its issuer is %q",
		clean(s.certificate.Issuer.CommonName))
}

func (s *reached) seesInvalid() string {
	hasReason := s.isUnknown() || s.seesOtherName() != "" || s.seesExpired() != "" || s.seesFuture() != ""
	if s.verifyErr == nil || hasReason {
		return ""
	}
	return clean(s.verifyErr.Error())
}

func (s *reached) seesSoon() string {
	if s.certificate == nil || s.verifyErr != nil {
		return ""
	}
	lifetime := s.certificate.NotAfter.Sub(s.certificate.NotBefore)
	if s.certificate.NotAfter.Sub(s.now) > min(soon, lifetime/4) {
		return ""
	}
	return "the certificate ends on " + s.certificate.NotAfter.UTC().Format(time.DateOnly)
}

func (s *reached) seesPlainHTTP() string {
	if s.endpoint == nil || s.endpoint.Scheme != "http" || !s.connected || s.zone == machine {
		return ""
	}
	return "the URL begins with http://, and the address is not on this machine"
}

func (s *reached) seesPrivate() string {
	if !s.connected || s.zone != private {
		return ""
	}
	return "the address belongs to a private network"
}

func fixCertificate(s *reached) []Fix {
	host := clean(s.endpoint.Hostname())
	return []Fix{
		{ProxyLine, "shell on the host of nginx", "certbot --nginx -d " + host},
		{ProxyLine, "Caddyfile", host + " {\n\treverse_proxy localhost:8000\n}"},
	}
}

func fixRenewal(*reached) []Fix {
	return []Fix{
		{ProxyLine, "shell on the host of nginx", "certbot renew && nginx -s reload"},
		{ProxyLine, "Caddyfile", "# remove the line tls CERTIFICATE KEY, so that Caddy renews by itself"},
	}
}

func fixChain(s *reached) []Fix {
	host := clean(s.endpoint.Hostname())
	folder := "/etc/letsencrypt/live/" + host
	return []Fix{
		{ProxyLine, "nginx, the server block", "ssl_certificate " + folder + "/fullchain.pem;   # not cert.pem"},
		{ProxyLine, "Caddyfile", "tls " + folder + "/fullchain.pem " + folder + "/privkey.pem   # not cert.pem"},
	}
}

func fixAuthority(s *reached) []Fix {
	return append(fixCertificate(s), Fix{ClientSetting, "environment of clients that run on Node.js",
		"NODE_EXTRA_CA_CERTS=/path/to/ca.pem"})
}

func fixPlainHTTP(s *reached) []Fix {
	host := clean(s.endpoint.Hostname())
	return []Fix{
		{ProxyLine, "Caddyfile", host + " {\n\treverse_proxy localhost:8000\n}"},
		{ServerSetting, ownEnv, "MCP_PUBLIC_URL=https://" + host},
		clientFix("https://" + host + clean(s.endpoint.EscapedPath())),
	}
}

func (s *reached) seesUnderscore() string {
	if s.endpoint == nil || !strings.Contains(s.endpoint.Hostname(), "_") {
		return ""
	}
	return "the name " + clean(s.endpoint.Hostname()) + " has an underscore"
}

func fixUnderscore(s *reached) []Fix {
	better := *s.endpoint
	better.Host = strings.ReplaceAll(s.endpoint.Host, "_", "-")
	return []Fix{
		{ServerSetting, "DNS of the domain, and the certificate", clean(better.Hostname())},
		publicURL(&better),
		clientFix("https://" + clean(better.Host+better.EscapedPath())),
	}
}

func fixPrivate(*reached) []Fix {
	return []Fix{
		{ServerSetting, "the network", "publish the proxy on the internet, if hosted clients shall reach it"},
		{ClientSetting, "the choice of clients", "use clients that run inside the network"},
	}
}
