package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/joho/godotenv"

	"mcpentra/client/signin"
)

// keys are the settings in the environment, and in the file of --env.
var keys = []string{
	"MCP_URL", "MCP_ACCOUNT", "MCP_CLIENT_ID", "MCP_CLIENT_SECRET", "MCP_CLIENT_SECRET_FILE", "MCP_CLIENT_KEY_FILE",
	"MCP_CLIENT_ISSUER", "MCP_CLIENT_METADATA_URL", "MCP_REDIRECT_URI", "MCP_TOKEN", "MCP_ID_TOKEN",
	"MCP_ID_TOKEN_FILE", "MCP_IDP_CLIENT_SECRET", "MCP_TOKEN_STORE", "BROWSER",
}

// readEnvFile reads the file of --env. Without a name it reads nothing: another person may own the
// working folder, and settings run programs and send files.
func readEnvFile(name string) (map[string]string, error) {
	if name == "" {
		return nil, nil
	}
	text, err := readFile("--env", name)
	if err != nil {
		return nil, err
	}
	file, err := godotenv.UnmarshalBytes(text)
	if err != nil {
		return nil, fmt.Errorf("--env: %s is not a list of KEY=value lines", name)
	}
	folder, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("--env: %w", err)
	}
	for _, key := range []string{"MCP_CLIENT_SECRET_FILE", "MCP_CLIENT_KEY_FILE", "MCP_ID_TOKEN_FILE"} {
		file[key] = besideFile(folder, file[key])
	}
	file["MCP_TOKEN_STORE"], err = storeBesideFile(folder, file["MCP_TOKEN_STORE"])
	if err != nil {
		return nil, fmt.Errorf("--env: %s: MCP_TOKEN_STORE: %w", name, err)
	}
	file["BROWSER"], err = commandBesideFile(folder, file["BROWSER"])
	if err != nil {
		return nil, fmt.Errorf("--env: %s: BROWSER: %w", name, err)
	}
	return file, nil
}

// besideFile resolves a path in a settings file. A relative path begins at the file's folder,
// because the working folder could hold another file of that name. The name - means standard input
// and stays.
func besideFile(folder, path string) string {
	if path == "" || path == "-" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// commandBesideFile resolves the path of the program in a settings file's command. A program
// without a path stays: os/exec finds it in PATH, and never in the working folder.
func commandBesideFile(folder, command string) (string, error) {
	words, err := signin.SplitWords(command)
	if err != nil || len(words) == 0 {
		return command, err
	}
	program := words[0]
	if filepath.IsAbs(program) || filepath.Base(program) == program {
		return command, nil
	}
	words[0] = filepath.Join(folder, program)
	for i, word := range words {
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return strings.Join(words, " "), nil
}

// storeBesideFile resolves the path in a settings file's token store.
func storeBesideFile(folder, store string) (string, error) {
	switch kind, detail, found := strings.Cut(store, ":"); {
	case found && kind == "file" && detail != "":
		return "file:" + besideFile(folder, detail), nil
	case found && kind == "command":
		command, err := commandBesideFile(folder, detail)
		return "command:" + command, err
	}
	return store, nil
}

// maxUnread bounds how much of an unnamed .env the program looks at, in bytes.
const maxUnread = 64 << 10

// tellUnread writes one line if the working folder has a .env with this program's settings, which
// was not read. It looks only at the names of settings.
func tellUnread(out io.Writer) {
	const name = ".env"
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return // the program would wait for a pipe
	}
	file, err := os.Open(name)
	if err != nil {
		return
	}
	defer file.Close()
	if set := keysIn(io.LimitReader(file, maxUnread)); len(set) > 0 {
		fmt.Fprintf(out, "mcp-entra-client: %s in this folder sets %s and was not read; to read it, give --env %s\n",
			name, strings.Join(set, ", "), name)
	}
}

// keysIn returns this program's settings in a file, in the order of keys.
func keysIn(text io.Reader) []string {
	set := map[string]bool{}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, maxUnread+1)
	for lines.Scan() {
		line := strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff")), "export ")
		if keyEnd := strings.IndexAny(line, "=:"); keyEnd > 0 {
			set[strings.TrimSpace(line[:keyEnd])] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !set[key] })
}
