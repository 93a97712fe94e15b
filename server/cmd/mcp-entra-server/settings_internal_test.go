package main

import (
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	direct = "AUTH_TENANT_ID=5a1e0001-0000-4000-8000-000000000001\n" +
		"AUTH_CLIENT_ID=5a1e0003-0000-4000-8000-000000000001\nAUTH_MODE=direct\n"
	clientID   = "5a1e0004-0000-4000-8000-000000000001"
	hushSecret = "hush-hush"
)

// read reads settings from the text of a file and an environment.
func read(t *testing.T, file string, environ ...string) (*settings, string, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), ".env")
	require.NoError(t, os.WriteFile(name, []byte(file), 0o600))
	var log strings.Builder
	given := func(flag string) bool { return flag == "env" }
	s, err := readSettings(flagValues{envFile: name}, given, environ, slog.New(slog.NewTextHandler(&log, nil)))
	return s, log.String(), err
}

// TestReadRefusesEmptyRestriction sets restrictions to nothing. An ignored restriction would accept
// everything.
func TestReadRefusesEmptyRestriction(t *testing.T) {
	t.Parallel()
	for _, key := range restrictions {
		for _, text := range []string{
			"", " ", `""`, "''", `" "`, ",", " , ,", `","`, "# none yet", "${UNSET}", `"${UNSET}"`, "$UNSET",
			"$(cat ids)", "${A},${B}", "${UNSET:-}",
		} {
			t.Run(key+"="+text, func(t *testing.T) {
				t.Parallel()
				_, _, err := read(t, direct+key+"="+text+"\n")
				require.ErrorContains(t, err, key)
				assert.ErrorContains(t, err, ".env, line 4: ")
			})
		}
		for _, text := range []string{"", " ", `""`, "''", ",", "$UNSET", "$(UNSET)", "${UNSET}"} {
			_, _, err := read(t, direct, key+"="+text)
			require.ErrorContains(t, err, "environment: "+key, "%q in the environment", text)
			// The environment wins over a value in the file, with nothing too.
			_, _, err = read(t, direct+key+"=true\n", key+"="+text)
			require.ErrorContains(t, err, "environment: "+key)
		}
	}
}

// TestReadRefusesMisspeltRestriction misspells names in the file and in the environment.
func TestReadRefusesMisspeltRestriction(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"auth_allowed_clients", "Auth_Allowed_Clients", "AUTH-ALLOWED-CLIENTS", "AUTH.ALLOWED.CLIENTS",
		"AUTH__ALLOWED_CLIENTS", "AUTH_ALLOWEDCLIENTS",
		"authAllowedClients", "AUTH_ALLOWED_CLIENT", "AUTH_ALLOWED_CLIENTSS", "AUTH_ALOWED_CLIENTS",
		"AUTH_ALLOWED_CLEINTS", "AUTH_ALLOWED_CLENTS",
		"AUHT_ALLOWED_CLIENTS", "AUT_ALLOWED_CLIENTS", "UTH_ALLOWED_CLIENTS", "AUTH_ALLOW_CLIENTS",
		"AUTH_CLIENTS_ALLOWED", "ALLOWED_CLIENTS", "ALLOWED_CLIENT",
		"MCP_ALLOWED_CLIENTS", "ENTRA_ALLOWED_CLIENTS", "MCP_AUTH_ALLOWED_CLIENTS", "OAUTH_ALLOWED_CLIENTS",
		"AUTH_ALLOWED_CLIENT_IDS", "_AUTH_ALLOWED_CLIENTS",
		"AUTH_ALLOWED_CLIENTS_", "MCP_ALOWED_CLIENT", "AUTH_ALLOWED_TENANT", "AUTH_ALLOWED_TENNANTS",
		"MCP_ALLOWED_TENANTS", "MCP_ALLOWED_TENANT_IDS",
		"AUTH_CONFIDENTIAL_CLIENT", "AUTH_CONFIDENTAL_CLIENTS", "CONFIDENTIAL_CLIENTS", "AUTH_SCOPE",
		"AUTH_SOCPES", "MCP_SCOPES", "auth_scopes", "AUTH_APP_ROLE",
		"AUTH_APPROLES", "MCP_APP_ROLES", "MCP_ALLOWED_ORIGIN", "AUTH_ALLOWED_ORIGINS",
		"AUTH_ALLOWED_CLIENTS_LIST", "AUTH_ALLOWED_CLIENT_LIST", "AUTH_ALL_ALLOWED_CLIENTS", "AUTH_CONFIDENTIAL",
		"AUTH_CONFIDENTIAL_CLIENTS_ONLY", "AUTH_REQUIRE_CONFIDENTIAL_CLIENTS",
		"mcp_allowed_origins", "MPC_ALLOWED_ORIGINS",
		"MCP_TRUSTED_PROXY", "MCP_TRUSTED_PROXYS", "AUTH_TRUSTED_PROXIES", "mcp-trusted-proxies",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if keyName.MatchString(name) {
				_, _, err := read(t, direct+name+"="+clientID+"\n")
				require.ErrorContains(t, err, ".env, line 4: "+name+" is not a setting")
			}
			_, _, err := read(t, direct, name+"="+clientID)
			require.ErrorContains(t, err, "environment: "+name+" is not a setting")
		})
	}
	_, _, err := read(t, direct+"\u0410UTH_ALLOWED_CLIENTS="+clientID+"\n") // a Cyrillic A
	require.ErrorContains(t, err, ".env, line 4")
	_, _, err = read(t, direct, "\u0410UTH_ALLOWED_CLIENTS="+clientID)
	require.ErrorContains(t, err, "environment: ")
}

