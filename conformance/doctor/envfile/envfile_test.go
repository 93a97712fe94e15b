package envfile_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gkampitakis/go-snaps/snaps"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
	"mcpentra/conformance/doctor/envfile"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// now is the time of the tests.
var now = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

// A deployment is a folder with a settings file, and a fake.
type deployment struct {
	t      *testing.T
	folder string
	fake   *fakeentra.Server
	lines  []string
}

// newDeployment makes a deployment without a fault. The change of the directory may be nil.
func newDeployment(t *testing.T, change func(*directory.Directory)) *deployment {
	t.Helper()
	described := directory.Default()
	if change != nil {
		change(&described)
	}
	fake := fakeentra.NewServer(fakeentra.Config{Directory: described})
	t.Cleanup(fake.Close)
	lines := []string{
		"AUTH_TENANT_ID=" + directory.DefaultTenantID,
		"AUTH_CLIENT_ID=" + directory.DefaultClientID,
		"AUTH_CLIENT_SECRET=" + directory.DefaultClientSecret,
		"AUTH_AUTHORITY=" + fake.URL,
		"STORE_URL=file:grants.db",
	}
	return &deployment{t: t, folder: t.TempDir(), fake: fake, lines: lines}
}

// direct changes the settings to direct mode.
func (d *deployment) direct() {
	d.set("AUTH_CLIENT_ID", directory.DefaultAPIID)
	d.set("AUTH_CLIENT_SECRET", directory.DefaultAPISecret)
	d.lines = append(d.lines, "AUTH_MODE=direct", "AUTH_SCOPES=tool.read")
}

// set replaces the line of a setting, or adds one.
func (d *deployment) set(key, value string) {
	for i, line := range d.lines {
		if strings.HasPrefix(line, key+"=") {
			d.lines[i] = key + "=" + value
			return
		}
	}
	d.lines = append(d.lines, key+"="+value)
}

// write writes a file of the folder.
func (d *deployment) write(name, text string, mode os.FileMode) {
	path := filepath.Join(d.folder, name)
	require.NoError(d.t, os.WriteFile(path, []byte(text), mode))
	require.NoError(d.t, os.Chmod(path, mode))
}

func (d *deployment) examine() *doctor.Report {
	d.t.Helper()
	file := filepath.Join(d.folder, ".env")
	if _, err := os.Stat(file); err != nil {
		d.write(".env", strings.Join(d.lines, "\n")+"\n", 0o600)
	}
	report, err := envfile.Examine(d.t.Context(), envfile.Config{
		File:       file,
		HTTPClient: d.fake.Client(),
		Now:        func() time.Time { return now },
	})
	require.NoError(d.t, err)
	return report
}

// text is the report without what differs between runs.
func (d *deployment) text(report *doctor.Report) string {
	var out bytes.Buffer
	require.NoError(d.t, report.WriteText(&out, false))
	text := regexp.MustCompile(`\s+`+regexp.QuoteMeta(d.fake.URL)).ReplaceAllString(out.String(),
		" http://localhost:8400")
	text = strings.NewReplacer(d.fake.URL, "http://localhost:8400", d.folder, "/srv/mcp").Replace(text)
	return regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(text, "127.0.0.1:5432")
}

// findings returns the codes of the faults and warnings.
func findings(report *doctor.Report) []string {
	var codes []string
	for _, step := range report.Steps {
		for _, finding := range step.Findings {
			if finding.Kind != doctor.Fine {
				codes = append(codes, finding.Code)
			}
		}
	}
	return codes
}

// hush is part of every secret that must not be in a report.
const hush = "hush-hush-hush"

