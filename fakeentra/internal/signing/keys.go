package signing

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Keys are the signing keys of one fake. They are safe for concurrent use.
type Keys struct {
	mu       sync.Mutex
	ring     keyRing
	personal []*Key          // for personal accounts; the last one signs
	own      map[string]*Key // keys of single apps, by application ID
	external bool            // the first keys belong to External ID
}

// NewExternalKeys returns the first keys of every fake of External ID. Entra ID has other keys for
// the same tenant.
func NewExternalKeys() *Keys {
	k := &Keys{external: true}
	k.Reset()
	return k
}

// NewKeys returns the first keys of every fake.
func NewKeys() *Keys {
	k := &Keys{}
	k.Reset()
	return k
}

// Reset goes back to the keys of NewKeys.
func (k *Keys) Reset() {
	keys := embedded()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ring = keyRing{published: keys[:3:3], coming: keys[3:4:4]}
	if k.external {
		k.ring = keyRing{published: slices.Clone(embeddedExternal())}
	}
	k.personal = keys[4:]
	k.own = map[string]*Key{}
}

// Rotate makes a planned rollover. The next published key signs from now on, a new key is
// published, and the oldest is withdrawn. Personal says whether the directory has personal
// accounts. Without them their key stays: it signs nothing, and common publishes it.
func (k *Keys) Rotate(now time.Time, personal bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if personal {
		if err := k.rotatePersonal(now, 1); err != nil {
			return err
		}
	}
	return k.ring.rotate(now)
}

// EmergencyRotate makes the rollover after a key was lost. It withdraws the signing key at once.
func (k *Keys) EmergencyRotate(now time.Time, personal bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if personal {
		if err := k.rotatePersonal(now, 0); err != nil {
			return err
		}
	}
	return k.ring.drop(now)
}

// rotatePersonal makes a new key for personal accounts, and keeps the last few of the present ones.
func (k *Keys) rotatePersonal(now time.Time, keep int) error {
	next, err := newKey(now, personalSubject)
	if err != nil {
		return err
	}
	kept := k.personal[max(0, len(k.personal)-keep):]
	k.personal = append(slices.Clone(kept), next)
	return nil
}

// Active returns the key that signs for organizations.
func (k *Keys) Active() *Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ring.active()
}

// Previous returns the key that Rotate withdraws next.
func (k *Keys) Previous() *Key { return k.Published()[0] }

// Next returns the key that signs after Rotate.
func (k *Keys) Next() *Key { return k.Published()[2] }

// Published returns the keys for organizations. The second one signs.
func (k *Keys) Published() []*Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ring.published
}

// Personal returns the keys for personal accounts. The last one signs.
func (k *Keys) Personal() []*Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.personal
}

// ActivePersonal returns the key that signs for personal accounts.
func (k *Keys) ActivePersonal() *Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.personal[len(k.personal)-1]
}

// Own returns the key of an app with its own key. The first call makes the key.
func (k *Keys) Own(appID, displayName string, now time.Time) *Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := k.own[appID]
	if key == nil {
		key = mustNewKey(now, displayName)
		k.own[appID] = key
	}
	return key
}

// OwnKeys returns the keys of the apps that have one, ordered by application ID.
func (k *Keys) OwnKeys() []*Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	var keys []*Key
	for _, id := range slices.Sorted(maps.Keys(k.own)) {
		keys = append(keys, k.own[id])
	}
	return keys
}

// all returns the keys of the tokens that the fake accepts.
func (k *Keys) all() []*Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Concat(k.ring.published, k.personal, slices.Collect(maps.Values(k.own)))
}

// A keyRing holds the published keys for organizations: the previous key, the signing key and the
// next one. The order means nothing to a client.
type keyRing struct {
	published []*Key // the second one signs
	coming    []*Key // later keys that are part of the source
}

func (r *keyRing) active() *Key { return r.published[1] }

// rotate publishes a new key, makes the next one sign and drops the oldest.
func (r *keyRing) rotate(now time.Time) error {
	var next *Key
	if len(r.coming) > 0 {
		next = r.coming[0]
		r.coming = r.coming[1:]
	} else {
		var err error
		next, err = newKey(now, workSubject)
		if err != nil {
			return err
		}
	}
	r.published = append(append([]*Key(nil), r.published[1:]...), next)
	return nil
}

// drop withdraws the signing key and makes the next one sign.
func (r *keyRing) drop(now time.Time) error {
	lost := r.active()
	if err := r.rotate(now); err != nil {
		return err
	}
	r.published = slices.DeleteFunc(slices.Clone(r.published), func(key *Key) bool { return key == lost })
	next, err := newKey(now, workSubject)
	if err != nil {
		return err
	}
	r.published = append([]*Key{next}, r.published...) // the signing key stays the second one
	return nil
}