// TestReadIgnoresVariablesOfOtherSoftware sets variables that neither stop the start nor leave a
// log line.
func TestReadIgnoresVariablesOfOtherSoftware(t *testing.T) {
	t.Parallel()
	environ := []string{
		"PATH=/bin", "HOME=/root", "_=/usr/bin/env", "SCOPES=a", "SCOPE=a", "OAUTH_SCOPES=a",
		"APP_ROLE=worker", "APP_ROLES=a", "CORS_ALLOWED_ORIGINS=*",
		"DJANGO_ALLOWED_HOSTS=*", "ALLOWED_HOSTS=*", "AUTH_URL=x", "AUTH_TRUST_HOST=true", "AUTH_TOKEN=x",
		"AUTH_USERS=x", "AUTH_ALLOWED_USERS=x",
		"KEYCLOAK_CLIENTS=x", "MCP_TOKEN_STORE=memory", "MCP_URL=http://localhost:8000/mcp", "MCP_CLIENT_ID=x",
		"PORT=1", "MCP_SERVER_PORT=8000", "STORE=x", "TRUSTED_PROXIES=x",
		"MCP_TRANSPORT_TYPE=sse", "AUTHOR=x", "XAUTHORITY=/root/.Xauthority", "SSH_AUTH_SOCK=x",
		"MCP_TIMEOUT=1", "MCP_TOOL_TIMEOUT=1", "CLIENT_ID=x",
		"AUTH0_SCOPE=x", "AUTH0_CLIENT_ID=x", "AUTH0_CLIENT_SECRET=x", "OAUTH2_SCOPES=x",
		strings.Repeat("A", 1<<20) + "=x", "AUTH_ALLOWED_CLIENTS=" + clientID,
	}
	s, log, err := read(t, direct, environ...)
	require.NoError(t, err)
	assert.Empty(t, log)
	assert.Equal(t, []string{clientID}, s.direct.Clients)
}

// TestReadAcceptsLocalhostInAnyCase leaves MCP_PUBLIC_URL out, which only loopback allows. The name
// means both loopback addresses in any case.
func TestReadAcceptsLocalhostInAnyCase(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"localhost", "LocalHost"} {
		s, _, err := read(t, direct, "MCP_ADDR="+host+":0")
		require.NoError(t, err)
		listeners, err := listen(s.address)
		require.NoError(t, err)
		for _, listener := range listeners {
			assert.True(t, listener.Addr().(*net.TCPAddr).IP.IsLoopback())
			require.NoError(t, listener.Close())
		}
	}
}