// faults are deployments with one fault each.
var faults = []struct {
	name  string
	world func(*directory.Directory)
	wrong func(*deployment)
	want  []string
	// mends says that the first fix of the file makes the deployment work.
	mends bool
}{
	{"tenant-unknown", nil, set("AUTH_TENANT_ID", "5a1e0001-0000-4000-8000-00000000dead"), []string{"aadsts-90002"},
		false},
	{"tenant-name", nil, set("AUTH_TENANT_ID", "Contoso"), []string{"value-form"}, false},
	{"tenant-common", nil, set("AUTH_TENANT_ID", "common"), []string{"value-form"}, false},
	{"tenant-missing", nil, set("AUTH_TENANT_ID", ""), []string{"setting-missing"}, false},
	{"client-is-object", nil, set("AUTH_CLIENT_ID", "5a1e0002-0000-4000-8000-0000000000ff"),
		[]string{"aadsts-700016"}, false},
	{"client-is-tenant", nil, set("AUTH_CLIENT_ID", directory.DefaultTenantID), []string{"value-form"}, false},
	{"client-quoted", nil, set("AUTH_CLIENT_ID", "“"+directory.DefaultClientID+"”"), []string{"value-form"}, false},
	{"client-disabled", appWith(func(a *directory.App) { a.Disabled = true }), none, []string{"aadsts-7000112"}, false},
	{"client-without-principal", appWith(func(a *directory.App) { a.NoServicePrincipal = true }), none,
		[]string{"aadsts-7000229"}, false},
	{"secret-id", nil, set("AUTH_CLIENT_SECRET", "5a1e0002-1111-4000-8000-000000000001"), []string{"value-form"},
		false},
	{"secret-wrong", nil, set("AUTH_CLIENT_SECRET", hush+"-wrong"), []string{"aadsts-7000215"}, false},
	{"secret-expired", appWith(func(a *directory.App) { a.ExpiredSecrets = []string{hush + "-old"} }),
		set("AUTH_CLIENT_SECRET", hush+"-old"), []string{"aadsts-7000222"}, false},
	{"secret-missing", nil, set("AUTH_CLIENT_SECRET", ""), []string{"credential-missing"}, false},
	{"secret-placeholder", nil, set("AUTH_CLIENT_SECRET", "your-client-secret"), []string{"value-form"}, false},
	{"two-credentials", nil, set("AUTH_MANAGED_IDENTITY", "system"), []string{"two-credentials"}, true},
	{"authority-path", nil, set("AUTH_AUTHORITY", "https://login.microsoftonline.com/common/v2.0"),
		[]string{"value-form"}, false},
	{"authority-unknown", nil, set("AUTH_AUTHORITY", "login.example.com"), []string{"value-form"}, false},
	{"redirect-unregistered", nil, set("MCP_PUBLIC_URL", "https://mcp.example.com"), []string{"aadsts-50011"}, false},
	{"redirect-elsewhere", nil, set("AUTH_REDIRECT_URI", "http://localhost:8000/callback"),
		[]string{"redirect-elsewhere"}, true},
	{"redirect-none", appWith(func(a *directory.App) { a.Web = nil }), none, []string{"aadsts-50011"}, false},
	{"public-url-missing", nil, set("MCP_ADDR", "0.0.0.0:8000"), []string{"public-url-missing"}, false},
	{"public-url-plain", nil, set("MCP_PUBLIC_URL", "http://mcp.example.com/mcp"), []string{"value-form"}, false},
	{"variable", nil, set("AUTH_CLIENT_SECRET", "${"+hush+"}"), []string{"variable-reference"}, false},
	{"name-misspelt", nil, set("MCP_TRUSTED_PROXY", "127.0.0.1"), []string{"misspelt-restriction"}, false},
	{"name-of-azure", nil, renamed("AUTH_TENANT_ID", "AZURE_TENANT_ID"), []string{"unknown-name", "setting-missing"},
		false},
	{"name-unknown", nil, set("MCP_COLOUR", "red"), []string{"unknown-name"}, true},
	{"list-empty", nil, set("MCP_TRUSTED_PROXIES", ""), []string{"restriction-empty"}, true},
	{"number-wrong", nil, set("MCP_CALLER_CALLS", "many"), []string{"value-form"}, true},
	{"mode-other", nil, set("AUTH_ALLOWED_CLIENTS", directory.DefaultAPIID), []string{"other-mode"}, true},
	{"setting-twice", nil, func(d *deployment) { d.lines = append(d.lines, "AUTH_AUTHORITY="+d.fake.URL) },
		[]string{"setting-twice"}, false},
	{"quote-open", nil, set("AUTH_CLIENT_SECRET", `"`+hush), []string{"line-unreadable"}, false},
	{"utf16", nil, raw("\xff\xfeA\x00U\x00", 0o600), []string{"file-not-utf8"}, false},
	{"windows-file", nil, windows, []string{"secrets-readable", "byte-order-mark"}, false},
	{"certificate-unregistered", nil, certificate(now.AddDate(1, 0, 0), false), []string{"aadsts-700027"}, false},
	{"certificate-expired", nil, certificate(now.AddDate(0, 0, -1), false), []string{"certificate-expired",
		"aadsts-700027"}, false},
	{"certificate-not-rsa", nil, certificate(now.AddDate(1, 0, 0), true), []string{"certificate-unusable"}, false},
	{"federated-none", nil, federated(now.Add(time.Hour)), []string{"aadsts-70025"}, false},
	{"federated-expired", nil, federated(now.Add(-time.Hour)), []string{"federated-token-expired"}, false},
	{"file-missing", nil, credentialFile("AUTH_CLIENT_SECRET_FILE", ""), []string{"file-missing"}, false},
	{"api-unknown", nil, direct("AUTH_AUDIENCE", "api://5a1e0003-0000-4000-8000-00000000dead"),
		[]string{"aadsts-500011"}, false},
	{"api-version", apiWith(func(a *directory.App) { a.TokenVersion = 1 }), direct("", ""), []string{"token-version"},
		true},
	{"api-tenant-domain", nil, direct("AUTH_TENANT_ID", directory.DefaultDomain), []string{"value-form"}, false},
	{"store-unreachable", nil, storeServer, []string{"store-unreachable"}, false},
	{"store-keys-open", nil, storeKeys(0o644), []string{"file-open"}, false},
	{"store-keys-missing", nil, storeKeys(0), []string{"store-keys-missing"}, false},
	{"store-kind", nil, set("STORE_URL", "mysql://u:"+hush+"@db/x"), []string{"store-kind"}, true},
	{"admin-secret-open", nil, adminSecret, []string{"file-open"}, false},
	{"entra-unreachable", nil, func(d *deployment) { d.fake.Close() }, []string{"entra-unreachable"}, false},
}

