package doctor_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
	"mcpentra/fakeentra/directory"
)

// A remedy applies a fix as a finding states it.
type remedy struct {
	place doctor.Place
	where string // in Fix.Where, or in Fix.Text
	apply func(w *world, fix doctor.Fix)
}

// find returns the fix that the remedy applies. It belongs to one of the findings.
func (r *remedy) find(t *testing.T, report *doctor.Report, codes []string) doctor.Fix {
	t.Helper()
	for _, step := range report.Steps {
		for _, finding := range step.Findings {
			for _, fix := range finding.Fixes {
				isHere := strings.Contains(fix.Where, r.where) || strings.Contains(fix.Text, r.where)
				if slices.Contains(codes, finding.Code) && fix.Place == r.place && isHere {
					return fix
				}
			}
		}
	}
	require.Fail(t, "no fix", "want a %s of %q for one of %v", r.place, r.where, codes)
	return doctor.Fix{}
}

// by replaces what the remedy does.
func (r remedy) by(apply func(w *world, text string)) remedy {
	r.apply = withText(apply)
	return r
}

func withText(apply func(w *world, text string)) func(*world, doctor.Fix) {
	return func(w *world, fix doctor.Fix) { apply(w, fix.Text) }
}

// settings writes the lines KEY=value of a fix into the settings of the server.
func settings() remedy {
	return remedy{doctor.ServerSetting, ".env", func(w *world, fix doctor.Fix) {
		for line := range strings.Lines(fix.Text) {
			line, _, _ = strings.Cut(line, " #")
			key, value, found := strings.Cut(strings.TrimSpace(line), "=")
			require.True(w.t, found, "want KEY=value, got %q", line)
			w.set(key, strings.ReplaceAll(value, "YOUR-TENANT-ID", directory.DefaultTenantID))
		}
	}}
}

// serverSetting gives a setting that a fix names the right value, which only people know.
func serverSetting(key, value string) remedy {
	return remedy{doctor.ServerSetting, key, func(w *world, _ doctor.Fix) { w.set(key, value) }}
}

// portal follows a fix on a page of the portal.
func portal(page string, apply func(w *world, text string)) remedy {
	return remedy{doctor.PortalPage, page, withText(apply)}
}

// clientSetting follows a fix in the settings of a client, or in the code of the program that is
// Entra ID's client.
func clientSetting(name string, apply func(w *world)) remedy {
	return remedy{doctor.ClientSetting, name, func(w *world, _ doctor.Fix) { apply(w) }}
}

// code follows a fix in the code of a server.
func code(name string, apply func(w *world, text string)) remedy {
	return remedy{doctor.ServerSetting, name, withText(apply)}
}

// urlIn returns the first URL in the text of a fix.
func urlIn(w *world, text string) string {
	found := regexp.MustCompile(`https?://[^\s,;]+`).FindString(text)
	require.NotEmpty(w.t, found, "want a URL in %q", text)
	return strings.TrimRight(found, ".")
}

// quotedIn returns a text in quotes of a fix, counted from 0.
func quotedIn(w *world, text string, index int) string {
	all := regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(text, -1)
	require.Greater(w.t, len(all), index, "%q", text)
	return all[index][1]
}

// toBroker follows the fix AUTH_MODE=broker, with the web app that this mode needs.
func toBroker() remedy {
	return remedy{doctor.ServerSetting, "AUTH_MODE", func(w *world, _ doctor.Fix) {
		for _, key := range []string{"AUTH_MODE", "AUTH_AUDIENCE", "AUTH_SCOPES"} {
			delete(w.env, key)
		}
		w.set("AUTH_CLIENT_ID", directory.DefaultClientID)
		w.set("AUTH_CLIENT_SECRET", directory.DefaultClientSecret)
		w.clientID = ""
	}}
}

// caddyLines writes the directives of a fix into the site of the proxy. A directive replaces one of
// the same name. A reverse_proxy replaces the whole site, since it says what must not be there.
func caddyLines() remedy {
	return remedy{doctor.ProxyLine, "Caddy", func(w *world, fix doctor.Fix) {
		text := strings.ReplaceAll(fix.Text, "localhost:8000", "UPSTREAM")
		name, _, _ := strings.Cut(text, " ")
		switch name {
		case "reverse_proxy":
			w.site = text
		case "handle":
			w.site = text + "\nhandle {\n\treverse_proxy UPSTREAM\n}"
		default:
			block := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` [^{}\n]*({\n(.*\n)*?})?$`)
			require.Regexp(w.t, block, w.site)
			w.site = block.ReplaceAllLiteralString(w.site, text)
		}
	}}
}