// TestReadReportsNameWithoutPrefix sets a variable that may belong to another program. It stops the
// start only if ignoring it would accept more callers.
func TestReadReportsNameWithoutPrefix(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ALLOWED_ORIGINS", "ALLOWED_ORIGIN", "ALLOWED_TENANTS", "allowed_origins"} {
		_, log, err := read(t, direct, name+"=x")
		require.NoError(t, err, name)
		assert.Contains(t, log, "key="+name+" at=environment")
		_, _, err = read(t, direct+name+"=x\n")
		require.ErrorContains(t, err, ".env, line 4: "+name+" is not a setting")
	}
	broker := strings.Replace(direct, "AUTH_MODE=direct", "AUTH_CLIENT_SECRET=x", 1)
	for _, name := range []string{"ALLOWED_CLIENTS", "CONFIDENTIAL_CLIENTS"} {
		_, _, err := read(t, direct, name+"=x")
		require.ErrorContains(t, err, "environment: "+name+" is not a setting")
		_, log, err := read(t, broker, name+"=x")
		require.NoError(t, err, name)
		assert.Contains(t, log, "key="+name+" at=environment")
		_, log, err = read(t, direct+"AUTH_"+name+"=true\n", name+"=x")
		require.NoError(t, err, "the setting itself is there")
		assert.Empty(t, log)
	}
}

func TestReadReportsMisspeltKey(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"AUTH_SECRET":         "AUTH_CLIENT_SECRET",
		"AUTH_CLIENT_SECERT":  "AUTH_CLIENT_SECRET",
		"CLIENT_SECRET_AUTH":  "AUTH_CLIENT_SECRET",
		"AUTH_TENANT":         "AUTH_TENANT_ID",
		"AUTH_TENNANT_ID":     "AUTH_TENANT_ID",
		"AUTH_MODES":          "AUTH_MODE",
		"MCP_PUBLICURL":       "MCP_PUBLIC_URL",
		"mcp_path":            "MCP_PATH",
		"MCP_ADRR":            "MCP_ADDR",
		"AUTH_KEYS_FILE":      "MCP_KEYS_FILE",
		"AUTH_CLIENTID":       "AUTH_CLIENT_ID",
		"AZURE_CLIENT_SECRET": "AUTH_CLIENT_SECRET",
	} {
		_, log, _ := read(t, name+"=x\n")
		assert.Contains(t, log, "key="+name+" at=", name)
		assert.Contains(t, log, "did_you_mean="+want, name)
		_, log, _ = read(t, "", name+"=x")
		assert.Contains(t, log, "key="+name+" at=environment did_you_mean="+want)
		assert.Equal(t, 1, strings.Count(log, "\n"), "one warning")
	}
	_, log, _ := read(t, "AUTH_UNHEARD_OF=x\nOTHER=x\n")
	assert.Contains(t, log, "AUTH_UNHEARD_OF")
	assert.NotContains(t, log, "OTHER", "the file may be shared with other programs")
}

