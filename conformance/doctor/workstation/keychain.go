package workstation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mcpentra/conformance/doctor"
	"mcpentra/conformance/internal/exchange"
)

// The entry of the client's encryption key in the keychain.
const (
	keychainService = "mcp-entra-client"
	keychainUser    = "token store"
)

// keychainTimeout bounds the wait for the keychain, as in the client.
const keychainTimeout = 3 * time.Second

// maxBusAddress bounds the address of the session bus, in bytes.
const maxBusAddress = 4096

// keptInFile is what a client without a keychain does.
const keptInFile = "the client keeps its key in a file beside the tokens, which protects a backup of them"

// busVariable names the address of the session bus.
const busVariable = "DBUS_SESSION_BUS_ADDRESS"

// keychain asks the keychain for its state, and for no secret. It unlocks nothing and starts no
// service.
func (m *machine) keychain(ctx context.Context, step *doctor.Step) {
	address := m.env[busVariable]
	switch {
	case m.config.OS == "darwin" || m.config.OS == "windows":
		did(step, "not asked: on this system a question could open a dialog")
		fine(step, "keychain-not-asked", "the client asks the system's keychain at its first sign-in")
		return
	case address == "" || len(address) > maxBusAddress:
		did(step, "%s is not set, so the client asks no keychain", busVariable)
		fine(step, "keychain-absent", keptInFile)
		return
	}
	if !isSocketAddress(address) {
		did(step, "not asked: the address in %s could start a program", busVariable)
		fine(step, "keychain-not-asked", "the client asks the keychain at its first sign-in")
		return
	}
	ctx, cancel := exchange.Within(ctx, keychainTimeout)
	defer cancel()
	state, err := askSecretService(ctx, address)
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer within %v", keychainTimeout)
	}
	m.judgeKeychain(step, state, err)
}

// isSocketAddress reports whether an address of a bus names only sockets. Other kinds, such as
// unixexec, start a program (D-Bus specification, Transports).
func isSocketAddress(address string) bool {
	for part := range strings.SplitSeq(address, ";") {
		kind, _, _ := strings.Cut(part, ":")
		if part != "" && kind != "unix" && kind != "tcp" {
			return false
		}
	}
	return true
}

// A keychainState is what a Secret Service says without being unlocked.
type keychainState struct {
	// bus says that the session bus answered.
	bus bool
	// running says that a Secret Service runs; startable says that the bus would start one.
	running, startable bool
	locked             bool
	// holdsKey says that the keychain has the client's encryption key.
	holdsKey bool
}

func (m *machine) judgeKeychain(step *doctor.Step, state keychainState, err error) {
	const inFile = "it keeps its key in a file beside the tokens, and asks you to sign in again"
	switch {
	case !state.bus:
		step.Add(doctor.Finding{
			Code:    "session-bus-silent",
			Kind:    doctor.Warning,
			Seen:    fmt.Sprintf("the session bus at %s does not answer: %v", busVariable, err),
			Why:     "The client reaches the keychain over this bus, and waits for it up to 3 s at each start.",
			Effects: stops(inFile),
			Fixes:   []doctor.Fix{change("shell", "unset "+busVariable+", or start the session with dbus-run-session")},
		})
	case err != nil:
		step.Add(doctor.Finding{
			Code:    "keychain-silent",
			Kind:    doctor.Warning,
			Seen:    fmt.Sprintf("the keychain does not answer: %v", err),
			Why:     "The client waits for it up to 3 s at each start.",
			Effects: stops(inFile),
			Fixes:   []doctor.Fix{change("this session", "restart the keychain, such as gnome-keyring-daemon")},
		})
	case !state.running && !state.startable:
		did(step, "no Secret Service is on the session bus")
		fine(step, "keychain-absent", keptInFile)
	case !state.running:
		did(step, "no Secret Service runs; the session bus starts one when the client asks")
		fine(step, "keychain-not-running", "the client starts the keychain at its first sign-in")
	case state.locked:
		m.keyInKeychain = state.holdsKey
		step.Add(doctor.Finding{
			Code:    "keychain-locked",
			Kind:    doctor.Warning,
			Seen:    "the keychain is locked" + keyWords(state.holdsKey),
			Why:     "Unlocking needs a dialog on this screen. Without one, the client does not get its key.",
			Effects: stops(inFile),
			Fixes: []doctor.Fix{
				change("this session", "unlock the keychain, for example by signing in at the screen"),
				change("command line", program+" --token-store memory, to keep nothing"),
			},
		})
	default:
		m.keyInKeychain = state.holdsKey
		fine(step, "keychain-open", "the keychain answers and is open"+keyWords(state.holdsKey))
	}
}

func keyWords(holdsKey bool) string {
	if holdsKey {
		return "; it holds the client's key"
	}
	return "; it holds no key of the client yet"
}
