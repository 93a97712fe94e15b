package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"mcpentra/conformance/report"
)

// github is the name of the format for GitHub Actions. It has two parts: annotations, which are
// lines of the job's log, and a summary, which is appended to the file of $GITHUB_STEP_SUMMARY.
const github = "github"

// muteCommands forbids workflow commands in the log until unmute. Otherwise a line of a server's
// answer could be one.
func muteCommands(log io.Writer) (unmute string) {
	token := rand.Text()
	fmt.Fprintf(log, "::stop-commands::%s\n", token)
	return "::" + token + "::\n"
}

// writeSummary appends the summary of a document to a file.
func writeSummary(name string, document *report.Document) error {
	room := report.MaxGitHubSummary
	info, err := os.Stat(name)
	switch {
	case err == nil:
		room -= int(min(info.Size(), int64(room)))
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	const everyoneReads = 0o644
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, everyoneReads)
	if err != nil {
		return err
	}
	return errors.Join(report.WriteGitHubSummary(file, document, room), file.Close())
}