// TestReadExpandsNoVariable reads secrets with $, # and backslashes.
func TestReadExpandsNoVariable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`a$Bc~d`:          `a$Bc~d`,
		`$5~x`:            `$5~x`,
		`a$`:              `a$`,
		`ab#cd`:           `ab#cd`,
		`#ab`:             `#ab`,
		`ab # why`:        `ab`,
		`a\nb`:            `a\nb`,
		` ab `:            `ab`,
		`a=b==`:           `a=b==`,
		`a"b'c`:           `a"b'c`,
		`'a$B # c'`:       `a$B # c`,
		`'${A}'`:          `${A}`,
		`'a'\''b'`:        `a'b`,
		`'a\'`:            `a\`,
		`"a$Bc"`:          `a$Bc`,
		`"a\"b\\c" # why`: `a"b\c`,
		`"a # b"`:         `a # b`,
		`''`:              ``,
		`a:b`:             `a:b`,
	} {
		s, _, err := read(t, "AUTH_TENANT_ID=x\nexport AUTH_CLIENT_SECRET="+text)
		require.NoError(t, err, text)
		assert.Equal(t, want, s.clientSecret, text)
	}
	for _, form := range []string{"\ufeffAUTH_TENANT_ID = common\n", "AUTH_TENANT_ID=common\r\n\r\n",
		"# all\r\rAUTH_TENANT_ID=common", "\tAUTH_TENANT_ID=\tcommon"} {
		s, _, err := read(t, form)
		require.NoError(t, err, "%q", form)
		assert.Equal(t, "common", s.tenantID)
	}
	s, log, err := read(t, "AUTH_TENANT_ID=a\nAUTH_TENANT_ID=b\n")
	require.NoError(t, err)
	assert.Equal(t, "b", s.tenantID)
	assert.Contains(t, log, "line 1")
	assert.Contains(t, log, "line 2")
	s, _, err = read(t, "", "AUTH_CLIENT_SECRET=a${B}$C#d")
	require.NoError(t, err)
	assert.Equal(t, "a${B}$C#d", s.clientSecret, "values of the environment are literal")
}

// TestReadNamesUnreadableLine checks that an error names a line by its number and key. It never
// shows the line, which may contain the secret.
func TestReadNamesUnreadableLine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`AUTH_CLIENT_SECRET="` + hushSecret:                 "AUTH_CLIENT_SECRET has a quote",
		`AUTH_CLIENT_SECRET='` + hushSecret:                 "AUTH_CLIENT_SECRET has a quote",
		`AUTH_CLIENT_SECRET='` + hushSecret + `'more`:       "AUTH_CLIENT_SECRET goes on",
		`AUTH_CLIENT_SECRET="` + hushSecret + `\n"`:         "AUTH_CLIENT_SECRET has a backslash",
		`AUTH_CLIENT_SECRET ` + hushSecret:                  "AUTH_CLIENT_SECRET has no equals sign",
		`AUTH_CLIENT_SECRET: ` + hushSecret:                 "AUTH_CLIENT_SECRET has no equals sign",
		hushSecret:                                          "the line has no equals sign",
		`AUTH CLIENT SECRET=` + hushSecret:                  "the name before the equals sign",
		`=` + hushSecret:                                    "the name before the equals sign",
		"AUTH_CLIENT_SECRET=\xff" + hushSecret:              "AUTH_CLIENT_SECRET has bytes that are not UTF-8",
		`AUTH_CLIENT_SECRET=${` + hushSecret:                "AUTH_CLIENT_SECRET names a variable",
		`AUTH_CLIENT_SECRET=\$` + hushSecret:                "AUTH_CLIENT_SECRET names a variable",
		`{"AUTH_CLIENT_SECRET": "` + hushSecret + `", "a=b`: "the name before the equals sign",
	} {
		_, log, err := read(t, "AUTH_TENANT_ID=x\n\n"+line+"\nMCP_ADDR=localhost:0\n")
		require.ErrorContains(t, err, ".env, line 3: "+want, line)
		assert.NotContains(t, err.Error()+log, "hush")
	}
	for _, text := range []string{"\xff\xfeA\x00=\x00", "\xfe\xff\x00A", "A\x00U\x00"} {
		_, _, err := read(t, text)
		require.ErrorContains(t, err, "UTF-8")
		assert.ErrorContains(t, err, ".env")
	}
	_, _, err := read(t, strings.Repeat("#", maxEnvFile+1))
	require.ErrorContains(t, err, "1 MiB")
}

