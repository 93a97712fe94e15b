package main_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A way tells how the test runs a command of a README.
type way string

const (
	ends    way = "to its end, which is a success"
	leaves  way = "to its end, after a sign-in with the same home"
	refuses way = "to its end, which is a refused sign-in"
	serves  way = "until it listens, and then to its end after Ctrl-C"
	prompts way = "with commands typed at its prompt"
)

// readmeCommands are the commands of READMEs that work offline. The test replaces their
// addresses by the address of a running server, and gives programs that listen free ports.
var readmeCommands = map[string]way{
	"fakeentra":                                             serves,
	"fakeentra --write-env .env":                            serves,
	"fakeentra --addr localhost:0":                          serves,
	"fakeentra --tls --ca-file ca.pem":                      serves,
	"fakeentra --auto-sign-in --quiet":                      serves,
	"fakeentra --chaos 0.1":                                 serves,
	"fakeentra --resource refused":                          serves,
	"fakeentra --face spec-aligned":                         serves,
	"fakeentra --seed demo --clock 2026-01-31T09:00:00Z":    serves,
	"fakeentra --directory directory.yaml":                  serves,
	"fakeentra directory > directory.yaml":                  ends,
	"fakeentra directory directory.yaml":                    ends,
	"fakeentra verify --setup":                              ends,
	"mcp-entra-server":                                      serves,
	"mcp-entra-server client secret":                        ends,
	"mcp-entra-server --upstream http://localhost:9000/mcp": serves,
	"MCP_PUBLIC_URL=https://mcp.example.com MCP_ADDR=127.0.0.1:8000 mcp-entra-server":           serves,
	"mcp-entra-client http://localhost:8000/mcp":                                                prompts,
	"mcp-entra-client https://mcp.example.com/mcp":                                              prompts,
	"mcp-entra-client https://mcp.example.com/mcp list":                                         ends,
	"mcp-entra-client https://mcp.example.com/mcp sign-in":                                      ends,
	"mcp-entra-client https://mcp.example.com/mcp sign-out":                                     leaves,
	"mcp-entra-client accounts":                                                                 ends,
	"mcp-entra-client --account work https://mcp.example.com/mcp list":                          ends,
	"mcp-entra-client --token-store memory https://mcp.example.com/mcp list":                    ends,
	"mcp-entra-client --token-store file:tokens https://mcp.example.com/mcp list":               ends,
	"BROWSER='fakeentra visit' mcp-entra-client http://localhost:8000/mcp call whoami":          ends,
	"BROWSER='fakeentra visit' mcp-entra-client http://localhost:8000/mcp list":                 ends,
	"BROWSER='fakeentra visit --deny' mcp-entra-client http://localhost:8000/mcp list":          refuses,
	"curl -i http://localhost:8000/mcp":                                                         ends,
	"curl http://localhost:8000/.well-known/oauth-protected-resource/mcp":                       ends,
	"curl http://localhost:8000/.well-known/oauth-authorization-server":                         ends,
	"mcp-auth-conformance list --long":                                                          ends,
	"mcp-auth-conformance list --schema":                                                        ends,
	"mcp-auth-conformance list --catalogue --long":                                              ends,
	"mcp-auth-conformance list --advisories --long":                                             ends,
	"mcp-auth-conformance explain server/token/expired":                                         ends,
	"mcp-auth-conformance explain server/token --sdk mcp-go":                                    ends,
	"mcp-auth-conformance explain client":                                                       ends,
	"mcp-auth-conformance explain RS-012":                                                       ends,
	"mcp-auth-conformance explain CVE-2025-4143":                                                ends,
	`mcp-auth-conformance aadsts "AADSTS500011: The resource principal named api://x"`:          ends,
	"mcp-auth-conformance doctor http://localhost:8000/mcp":                                     ends,
	"mcp-auth-conformance doctor --env .env":                                                    ends,
	"mcp-auth-conformance aadsts 50011":                                                         ends,
	"BROWSER='fakeentra visit' mcp-auth-conformance server http://localhost:8000/mcp --sign-in": ends,
}

