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

// storageChecks are checks of client/storage: where tokens lie between runs (MCP authorization,
// Token Theft).
func storageChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/storage/private",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP authorization, Token Theft",
				Sentence:  "Tokens lie in no file that others on the machine can read.",
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
				Sentence:  "Where a link stands in place of a file with tokens, nothing is written to where it leads.",
				Covers:    []string{"CL-040"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Run:       plantedLinks,
		},
		{
			Rule: check.Rule{
				ID:        "client/storage/two-at-once",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "OAuth 2.1-13 section 4.3.1",
				Sentence: "Of two runs that find a token expired at the same time one refreshes it, and nobody has " +
					"to sign in again.",
				Covers: []string{"CL-040", "CL-056"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Run:       twoAtOnce,
		},
	}
}

// storagePrivate tries client/storage/private.
func storagePrivate(ctx context.Context, p *bench.Probe) error {
	l, err := control(ctx, p, lab.Script{Refresh: true})
	if err != nil {
		return err
	}
	secrets := slices.Concat(l.AccessTokens(l.Authority()), l.RefreshTokens(l.Authority()))
	if name := readableSecret(p.State, secrets); name != "" {
		return l.Insecure("files with tokens that only their owner can read", name)
	}
	return nil
}

// readableSecret is the name of a file that others can read and that holds one of the secrets, or
// nothing.
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
		if err == nil &&
			slices.ContainsFunc(secrets, func(one string) bool { return bytes.Contains(text, []byte(one)) }) {
			found = fmt.Sprintf("%s has mode %v and a token in it", entry.Name(), info.Mode().Perm())
		}
		return nil
	})
	return found
}

// maxLinks bounds the files that a link is put in place of.
const maxLinks = 20

// plantedLinks has one file after the other that a client keeps be a link, to a file that is there
// and to one that is not yet.
func plantedLinks(ctx context.Context, p *bench.Probe) error {
	l := lab.New(lab.Script{Revision: p.Revision, Refresh: true})
	defer l.Close()
	l.Run(ctx, p)
	if err := completed(ctx, p, l); err != nil {
		return err
	}
	kept, err := files(p.State)
	if err != nil {
		return &check.CannotJudge{Reason: "what the client keeps cannot be read", Err: err}
	}
	if len(kept) == 0 {
		return &check.NotApplicable{Reason: "the client keeps no files"}
	}
	elsewhere, err := os.MkdirTemp("", "mcp-auth-conformance-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(elsewhere)
	for i, planted := range kept[:min(len(kept), maxLinks)] {
		for _, there := range []bool{true, false} {
			target := filepath.Join(elsewhere, strconv.Itoa(i)+strconv.FormatBool(there))
			if err := plant(kept, planted, target, there); err != nil {
				return &check.CannotJudge{Reason: "no link can be put there", Err: err}
			}
			l.Expire()
			l.Run(ctx, p)
			text, err := os.ReadFile(target)
			if there && (err != nil || !bytes.Equal(text, planted.text)) || !there && err == nil {
				return l.Insecure(
					"nothing written to where a link leads",
					filepath.Base(planted.name)+" was written to",
				)
			}
		}
	}
	return nil
}

type file struct {
	name string
	text []byte
	mode fs.FileMode
}

// files are those in a directory.
func files(directory string) ([]file, error) {
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

// plant puts everything back as it was but one file, in whose place there is a link.
func plant(kept []file, planted file, target string, there bool) error {
	for _, one := range kept {
		if err := os.Remove(one.name); err != nil && !os.IsNotExist(err) {
			return err
		}
		if one.name == planted.name {
			continue
		}
		if err := os.WriteFile(one.name, one.text, one.mode); err != nil {
			return err
		}
	}
	if there {
		if err := os.WriteFile(target, planted.text, planted.mode); err != nil {
			return err
		}
	}
	return os.Symlink(target, planted.name)
}

// overlap is how many seconds the first refresh of two is held up, for the second to come.
const overlap = 3

func twoAtOnce(ctx context.Context, p *bench.Probe) error {
	var came atomic.Int64
	both := make(chan struct{})
	l := lab.New(lab.Script{
		Revision: p.Revision,
		Refresh:  true,
		Intercept: func(_ *lab.Lab, r *lab.Request, _ http.ResponseWriter, request *http.Request) bool {
			if r.Form.Get("grant_type") != "refresh_token" {
				return false
			}
			switch came.Add(1) {
			case 1:
				wait := time.NewTimer(p.Target.Seconds(overlap))
				defer wait.Stop()
				select {
				case <-both:
				case <-wait.C:
				case <-request.Context().Done():
				}
			case 2:
				close(both)
			}
			return false
		},
	})
	defer l.Close()
	l.Run(ctx, p)
	if err := completed(ctx, p, l); err != nil {
		return err
	}
	l.Expire()
	asked := len(l.Authorizations(l.Authority()))
	ended := make(chan struct{})
	for range 2 {
		go func() { l.Run(ctx, p); ended <- struct{}{} }()
	}
	<-ended
	<-ended
	made := refreshes(l, l.Authority())
	switch {
	case len(made) == 0:
		return &check.NotApplicable{Reason: "the client does not refresh"}
	case len(l.Authorizations(l.Authority())) > asked:
		return l.Mismatch("no second sign-in", "one")
	case slices.ContainsFunc(made, func(r lab.Request) bool { return r.Status != http.StatusOK }):
		return l.Mismatch(
			"each refresh token used once",
			fmt.Sprintf("%d refresh requests, of which one was refused", len(made)),
		)
	}
	return nil
}