// TestReadNamesKeyAndLineOfWrongValue covers values that the program refuses, and values that the
// library refuses.
func TestReadNamesKeyAndLineOfWrongValue(t *testing.T) {
	t.Parallel()
	broker := strings.Replace(direct, "AUTH_MODE=direct", "AUTH_CLIENT_SECRET="+hushSecret, 1)
	for setting, want := range map[string]string{
		"MCP_PUBLIC_URL=mcp.example.com":             "write the public URL's scheme and host",
		"MCP_PUBLIC_URL=http://mcp.example.com":      "https",
		"MCP_PUBLIC_URL=https://mcp.example.com/mcp": "has no path",
		"MCP_PATH=mcp":                                       "such as /mcp",
		"MCP_PATH=/authorize":                                "the server itself uses /authorize",
		"MCP_ALLOWED_ORIGINS=https://a.example/":             `"https://a.example/"`,
		"MCP_ALLOWED_ORIGINS=*":                              `"*"`,
		"MCP_UPSTREAM=localhost:9000":                        "http://localhost:9000/mcp",
		"MCP_UPSTREAM=http://localhost:99999/mcp":            "a port from 1 to 65535",
		"MCP_PUBLIC_URL=https://mcp.example.com:99999":       "a port from 1 to 65535",
		"MCP_PUBLIC_URL=https://mcp.example.com?":            "leave out",
		"MCP_ALLOWED_ORIGINS=https://*.example":              "without wildcards",
		"MCP_ALLOWED_ORIGINS=https://a.example:443":          "without the scheme's own port",
		"MCP_ALLOWED_ORIGINS=http://a.example:0":             "scheme://host",
		"MCP_REGISTRATIONS_PER_MINUTE=1000001":               "from 1 to 1000000",
		"MCP_CLIENT_REQUESTS_PER_MINUTE=0":                   "from 1 to 1000000, such as 60",
		"MCP_WRONG_CREDENTIALS_PER_MINUTE=-1":                "such as 10",
		"MCP_PENDING_SIGN_INS=many":                          "such as 10000",
		"MCP_FETCHES_AT_ONCE=0":                              "such as 32",
		"MCP_BATCH_ANSWERS=99999999999999":                   "from 1 to",
		"STORE_URL=file:/":                                   "is not a file",
		"STORE_URL=file:/proc/nowhere":                       "nowhere",
		"STORE_URL=file:/dev/null":                           "is not a file",
		"STORE_MAX_RECORDS=999":                              "from 1000 to 100000000, such as 1000000",
		"STORE_MAX_RECORDS=1e6":                              "a number from",
		"MCP_ADDR=8000":                                      "HOST:PORT",
		"MCP_ADDR=localhost:99999":                           "HOST:PORT",
		"MCP_STATEFUL=maybe":                                 "true or false",
		"MCP_REGISTRATIONS_PER_MINUTE=-1":                    "120",
		"MCP_CALLER_CALLS=0":                                 "a number from 1 to",
		"MCP_TOTAL_STREAMS=many":                             "a number from 1 to",
		"MCP_CALLER_SESSIONS=1e6":                            "a number from 1 to",
		"MCP_BATCH_ANSWERS=64MB":                             "a number of bytes",
		"MCP_MAX_CALL=ten":                                   "10m",
		"AUTH_MODE=both":                                     "broker or direct",
		"AUTH_AUTHORITY=login.example.com":                   "a host of Entra's clouds",
		"AUTH_REDIRECT_URI=https://a.example/":               "/auth/callback",
		"AUTH_CA_FILE=/nowhere.pem":                          "nowhere",
		"AUTH_CLIENT_DOCUMENTS=https://a.example/c":          "write one such as example.com",
		"AUTH_CLIENT_DOCUMENTS=localhost":                    "needs a port",
		"AUTH_CLIENT_DOCUMENTS=any, a.example":               "write one of them alone",
		"AUTH_ALLOWED_TENANTS=" + clientID:                   "AUTH_MODE=direct",
		"MCP_KEYS_FILE=/nowhere.keys":                        "nowhere",
		"STORE_URL=redis://u:hush@localhost":                 "MCP_KEYS_FILE is missing",
		"MCP_PUBLIC_URL=https://u:hush@mcp.example.com":      "scheme and host",
		"MCP_PUBLIC_URL=https://mcp.example.com/?key=hush":   "leave out",
		"MCP_UPSTREAM=ftp://localhost/mcp?key=hush":          "http://localhost:9000/mcp",
		"MCP_UPSTREAM=http://u:hush@localhost/mcp":           "http://localhost:9000/mcp",
		"STORE_URL=redis+x://u:hush@localhost":               "rediss://HOST",
		"AUTH_GRAPH_URL=https://graph.example":               "loopback",
		"MCP_PATH=/sse\nMCP_LEGACY_SSE=true":                 "HTTP+SSE",
		"MCP_LEGACY_SSE=true\nMCP_UPSTREAM=http://a.example": "MCP_UPSTREAM",

		"MCP_UPSTREAM_HEADERS=X-Own": "MCP_UPSTREAM, which is not set",
		"MCP_UPSTREAM_QUERY=x":       "MCP_UPSTREAM, which is not set",
		"MCP_UPSTREAM_HEADERS=Cookie\nMCP_UPSTREAM=http://a.example?k=hush": "Cookie, a header that never passes",
		"MCP_UPSTREAM_HEADERS=X_Own\nMCP_UPSTREAM=http://a.example":         "letters, digits and hyphens",
		"MCP_UPSTREAM_QUERY=x, k\nMCP_UPSTREAM=http://a.example?k=hush":     "k, which the upstream's URL sets",
		"MCP_UPSTREAM=ftp://a.example?k=hush":                               "http://localhost:9000/mcp",
	} {
		// The name of a test is part of its folder's, and so of the errors.
		t.Run(strings.ReplaceAll(setting, "hush", ""), func(t *testing.T) {
			t.Parallel()
			key, _, _ := strings.Cut(setting, "=")
			rest := broker
			for _, other := range []string{"MCP_ADDR=localhost:0", "STORE_URL=memory:"} {
				if name, _, _ := strings.Cut(other, "="); name != key {
					rest += other + "\n"
				}
			}
			s, _, err := read(t, "\n"+setting+"\n"+rest)
			if err == nil {
				err = s.explain(serve(t.Context(), s, slog.New(slog.NewTextHandler(io.Discard, nil))))
			}
			require.ErrorContains(t, err, want)
			assert.ErrorContains(t, err, ".env, line 2: "+key)
			assert.NotContains(t, err.Error(), "hush")
		})
	}
}