// elsewhere are the commands of READMEs that do not run here, and why.
var elsewhere = map[string]string{
	"make demo":  "TestDemo runs its script",
	"make test":  "it runs this test",
	"make build": "TestMain builds the same programs",

	"fakeentra --addr 0.0.0.0:8400 --expose --tls --ca-file /certs/ca.pem --public-url https://localhost:8400 " +
		"--backchannel-url https://fakeentra:8400": "it is for a container: it listens for other machines",
	"AUTH_MODE=direct AUTH_TENANT_ID=… AUTH_CLIENT_ID=… mcp-entra-server": "the reader fills in IDs: direct.txt",
	"AUTH_MODE=direct AUTH_CLIENT_ID=5a1e0003-0000-4000-8000-000000000001 " +
		"AUTH_CLIENT_SECRET=fake-secret-of-the-fake-api AUTH_SCOPES=tool.read mcp-entra-server": "direct.txt",
	"MCP_CLIENT_ID=5a1e0003-0000-4000-8000-000000000001 mcp-entra-client --entra-unadvertised-pkce " +
		"--entra-no-resource http://localhost:8000/mcp call get_user_name": "direct.txt",

	"fakeentra verify --tenant contoso.onmicrosoft.com --tier 0": "it needs the internet; TestVerify",
	"fakeentra verify --env verify.env --report report.md":       "the reader has the tenant; TestVerify",
	"fakeentra record traffic.jsonl --ca-file record-ca.pem":     "TestRecord",
	"fakeentra verify --recording traffic.jsonl":                 "TestRecord",
	"curl --proxy http://localhost:8402 --cacert record-ca.pem " +
		"https://login.microsoftonline.com/common/discovery/v2.0/keys": "it needs the internet",
	"HTTPS_PROXY=http://localhost:8402 SSL_CERT_FILE=record-ca.pem ./my-program": "the reader has the program",
	"fakeentra verify --env verify.env --tier 2":                                 "the reader has the tenant",

	"mcp-entra-server keys rotate":                "keys.txt",
	"mcp-entra-server keys prune":                 "keys.txt",
	"mcp-entra-server store export grants.export": "store.txt",
	"MCP_KEYS_FILE=grants.keys mcp-entra-server store import --store file:new.db grants.export": "store.txt",
	"(umask 077; openssl rand -base64 32 > admin.secret)":                                       "admin.txt",
	"MCP_ADMIN_ADDR=localhost:8001 MCP_ADMIN_SECRET_FILE=admin.secret mcp-entra-server":         "admin.txt",
	"(umask 077; printf 'Authorization: Bearer %s\\n' \"$(cat admin.secret)\" > admin.header)":  "admin.txt",
	"curl -X DELETE -H @admin.header 'http://localhost:8001/grants?user=adele@contoso.com'":     "admin.txt",

	"mcp-auth-conformance server http://localhost:8000/mcp --sign-in": "the same is run with its browser named",
	"mcp-auth-conformance server http://localhost:8000/mcp --fakeentra " +
		"http://localhost:8401": "conformance_fake.txt",
	"mcp-auth-conformance server http://localhost:8000/mcp --rig localhost:9400 --rig-start " +
		"'node server.js {issuer} {port}'": "the reader has the server",
	"mcp-auth-conformance server https://mcp.example.com/mcp --sign-in --client-id " +
		"5a1e0003-0000-4000-8000-000000000001 --redirect-uri http://localhost/callback": "TestRegisteredClientSignsIn",
	"mcp-auth-conformance server https://mcp.example.com/mcp --token-file good.txt --expired-token-file old.txt " +
		"--level must": "the reader has the tokens",
	"mcp-auth-conformance server http://localhost:8000/mcp --sign-in " +
		"--report json=report.json": "TestRunWritesReports",
	"mcp-auth-conformance compare old.json new.json": "TestCompareExits",
	"mcp-auth-conformance server http://localhost:8000/mcp --token-file good.txt " +
		"--write-baseline known.txt": "the reader has the token",
	"mcp-auth-conformance server http://localhost:8000/mcp --token-file good.txt " +
		"--baseline known.txt": "the reader has the token",
	"mcp-auth-conformance server http://localhost:8000/mcp --severity critical,high " +
		"--except server/limits": "the reader has the server",
	"mcp-auth-conformance issuer http://localhost:9000 --field username=ada " +
		"--field password=@password.txt": "the reader has the issuer",
	"mcp-auth-conformance issuer http://localhost:9000 --scripted --rig localhost:9400 --rig-start " +
		"'node as.js {issuer} {port}'": "the reader has the issuer",
	"mcp-auth-conformance issuer https://as.example.com --only authorization-server/metadata": "the reader has " +
		"the issuer",
	"mcp-auth-conformance issuer https://as.example.com --client-id my-client --sign-in " +
		"--scope read": "the reader has the issuer",
	"mcp-auth-conformance client -- mcp-entra-client --quiet --url {url} call {tool}": "client/conformance_test.go " +
		"holds the client to the same checks, which takes minutes",

	"mcp-auth-conformance client --only client/device --supports device-code -- mcp-entra-client --quiet " +
		"--device-code --url {url} call {tool}": "it waits for half a minute; client/conformance_test.go",
	"mcp-auth-conformance doctor https://mcp.example.com/mcp --token-file good.txt": "the reader has the token",
	"mcp-auth-conformance doctor https://mcp.example.com/mcp --no-registration " +
		"--format json": "TestDoctorExitsWithTheStatusOfTheReport",
	"mcp-auth-conformance doctor --client https://mcp.example.com/mcp":             "TestDoctorExaminesThisMachine",
	"mcp-auth-conformance client --supports kept-state,proxy -- node my-client.js": "the reader has the client",
	"mcp-auth-conformance client --only client/document --supports client-document --fetch-client-document " +
		"-- node my-client.js": "the reader has the client",

	"docker build -f conformance/Containerfile -t mcp-auth-conformance .": "it needs Docker; TestContainerFiles",
	"docker run --rm --network host --user \"$(id -u)\" -v \"$PWD:/reports\" mcp-auth-conformance server " +
		"http://localhost:8000/mcp --report html=report.html": "it needs Docker; TestContainerStartsProgram",

	"npx @modelcontextprotocol/inspector --transport http --server-url http://localhost:8000/mcp": "npx fetches it; " +
		"tried by hand",
	"npx @modelcontextprotocol/inspector --cli --transport http http://localhost:8000/mcp --method tools/list": "npx " +
		"fetches it; TestInteropInspector",
	"npx @modelcontextprotocol/inspector --cli --transport http http://localhost:8000/mcp --method tools/call " +
		"--tool-name whoami": "npx fetches it; TestInteropInspector",
	"copilot mcp add --transport http entra http://localhost:8000/mcp": "it needs GitHub Copilot CLI",
	"claude mcp add --transport http entra http://localhost:8000/mcp":  "it needs Claude Code",
	"claude mcp login entra":                                                       "it needs Claude Code",
	"codex mcp add entra --url http://localhost:8000/mcp":                          "it needs Codex",
	"gemini mcp add --scope user --transport http entra http://localhost:8000/mcp": "it needs Gemini CLI",

	"mcp-entra-client https://mcp.example.com/mcp call search query=plans limit=5": "it needs a tool search",
	"mcp-entra-client https://mcp.example.com/mcp describe search":                 "it needs a tool search",
	`mcp-entra-client https://mcp.example.com/mcp call search '{"query":"plans"}'`: "it needs a tool search",
	"mcp-entra-client --no-browser https://mcp.example.com/mcp list":               "a person opens the page",
	"mcp-entra-client --paste https://mcp.example.com/mcp list":                    "a person pastes; paste_test.go",
	"mcp-entra-client --device-code https://mcp.example.com/mcp list": "a person types the code; " +
		"device_test.go",
	"MCP_CLIENT_ID=nightly mcp-entra-client --client-credentials --client-key-file key.pem " +
		"https://mcp.example.com/mcp list": "it needs a registered key; client/unattended_test.go",
	"mcp-entra-client --assertion-file /var/run/secrets/tokens/mcp https://mcp.example.com/mcp call " +
		"refresh_index": "it needs a workload's identity; client/unattended_test.go",
	"mcp-entra-client --token-command 'pass show mcp' https://mcp.example.com/mcp list": "it needs pass",
	"MCP_CLIENT_ID=f5a3c0de-0000-4000-8000-000000000000 mcp-entra-client --entra-unadvertised-pkce " +
		"--entra-no-resource https://mcp.example.com/mcp list": "the reader fills in an ID; direct.txt does so",
	"mcp-entra-client --elicitation default https://mcp.example.com/mcp call book": "it needs a tool book",
}

