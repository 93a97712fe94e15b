package checks

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// storageChecks are checks of client/storage: tokens between runs (MCP authorization, Token Theft).
func storageChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/storage/private",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Token Theft",
				Sentence:  "Tokens are in no file that other users of the machine can read.",
				Covers:    []string{"client-token-storage", "CL-040"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Run:       storagePrivate,
		},
		{
			Rule: check.Rule{
				ID:        "client/storage/links",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "CWE-59",
				Sentence:  "When a link replaces a token file, the client writes nothing to the target of the link.",
				Covers:    []string{"CL-040"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Needs:     []bench.Need{bench.Connecting},
			Run:       storageLinks,
		},
		{
			Rule: check.Rule{
				ID:        "client/storage/two-at-once",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "OAuth 2.1-13 section 4.3.1",
				Sentence: "When two runs find an expired token at the same time, one refreshes it and no new " +
					"sign-in is needed.",
				Covers: []string{"CL-040", "CL-056"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Needs:     []bench.Need{bench.Connecting},
			Run:       storageTwoAtOnce,
		},
	}
}

// storagePrivate tries client/storage/private.
func storagePrivate(ctx context.Context, p *bench.Probe) error {
	l, err := completeTask(ctx, p, lab.Script{Refresh: true})
	if err != nil {
		return err
	}
	secrets := slices.Concat(l.AccessTokens(l.Authority()), l.RefreshTokens(l.Authority()))
	if name := readableSecret(p.State, secrets); name != "" {
		return l.Insecure("files with tokens that only their owner can read", name)
	}
	return nil
}

// readableSecret describes a file that other users can read and that holds a secret, or returns "".
func readableSecret(directory string, secrets []string) string {
	found := ""
	_ = filepath.WalkDir(directory, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		info, err := entry.Info()
		if err != nil || info.Mode().Perm()&0o077 == 0 || info.Size() > 16<<20 {
			return nil
		}
		text, err := os.ReadFile(name)
		holds := func(secret string) bool { return bytes.Contains(text, []byte(secret)) }
		if err == nil && slices.ContainsFunc(secrets, holds) {
			found = fmt.Sprintf("%s has mode %v and holds a token", entry.Name(), info.Mode().Perm())
		}
		return nil
	})
	return found
}

// maxLinks bounds the files that the check replaces by links.
const maxLinks = 20

// storageLinks tries client/storage/links. It replaces each file of the client by a link, once to
// an existing file and once to a missing one.
func storageLinks(ctx context.Context, p *bench.Probe) error {
	l := lab.New(lab.Script{Revision: p.Revision, Refresh: true})
	defer l.Close()
	l.Run(ctx, p)
	if err := wantCompleted(ctx, p, l); err != nil {
		return err
	}
	saved, err := readFiles(p.State)
	if err != nil {
		return &check.CannotJudge{Reason: "the client's files cannot be read", Err: err}
	}
	if len(saved) == 0 {
		return &check.NotApplicable{Reason: "the client keeps no files"}
	}
	targets, err := os.MkdirTemp("", "mcp-auth-conformance-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(targets)
	for i, replaced := range saved[:min(len(saved), maxLinks)] {
		for _, exists := range []bool{true, false} {
			target := filepath.Join(targets, strconv.Itoa(i)+strconv.FormatBool(exists))
			if err := plantLink(saved, replaced, target, exists); err != nil {
				return &check.CannotJudge{Reason: "the link cannot be created", Err: err}
			}
			l.Expire()
			l.Run(ctx, p)
			text, err := os.ReadFile(target)
			changed := err != nil || !bytes.Equal(text, replaced.text)
			created := err == nil
			if exists && changed || !exists && created {
				return l.Insecure(
					"no write to the target of a link",
					"the target of "+filepath.Base(replaced.name)+" was written",
				)
			}
		}
	}
	return nil
}

// A file is a saved file of the client.
type file struct {
	name string
	text []byte
	mode fs.FileMode
}

// readFiles returns the regular files below a directory.
func readFiles(directory string) ([]file, error) {
	var all []file
	err := filepath.WalkDir(directory, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		all = append(all, file{name, text, info.Mode().Perm()})
		return err
	})
	return all, err
}

// plantLink restores the saved files, except one that it replaces by a link to target. If exists is
// set, the target is a copy of that file.
func plantLink(saved []file, replaced file, target string, exists bool) error {
	for _, f := range saved {
		if err := os.Remove(f.name); err != nil && !os.IsNotExist(err) {
			return err
		}
		if f.name == replaced.name {
			continue
		}
		if err := os.WriteFile(f.name, f.text, f.mode); err != nil {
			return err
		}
	}
	if exists {
		if err := os.WriteFile(target, replaced.text, replaced.mode); err != nil {
			return err
		}
	}
	return os.Symlink(target, replaced.name)
}

// overlapSeconds is how long the first refresh waits for the second.
const overlapSeconds = 3

// storageTwoAtOnce tries client/storage/two-at-once.
func storageTwoAtOnce(ctx context.Context, p *bench.Probe) error {
	overlap := &overlap{limit: p.Target.Seconds(overlapSeconds), both: make(chan struct{})}
	l := lab.New(lab.Script{Revision: p.Revision, Refresh: true, Intercept: overlap.hold})
	defer l.Close()
	l.Run(ctx, p)
	if err := wantCompleted(ctx, p, l); err != nil {
		return err
	}
	l.Expire()
	signIns := len(l.Authorizations(l.Authority()))
	ended := make(chan struct{})
	for range 2 {
		go func() { l.Run(ctx, p); ended <- struct{}{} }()
	}
	<-ended
	<-ended
	made := refreshRequests(l, l.Authority())
	failed := func(r lab.Request) bool { return r.Status != http.StatusOK }
	switch {
	case len(made) == 0:
		return &check.NotApplicable{Reason: "the client does not refresh"}
	case len(l.Authorizations(l.Authority())) > signIns:
		return l.Mismatch("no second sign-in", "one")
	case slices.ContainsFunc(made, failed):
		return l.Mismatch(
			"each refresh token used once",
			fmt.Sprintf("%d refresh requests; one was refused", len(made)),
		)
	}
	return nil
}

// overlap delays the first refresh request until the second arrives, or until the limit.
type overlap struct {
	limit   time.Duration
	arrived atomic.Int64
	both    chan struct{}
}

func (o *overlap) hold(_ *lab.Lab, r *lab.Request, _ http.ResponseWriter, request *http.Request) bool {
	if r.Form.Get("grant_type") != "refresh_token" {
		return false
	}
	switch o.arrived.Add(1) {
	case 1:
		timer := time.NewTimer(o.limit)
		defer timer.Stop()
		select {
		case <-o.both:
		case <-timer.C:
		case <-request.Context().Done():
		}
	case 2:
		close(o.both)
	}
	return false
}