// TestReadRefusesTwoCredentials sets two ways to prove the registration.
func TestReadRefusesTwoCredentials(t *testing.T) {
	t.Parallel()
	const ids = "AUTH_TENANT_ID=5a1e0001-0000-4000-8000-000000000001\n" +
		"AUTH_CLIENT_ID=5a1e0003-0000-4000-8000-000000000001\n"
	for i, key := range credentialKeys {
		s, _, err := read(t, ids+key+"=x\n")
		require.NoError(t, err)
		assert.Equal(t, key, s.credentialKey)
		for _, other := range credentialKeys[i+1:] {
			_, _, err := read(t, ids+key+"=x\n", other+"=y")
			require.ErrorContains(t, err, "environment: "+other+" is set beside "+key)
			assert.ErrorContains(t, err, ".env, line 3")
		}
	}
	s, _, err := read(t, ids+"AUTH_CLIENT_SECRET=\nAUTH_MANAGED_IDENTITY=system\n")
	require.NoError(t, err)
	assert.Equal(t, "AUTH_MANAGED_IDENTITY", s.credentialKey, "an empty value does not count")
}

// TestExampleNamesEveryKey compares .env.example with the keys that the program reads.
func TestExampleNamesEveryKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", ".env.example"))
	require.NoError(t, err)
	var named []string
	for _, match := range regexp.MustCompile(`(?m)^#?([A-Z_]+)=`).FindAllStringSubmatch(string(text), -1) {
		named = append(named, match[1])
	}
	assert.ElementsMatch(t, keys, named)
}