// TestREADMECommands runs every command of a README that works offline. It fails for a command that
// is in neither list, and for a line of a list that no README has any more.
func TestREADMECommands(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	serving(t, shell(t, folder, "fakeentra --addr localhost:0 --quiet --write-env .env"))
	server := serving(t, shell(t, folder, "mcp-entra-server --addr localhost:0"))
	settings, err := os.ReadFile(filepath.Join(folder, ".env"))
	require.NoError(t, err)
	shown := readmeLines(t)
	for command := range elsewhere {
		assert.Contains(t, shown, command, "no README shows this any more")
	}
	for command := range readmeCommands {
		assert.Contains(t, shown, command, "no README shows this any more")
	}
	for _, command := range shown {
		how, offline := readmeCommands[command]
		if _, excused := elsewhere[command]; !offline {
			assert.True(t, excused, "%q is in neither list of this test", command)
			continue
		}
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(folder, ".env"), settings, 0o600))
			directory, err := exec.Command(filepath.Join(programs, "fakeentra"), "directory").Output()
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(folder, "directory.yaml"), directory, 0o600))
			runAsShown(t, shell(t, folder, onFreePorts(command, server.url)), how)
		})
	}
}

// scripts are the scripts of the repository and the targets of its Makefile, each with the test
// that runs it, or why none does.
var scripts = map[string]string{
	"testdata/demo/run":      "TestDemo and TestLive",
	"testdata/bench/figures": "none: measuring takes minutes and a machine of its own",
	".ci/run":                "none: it installs software and runs all targets",

	".github/actions/mcp-auth-conformance/checks.sh":    "pipeline.TestAction…",
	".github/actions/mcp-auth-conformance/fakeentra.sh": "pipeline.TestAction…",
	".github/actions/mcp-auth-conformance/inputs.sh":    "pipeline.TestAction…",
	".github/actions/mcp-auth-conformance/programs.sh":  "pipeline.TestAction…",
	".github/actions/mcp-auth-conformance/server.sh":    "pipeline.TestAction…",
	".github/actions/mcp-auth-conformance/stop.sh":      "pipeline.TestAction…",

	"make help":            "TestScripts",
	"make build":           "none: TestMain builds the same programs",
	"make demo":            "TestDemo",
	"make live":            "TestLive",
	"make rename-module":   "conformance.TestRenameModule",
	"make test":            "none: it runs this test",
	"make race":            "none: it runs this test",
	"make lint":            "none: .ci/run; staticcheck comes from the network",
	"make vulnerabilities": "none: the GitHub workflow; the database comes from the network",
	"make crashes":         "none: it takes minutes; make test runs the same tests in short",
	"make histories":       "none: it takes minutes; make test runs the same tests in short",
	"make broken":          "none: .ci/run; it takes minutes",
	"make fuzz":            "none: .ci/run; it takes minutes",
	"make interop":         "none: .ci/run; other people's software comes from the network",
	"make wycheproof":      "none: .ci/run; the vectors come from the network",
	"make release":         "none: .ci/run; it takes minutes, and its program has tests of its own",
	"make bench":           "none: measuring takes minutes and a machine of its own",
}

