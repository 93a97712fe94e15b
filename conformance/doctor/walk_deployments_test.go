package doctor_test

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
	"mcpentra/fakeentra"
)

// deployments returns all broken deployments.
func deployments() []deployment {
	return slices.Concat(
		brokerDeployments(), directDeployments(), foreignDeployments(), foreignBrokerDeployments(),
		nginxDeployments(), caddyDeployments(), tlsDeployments(),
	)
}

// TestWalkNamesFault walks through each broken deployment. It wants its fault and no other one, and
// applies the fix of the finding, after which it wants no fault.
func TestWalkNamesFault(t *testing.T) {
	t.Parallel()
	for _, broken := range deployments() {
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, broken.proxy, broken.fake)
			broken.breaks(w)
			w.start()
			report := w.walk()
			matchSnapshot(t, broken.name, w.text(report))
			require.NotEmpty(t, broken.want)
			kind := doctor.Fault
			if broken.isWarning {
				kind = doctor.Warning
			}
			if broken.isWarning {
				require.Subset(t, found(report, kind), broken.want)
				assert.Empty(t, found(report, doctor.Fault))
			} else {
				require.Equal(t, broken.want, found(report, kind))
				assert.Equal(t, 1, report.ExitStatus())
			}

			broken.mend.apply(w, broken.mend.find(t, report, broken.want))
			w.start()
			mended := w.walk()
			for _, code := range broken.want {
				assert.NotContains(t, found(mended, kind), code)
			}
			assert.Empty(t, found(mended, doctor.Fault), "%s", w.text(mended))
			assert.Equal(t, 0, mended.ExitStatus())
		})
	}
}

// TestWalkFindsNoFault walks through deployments that work.
func TestWalkFindsNoFault(t *testing.T) {
	t.Parallel()
	nothing := func(*world) {}
	prefixed := setting("MCP_PATH", "/teams/tools/mcp")
	for _, healthy := range []deployment{
		{name: "broker", breaks: nothing},
		{name: "broker-at-origin", breaks: setting("MCP_PATH", "/")},
		{name: "direct", breaks: (*world).direct},
		{name: "session", breaks: (*world).session},
		{name: "nginx-session", proxy: "nginx", breaks: (*world).session},
		{name: "caddy-session", proxy: "caddy", breaks: (*world).session},
		{name: "nginx", proxy: "nginx", breaks: nothing},
		{name: "nginx-with-tls", proxy: "nginx with TLS", breaks: nothing},
		{name: "nginx-prefix", proxy: "nginx", breaks: prefixed},
		{name: "nginx-direct", proxy: "nginx", breaks: (*world).direct},
		{name: "caddy", proxy: "caddy", breaks: nothing},
		{name: "caddy-with-tls", proxy: "caddy with TLS", breaks: nothing},
		{name: "caddy-prefix", proxy: "caddy", breaks: prefixed},
		{name: "foreign-broker", breaks: foreignBroker("state", "state")},
		{name: "foreign-direct", breaks: healthyForeign},
	} {
		t.Run(healthy.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, healthy.proxy, fakeentra.Config{})
			healthy.breaks(w)
			w.start()
			report := w.walk()
			assert.Empty(t, found(report, doctor.Fault))
			assert.Equal(t, 0, report.ExitStatus())
			matchSnapshot(t, "healthy-"+healthy.name, w.text(report))
		})
	}
}

// walk walks as the command does, and holds the report to the schema.
func (w *world) walk() *doctor.Report {
	w.t.Helper()
	config := doctor.Config{URL: w.endpoint(), ClientID: w.clientID, RootCAs: x509.NewCertPool()}
	if w.host != "" {
		config.Dial = w.dial
	}
	if w.trusted != nil {
		config.RootCAs = w.trusted.pool()
	}
	if w.hasToken {
		token, err := w.fake.Mint(fakeentra.Token{Scopes: []string{"tool.read"}})
		require.NoError(w.t, err)
		config.Token = token
	}
	report, err := doctor.Walk(w.t.Context(), config)
	require.NoError(w.t, err)
	wantSchema(w.t, report)
	return report
}

// found returns the codes of the findings of a kind, in their order.
func found(report *doctor.Report, kind doctor.Kind) []string {
	var codes []string
	for _, step := range report.Steps {
		for _, finding := range step.Findings {
			if finding.Kind == kind {
				codes = append(codes, finding.Code)
			}
		}
	}
	return codes
}

// text returns the report for people without the settings of clients, which are the same for all
// deployments. Values that differ between runs are replaced.
func (w *world) text(report *doctor.Report) string {
	w.t.Helper()
	short := *report
	short.Settings = nil
	var out bytes.Buffer
	require.NoError(w.t, short.WriteText(&out, false))
	text := out.String()
	bare := func(origin string) string { return origin[strings.Index(origin, "//")+2:] }
	for _, one := range []struct{ origin, name string }{
		{w.public, cmp.Or(w.host, "localhost") + ":8000"}, {w.server, "localhost:8001"}, {w.fake.URL, "localhost:8400"},
	} {
		text = strings.ReplaceAll(text, bare(one.origin), one.name)
		text = strings.ReplaceAll(text, strings.Replace(bare(one.origin), "localhost", "127.0.0.1", 1), one.name)
	}
	if w.host != "" {
		text = strings.ReplaceAll(text, ":"+w.proxy.port, ":8000") // beside the host of a fix
	}
	for _, changing := range changingValues {
		text = changing.pattern.ReplaceAllString(text, changing.name)
	}
	return text
}

// changingValues differ between runs.
var changingValues = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`(Trace|Correlation) ID: [0-9a-f-]{36}`), "$1 ID: …"},
	{regexp.MustCompile(`(the\s+registered\s+client\s+)[A-Za-z0-9_-]{16,};`), "$1…;"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`), "DATE"},
	{regexp.MustCompile(`((?:until|begins\s+on|ends\s+on|ended\s+on)\s+)\d{4}-\d\d-\d\d`), "${1}DATE"},
}

// matchSnapshot compares a report with its snapshot.
func matchSnapshot(t *testing.T, name, text string) {
	t.Helper()
	folder := snaps.Dir("../../testdata/snapshots")
	snaps.WithConfig(folder, snaps.Filename("doctor-"+name), snaps.Ext(".txt")).MatchStandaloneSnapshot(t, text)
}

// TestTokenStaysOnSafeWay wants the token kept if others could read it.
func TestTokenStaysOnSafeWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "nginx with TLS", fakeentra.Config{})
	w.session()
	w.certify(expired, true)
	w.start()
	report := w.walk()
	assert.Contains(t, found(report, doctor.Fine), "token-not-sent")
	w.certify(forLocalhost, true)
	w.start()
	assert.Contains(t, found(w.walk(), doctor.Fine), "session-works")
}

// TestTokenIsJudged gives a token that the server refuses.
func TestTokenIsJudged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", fakeentra.Config{})
	w.session()
	w.set("AUTH_TENANT_ID", unknownID)
	w.start()
	assert.Contains(t, found(w.walk(), doctor.Fault), "token-refused")
}