func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t, fault.world)
			fault.wrong(d)
			report := d.examine()
			text := d.text(report)
			assert.Equal(t, fault.want, findings(report), text)
			assert.NotContains(t, text, hush)
			assert.NotContains(t, text, directory.DefaultClientSecret)
			assert.NotContains(t, text, "eyJ")
			assertHasFixes(t, report)
			if fault.name != "entra-unreachable" {
				snaps.WithConfig(snaps.Dir("../../../testdata/snapshots"), snaps.Filename("doctor-env-"+fault.name),
					snaps.Ext(".txt")).MatchStandaloneSnapshot(t, text)
			}
			if fault.mends {
				d.mend(report)
				report = d.examine()
				assert.Equal(t, 0, report.ExitStatus(), d.text(report))
			}
		})
	}
}

// assertHasFixes wants a reason and a fix for each fault and warning, and the right exit status.
func assertHasFixes(t *testing.T, report *doctor.Report) {
	t.Helper()
	for _, step := range report.Steps {
		for _, finding := range step.Findings {
			if finding.Kind == doctor.Fine {
				continue
			}
			assert.NotEmpty(t, finding.Why, finding.Code)
			assert.NotEmpty(t, finding.Fixes, finding.Code)
			for _, fix := range finding.Fixes {
				assert.NotEmpty(t, fix.Text, finding.Code)
				assert.NotEmpty(t, fix.Where, finding.Code)
			}
		}
	}
	want := 0
	if report.Count(doctor.Fault) > 0 {
		want = 1
	}
	if !report.Answers {
		want = 2
	}
	assert.Equal(t, want, report.ExitStatus())
}

// mend applies the first fix of a line of the file.
func (d *deployment) mend(report *doctor.Report) {
	d.t.Helper()
	place := regexp.MustCompile(`^\.env, line (\d+)$`)
	for _, step := range report.Steps {
		for _, finding := range step.Findings {
			for _, fix := range finding.Fixes {
				if finding.Kind == doctor.Fine || !place.MatchString(fix.Where) {
					continue
				}
				var number int
				_, err := fmt.Sscanf(place.FindStringSubmatch(fix.Where)[1], "%d", &number)
				require.NoError(d.t, err)
				d.apply(number-1, fix.Text)
				return
			}
			for _, fix := range finding.Fixes {
				if finding.Kind != doctor.Fine && fix.Where == ".env" { // a new line
					d.apply(len(d.lines), fix.Text)
					return
				}
			}
		}
	}
	d.t.Error("want a fix of a line, got none")
}

func (d *deployment) apply(index int, text string) {
	switch {
	case strings.HasPrefix(text, "remove the line "):
		d.lines = slices.Delete(d.lines, index, index+1)
	case index == len(d.lines):
		d.lines = append(d.lines, text)
	default:
		d.lines[index] = text
	}
	require.NoError(d.t, os.Remove(filepath.Join(d.folder, ".env")))
}

func TestGoodSettingsHaveNoFault(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*deployment){
		"broker":      none,
		"direct":      direct("", ""),
		"no secret":   direct("AUTH_CLIENT_SECRET", ""),
		"domain":      set("AUTH_TENANT_ID", directory.DefaultDomain),
		"upper case":  set("AUTH_CLIENT_ID", strings.ToUpper(directory.DefaultClientID)),
		"secret file": credentialFile("AUTH_CLIENT_SECRET_FILE", directory.DefaultClientSecret+"\n"),
		"free port":   set("MCP_ADDR", "localhost:0"),
		"postgres":    listeningStore,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t, nil)
			change(d)
			report := d.examine()
			assert.Empty(t, findings(report), d.text(report))
			assert.Equal(t, 0, report.ExitStatus())
			assert.NotContains(t, d.text(report), hush)
			if name == "broker" || name == "direct" {
				snaps.WithConfig(snaps.Dir("../../../testdata/snapshots"), snaps.Filename("doctor-env-"+name),
					snaps.Ext(".txt")).MatchStandaloneSnapshot(t, d.text(report))
			}
		})
	}
}