// TestScripts finds every script and every target of the Makefile in the table, and reads the
// scripts without running them.
func TestScripts(t *testing.T) {
	t.Parallel()
	const root = "../../.."
	list := exec.CommandContext(t.Context(), "git", "ls-files", "--stage")
	list.Dir = root
	files, err := list.Output()
	if err != nil {
		t.Skip("not a git checkout")
	}
	var found []string
	for _, match := range regexp.MustCompile(`(?m)^100755 .*\t(.*)$`).FindAllSubmatch(files, -1) {
		script := string(match[1])
		found = append(found, script)
		text, err := os.ReadFile(filepath.Join(root, script))
		require.NoError(t, err)
		interpreter := regexp.MustCompile(`^#!(?:/usr/bin/env |/bin/)(\w+)\n`).FindSubmatch(text)
		require.NotNil(t, interpreter, script)
		check := exec.CommandContext(t.Context(), string(interpreter[1]), "-n", filepath.Join(root, script))
		output, err := check.CombinedOutput()
		assert.NoError(t, err, "%s: %s", script, output)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	for _, target := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllSubmatch(makefile, -1) {
		found = append(found, "make "+string(target[1]))
	}
	for _, name := range found {
		assert.Contains(t, scripts, name, "add to the table what runs it")
	}
	for name := range scripts {
		assert.Contains(t, found, name, "remove it from the table: it does not exist")
	}
	help := exec.CommandContext(t.Context(), "make", "-C", root)
	output, err := help.CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, name := range found {
		if target, ok := strings.CutPrefix(name, "make "); ok && target != "help" {
			assert.Contains(t, string(output), "make "+target, "make does not list it")
		}
	}
}

// runAsShown runs a command in its way.
func runAsShown(t *testing.T, command *exec.Cmd, how way) {
	t.Helper()
	switch how {
	case serves:
		started := serving(t, command)
		require.NoError(t, started.cmd.Process.Signal(os.Interrupt))
		<-started.ended
		assert.Zero(t, started.cmd.ProcessState.ExitCode(), "%s", started.cmd)
		return
	case leaves:
		before := exec.Command("sh", "-c", strings.Replace(command.Args[2], "sign-out", "sign-in", 1))
		before.Dir = command.Dir
		before.Env = command.Env
		require.NoError(t, before.Run())
	case prompts:
		command.Stdin = strings.NewReader("list\ncall get_user_name\nquit\n")
	}
	timer := time.AfterFunc(4*patience, func() { _ = command.Process.Kill() })
	defer timer.Stop()
	output, err := command.CombinedOutput()
	want := 0
	if how == refuses {
		want = 3
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	assert.Equal(t, want, command.ProcessState.ExitCode(), "%s", output)
	if how == prompts {
		assert.Contains(t, string(output), "User name is Adele Vance")
	}
}

var fenced = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// runsAProgram tells commands from output in a block without a language.
var runsAProgram = regexp.MustCompile(`^([A-Z_]+=('[^']*'|\S*) )*(make|curl|fakeentra|mcp-[a-z]+-[a-z]+)( |$)`)

// readmeLines are the commands that READMEs show, without comments, without the folder bin, each
// once.
func readmeLines(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../../*/README.md")
	require.NoError(t, err)
	var shown []string
	for _, file := range append(files, "../../../README.md") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains([]string{"", "sh", "bash", "shell", "console"}, block[1]) {
				continue
			}
			for line := range strings.Lines(strings.ReplaceAll(block[2], "\\\n", "")) {
				line, _, _ = strings.Cut(line, " #")
				line = strings.Join(strings.Fields(strings.ReplaceAll(line, "bin/", "")), " ")
				isCommand := line != "" && (block[1] != "" || runsAProgram.MatchString(line))
				if isCommand && !slices.Contains(shown, line) {
					shown = append(shown, line)
				}
			}
		}
	}
	require.NotEmpty(t, shown)
	return shown
}

var startsFake = regexp.MustCompile(`^fakeentra( --|$)`)

// onFreePorts points a command at a running server, and has programs listen where the system picks.
func onFreePorts(command, server string) string {
	origin := strings.TrimSuffix(server, "/mcp")
	if startsFake.MatchString(command) && !strings.Contains(command, "--addr") {
		command += " --addr localhost:0"
	}
	if strings.HasSuffix(command, "mcp-entra-server") || strings.Contains(command, "mcp-entra-server --upstream") {
		return strings.ReplaceAll(command, "127.0.0.1:8000", "127.0.0.1:0")
	}
	return strings.NewReplacer("http://localhost:8000", origin, "https://mcp.example.com", origin).Replace(command)
}

// shell is a command line in a folder, with the programs on its path, a person who approves at the
// browser, and nothing of the caller's environment.
func shell(t *testing.T, folder, line string) *exec.Cmd {
	t.Helper()
	command := exec.Command("sh", "-c", asProcess(line))
	command.Dir = folder
	command.Env = []string{
		"PATH=" + programs + string(filepath.ListSeparator) + os.Getenv("PATH"), "HOME=" + t.TempDir(),
		"BROWSER=fakeentra visit", "MCP_ADDR=localhost:0", "STORE_URL=memory:",
	}
	return command
}

var settingsBefore = regexp.MustCompile(`^([A-Z_]+=('[^']*'|\S*) )*`)

// asProcess has the program of a line take the shell's place, so that a signal reaches it.
func asProcess(line string) string {
	before := settingsBefore.FindString(line)
	return "exec env " + before + strings.TrimPrefix(line, before)
}

// A started program listens.
type started struct {
	cmd   *exec.Cmd
	url   string
	ended chan struct{}
}

var listens = regexp.MustCompile(`(?:listening on|serving) (http\S+)`)

// serving starts a program and waits until it says where it listens. It is ended with the test.
func serving(t *testing.T, command *exec.Cmd) *started {
	t.Helper()
	read, write := io.Pipe()
	command.Stdout = write
	command.Stderr = write
	require.NoError(t, command.Start())
	one := &started{cmd: command, ended: make(chan struct{})}
	go func() {
		defer close(one.ended)
		_ = command.Wait()
		_ = write.Close()
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-one.ended
	})
	found := make(chan string, 1)
	go func() {
		defer close(found)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			if match := listens.FindStringSubmatch(lines.Text()); match != nil && one.url == "" {
				one.url = match[1]
				found <- one.url
			}
		}
	}()
	select {
	case _, ok := <-found:
		require.True(t, ok, "%s ended without listening", command)
	case <-time.After(patience):
		t.Fatalf("%s does not listen", command)
	}
	return one
}
