package workstation

import (
	"context"

	"github.com/godbus/dbus/v5"
)

// The Secret Service (freedesktop.org, Secret Service API).
const (
	secretsName       = "org.freedesktop.secrets"
	secretsPath       = dbus.ObjectPath("/org/freedesktop/secrets")
	secretsInterface  = "org.freedesktop.Secret.Service"
	secretsCollection = "org.freedesktop.Secret.Collection"
	loginCollection   = secretsPath + "/collection/login"
	defaultAlias      = secretsPath + "/aliases/default"
	propertiesGet     = "org.freedesktop.DBus.Properties.Get"
	busName           = "org.freedesktop.DBus"
	maxServices       = 10_000
)

// askSecretService asks for the state of the Secret Service on a session bus. No question starts a
// service, opens a session or unlocks a collection.
func askSecretService(ctx context.Context, address string) (keychainState, error) {
	type answer struct {
		state keychainState
		err   error
	}
	// The library waits for a bus that accepts connections and says nothing.
	answers := make(chan answer, 1)
	go func() {
		state, err := askBus(ctx, address)
		answers <- answer{state, err}
	}()
	select {
	case a := <-answers:
		return a.state, a.err
	case <-ctx.Done():
		return keychainState{}, ctx.Err()
	}
}

func askBus(ctx context.Context, address string) (keychainState, error) {
	state := keychainState{}
	connection, err := dbus.Connect(address, dbus.WithContext(ctx))
	if err != nil {
		return state, err
	}
	defer connection.Close()
	state.bus = true
	bus := connection.BusObject()
	if err := bus.CallWithContext(ctx, busName+".NameHasOwner", 0, secretsName).Store(&state.running); err != nil {
		return state, err
	}
	if !state.running {
		var names []string
		err := bus.CallWithContext(ctx, busName+".ListActivatableNames", 0).Store(&names)
		for _, name := range names[:min(len(names), maxServices)] {
			state.startable = state.startable || name == secretsName
		}
		return state, err
	}
	return state, state.ask(ctx, connection)
}

// ask asks a Secret Service that runs.
func (s *keychainState) ask(ctx context.Context, connection *dbus.Conn) error {
	get := func(path dbus.ObjectPath, owner, property string) (dbus.Variant, error) {
		var value dbus.Variant
		object := connection.Object(secretsName, path)
		err := object.CallWithContext(ctx, propertiesGet, dbus.FlagNoAutoStart, owner, property).Store(&value)
		return value, err
	}
	known, err := get(secretsPath, secretsInterface, "Collections")
	if err != nil {
		return err
	}
	collection := defaultAlias
	paths, _ := known.Value().([]dbus.ObjectPath)
	for _, path := range paths {
		if path == loginCollection {
			collection = loginCollection
		}
	}
	if len(paths) == 0 {
		return nil // the first secret makes a collection
	}
	locked, err := get(collection, secretsCollection, "Locked")
	if err != nil {
		return err
	}
	s.locked, _ = locked.Value().(bool)
	search := map[string]string{"username": keychainUser, "service": keychainService}
	var items []dbus.ObjectPath
	object := connection.Object(secretsName, collection)
	call := object.CallWithContext(ctx, secretsCollection+".SearchItems", dbus.FlagNoAutoStart, search)
	if err := call.Store(&items); err != nil {
		return err
	}
	s.holdsKey = len(items) > 0
	return nil
}
