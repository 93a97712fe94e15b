package workstation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mcpentra/conformance/doctor"
)

// The names of the client's files.
const (
	stateName    = "mcp-entra-client"
	tokensName   = "tokens"
	keyName      = "key"
	keyLength    = 32 // bytes
	recordSuffix = ".record"
	lockSuffix   = ".lock"
	maxRecords   = 10_000
)

func (m *machine) tokens(_ context.Context, step *doctor.Step) {
	kind, detail, _ := strings.Cut(m.env["MCP_TOKEN_STORE"], ":")
	switch kind {
	case "memory":
		did(step, "MCP_TOKEN_STORE is memory, so nothing is kept")
	case "command":
		m.storeCommand(step, detail)
	case "", "file":
		m.storeFolder(step, detail)
	default:
		step.Add(doctor.Finding{
			Code:    "token-store-unknown",
			Kind:    doctor.Fault,
			Seen:    "MCP_TOKEN_STORE is not file, file:FOLDER, memory or command:WORDS",
			Why:     "The client does not guess where tokens belong.",
			Effects: stops("it ends with status 2"),
			Fixes:   []doctor.Fix{change(environment, "MCP_TOKEN_STORE=file, or remove it")},
		})
	}
	fine(step, "token-store-usable", "the client can keep its tokens")
}

// storeCommand checks a command that keeps the tokens, and does not run it.
func (m *machine) storeCommand(step *doctor.Step, command string) {
	words, err := splitWords(command)
	if err == nil && len(words) == 0 {
		err = errors.New("it names no program")
	}
	if err == nil {
		_, err = m.config.LookPath(words[0])
	}
	if err == nil {
		did(step, "MCP_TOKEN_STORE runs %s", words[0])
		return
	}
	step.Add(doctor.Finding{
		Code:    "token-store-command-missing",
		Kind:    doctor.Fault,
		Seen:    fmt.Sprintf("the command in MCP_TOKEN_STORE cannot be run: %v", err),
		Why:     "The client hands its tokens to this program.",
		Effects: stops("it ends with status 2"),
		Fixes:   []doctor.Fix{change(environment, "name a program that exists, or set MCP_TOKEN_STORE=file")},
	})
}

// storeFolder examines the folder of tokens.
func (m *machine) storeFolder(step *doctor.Step, folder string) {
	if folder == "" {
		state, err := m.stateFolder()
		if err != nil {
			addNoFolder(step, err.Error())
			return
		}
		if relative := m.env["XDG_STATE_HOME"]; relative != "" && !filepath.IsAbs(relative) {
			did(step, "XDG_STATE_HOME is ignored, because it is not an absolute path")
		}
		folder = filepath.Join(state, tokensName)
	}
	folder = m.absolute(folder)
	info, err := os.Lstat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m.newFolder(step, folder)
		return
	case err != nil:
		addNoFolder(step, err.Error())
		return
	case !info.IsDir():
		addNoFolder(step, "there is a link or a file at "+folder)
		return
	}
	did(step, "the tokens are in %s", folder)
	if m.hasModes() && info.Mode().Perm()&0o077 != 0 {
		step.Add(doctor.Finding{
			Code:  "token-folder-shared",
			Kind:  doctor.Warning,
			Seen:  fmt.Sprintf("the folder has mode %04o", info.Mode().Perm()),
			Why:   "Other users see when you sign in. The client takes their access away at its next start.",
			Fixes: []doctor.Fix{change("shell", "chmod 0700 "+shellWord(folder))},
		})
	}
	m.owner(step, folder, info)
	m.files(step, folder)
}

// stateFolder returns the folder for the client's state (XDG Base Directory).
func (m *machine) stateFolder() (string, error) {
	if folder := m.env["XDG_STATE_HOME"]; filepath.IsAbs(folder) {
		return filepath.Join(folder, stateName), nil
	}
	variable := "HOME"
	if m.config.OS == "windows" {
		variable = "USERPROFILE"
	}
	home := m.env[variable]
	if !filepath.IsAbs(home) {
		return "", fmt.Errorf("want an absolute path in %s, got %q", variable, home)
	}
	return filepath.Join(home, ".local", "state", stateName), nil
}

func addNoFolder(step *doctor.Step, why string) {
	step.Add(doctor.Finding{
		Code:    "token-folder-unusable",
		Kind:    doctor.Fault,
		Seen:    "there is no folder for tokens: " + why,
		Why:     "The client opens the folder before it signs in.",
		Effects: stops("it ends with status 2"),
		Fixes:   []doctor.Fix{change("command line", program+" --token-store file:FOLDER, with a folder of yours")},
	})
}

// newFolder checks the nearest folder that exists, where the client makes the folder of tokens.
func (m *machine) newFolder(step *doctor.Step, folder string) {
	did(step, "%s does not exist yet: you have never signed in", folder)
	parent := filepath.Dir(folder)
	for {
		info, err := os.Stat(parent)
		switch {
		case err == nil && !info.IsDir():
			addNoFolder(step, parent+" is not a folder")
			return
		case err == nil && !m.canWrite(info):
			addNoFolder(step, fmt.Sprintf("%s has mode %04o, so you cannot make a folder in it",
				parent, info.Mode().Perm()))
			return
		case err == nil || parent == filepath.Dir(parent):
			return
		}
		parent = filepath.Dir(parent)
	}
}

// canWrite reports whether the user may write into a folder, as its mode and owner tell. The
// superuser may. Where they do not tell, it reports true.
func (m *machine) canWrite(info fs.FileInfo) bool {
	owner, known := ownerOf(info)
	switch {
	case !m.hasModes() || !known || m.config.UserID <= 0:
		return true
	case owner == m.config.UserID:
		return info.Mode().Perm()&0o200 != 0
	}
	return info.Mode().Perm()&0o022 != 0
}

func (m *machine) owner(step *doctor.Step, path string, info fs.FileInfo) {
	owner, known := ownerOf(info)
	if !known || m.config.UserID <= 0 || owner == m.config.UserID {
		return
	}
	step.Add(doctor.Finding{
		Code:    "token-store-owner",
		Kind:    doctor.Fault,
		Seen:    fmt.Sprintf("%s belongs to user %d, and you are user %d", path, owner, m.config.UserID),
		Why:     "The client cannot read tokens of another user, for example after a run with sudo.",
		Effects: stops("it ends with status 2"),
		Fixes:   []doctor.Fix{change("shell", fmt.Sprintf("sudo chown -R %d %s", m.config.UserID, shellWord(path)))},
	})
}
