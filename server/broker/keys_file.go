package broker

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxKeys bounds a keys file.
	maxKeys = 16
	// maxRetired bounds what a keys file remembers of removed keys.
	maxRetired = 16
	// maxEpochs bounds the stores whose epochs a keys file holds.
	maxEpochs = 16
)

// Comments with a meaning. Programs that do not know them read the same keys.
const (
	fromComment    = "# encrypts from: "
	retiredComment = "# of a removed key: "
)

var epochComment = regexp.MustCompile(`^# epoch of store ([0-9a-f]{16}): ([0-9]{1,18})$`)

// NewKeysText returns the text of a keys file with one new key.
func NewKeysText(random io.Reader) (string, error) {
	line, err := newKeyLine(random)
	if err != nil {
		return "", err
	}
	const comment = "# Encrypts what mcp-entra-server stores. The first key encrypts, all of them decrypt.\n" +
		"# To change the key: mcp-entra-server keys rotate\n"
	return comment + line + "\n", nil
}

func newKeyLine(random io.Reader) (string, error) {
	secret := make([]byte, keyLength)
	if _, err := io.ReadFull(random, secret); err != nil {
		return "", fmt.Errorf("broker: no randomness: %w", err)
	}
	return base64.StdEncoding.EncodeToString(secret), nil
}

func readKeyring(text string) (*keyring, error) {
	ring := &keyring{text: text, epochs: map[string]int64{}, replaced: make(chan struct{})}
	var from time.Time
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		var err error
		if strings.HasPrefix(line, "#") {
			err = ring.readComment(line, &from)
		} else {
			err = ring.readKey(line, from)
			from = time.Time{}
		}
		if err != nil {
			return nil, fmt.Errorf("broker: keys, line %d: %w", i+1, err)
		}
	}
	if len(ring.keys) == 0 || len(ring.keys) > maxKeys {
		return nil, fmt.Errorf("broker: want 1 to %d keys, got %d", maxKeys, len(ring.keys))
	}
	return ring, nil
}

func (r *keyring) readKey(line string, from time.Time) error {
	secret, err := base64.StdEncoding.DecodeString(line)
	if err != nil || len(secret) != keyLength {
		return fmt.Errorf("want %d bytes in base64", keyLength)
	}
	key, err := newStorageKey(secret)
	if err != nil {
		return err
	}
	key.from = from
	r.keys = append(r.keys, key)
	return nil
}

// readComment reads a comment. The time in one applies to the key after it.
func (r *keyring) readComment(line string, from *time.Time) (err error) {
	if text, found := strings.CutPrefix(line, fromComment); found {
		*from, err = time.Parse(time.RFC3339, text)
		if err != nil {
			return errors.New("want a time such as 2026-01-31T09:00:00Z after \"encrypts from\"")
		}
	}
	if text, found := strings.CutPrefix(line, retiredComment); found {
		secrets, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(secrets) != 2*keyLength {
			return fmt.Errorf("want %d bytes in base64 after \"of a removed key\"", 2*keyLength)
		}
		r.retired = append(r.retired, retiredKey{mac: secrets[:keyLength], sources: secrets[keyLength:]})
	}
	if match := epochComment.FindStringSubmatch(line); match != nil {
		epoch, _ := strconv.ParseInt(match[2], 10, 64) // the pattern admits no other text
		r.epochs[match[1]] = epoch
	}
	return nil
}

// RotateKeysText puts a new key in front of the keys in the text of a keys file. The new key
// decrypts at once, and encrypts from the given time on. Until then, all replicas must have read
// the file. The zero time means at once.
func RotateKeysText(text string, random io.Reader, from time.Time) (string, error) {
	ring, err := readKeyring(text)
	if err != nil {
		return "", err
	}
	if len(ring.keys) >= maxKeys {
		return "", fmt.Errorf("broker: the file has %d keys, and no more are allowed: remove those that no record "+
			"uses (mcp-entra-server keys prune)", maxKeys)
	}
	line, err := newKeyLine(random)
	if err != nil {
		return "", err
	}
	added := []string{line}
	if !from.IsZero() {
		added = []string{fromComment + from.UTC().Format(time.RFC3339), line}
	}
	lines := strings.Split(text, "\n")
	at := slices.IndexFunc(lines, isKeyLine)
	for at > 0 && strings.HasPrefix(strings.TrimSpace(lines[at-1]), fromComment) {
		at--
	}
	return strings.Join(slices.Insert(lines, at, added...), "\n"), nil
}

func isKeyLine(line string) bool {
	line = strings.TrimSpace(line)
	return line != "" && !strings.HasPrefix(line, "#")
}

// PruneKeysText removes keys from the text of a keys file, by their names in a Report. It keeps the
// key that encrypts, and newer ones. A comment keeps what recognizes refresh tokens of the removed
// keys, so that old tokens stay good.
func PruneKeysText(
	text string,
	now time.Time,
	used func(name string) bool,
) (pruned string, removed []string, err error) {
	ring, err := readKeyring(text)
	if err != nil {
		return "", nil, err
	}
	first := ring.firstAt(now)
	number := -1
	var lines, retired []string
	for _, line := range strings.Split(text, "\n") {
		if !isKeyLine(line) {
			lines = append(lines, line)
			continue
		}
		number++
		key := ring.keys[number]
		if number <= first || used(key.name()) {
			lines = append(lines, line)
			continue
		}
		if last := len(lines) - 1; last >= 0 && strings.HasPrefix(strings.TrimSpace(lines[last]), fromComment) {
			lines = lines[:last]
		}
		secrets := slices.Concat(key.mac, key.sources)
		retired = append(retired, retiredComment+base64.StdEncoding.EncodeToString(secrets))
		removed = append(removed, key.name())
	}
	return appendComments(lines, retired, maxRetired, func(line string) bool {
		return strings.HasPrefix(line, retiredComment)
	}), removed, nil
}

// RaiseEpochText notes the epoch of a store in the text of a keys file, unless the file has a
// higher one.
func RaiseEpochText(text, storeID string, epoch int64) string {
	if ring, err := readKeyring(text); err == nil {
		epoch = max(epoch, ring.epochs[storeID])
	}
	line := fmt.Sprintf("# epoch of store %s: %d", storeID, epoch)
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		match := epochComment.FindStringSubmatch(strings.TrimSpace(line))
		return match != nil && match[1] == storeID
	})
	return appendComments(lines, []string{line}, maxEpochs, epochComment.MatchString)
}

func withoutEpochs(text string) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		return epochComment.MatchString(strings.TrimSpace(line))
	})
	return strings.Join(lines, "\n")
}

// appendComments adds comments of a kind at the end, and drops the oldest ones that are too many.
func appendComments(lines, added []string, most int, isOfKind func(string) bool) string {
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	lines = append(lines, added...)
	surplus := -most
	for _, line := range lines {
		if isOfKind(strings.TrimSpace(line)) {
			surplus++
		}
	}
	lines = slices.DeleteFunc(lines, func(line string) bool {
		drop := surplus > 0 && isOfKind(strings.TrimSpace(line))
		if drop {
			surplus--
		}
		return drop
	})
	return strings.Join(lines, "\n") + "\n"
}
