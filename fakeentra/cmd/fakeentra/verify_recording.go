package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"mcpentra/fakeentra/internal/verify"
	"mcpentra/fakeentra/internal/verify/compare"
	"mcpentra/fakeentra/internal/verify/facts"
	"mcpentra/fakeentra/internal/verify/recording"
	"mcpentra/fakeentra/internal/verify/report"
)

// compareRecording compares the answers in a recording with the answers of the fake.
func (o verifyOptions) compareRecording(
	ctx context.Context,
	requests []facts.Request,
	all []facts.Fact,
) ([]compare.Result, report.Head, error) {
	file, err := os.Open(o.recording)
	if err != nil {
		return nil, report.Head{}, fmt.Errorf("--recording: %w", err)
	}
	defer file.Close()
	read, err := recording.Read(file)
	if err != nil {
		return nil, report.Head{}, fmt.Errorf("--recording: %s: %w", o.recording, err)
	}
	authority := verify.AuthorityOf(read.Header)
	fake, pace, err := verify.NewFake(authority, verify.Settings{})
	if err != nil {
		return nil, report.Head{}, fmt.Errorf("--recording: %s: %w", o.recording, err)
	}
	ours := verify.Ask(ctx, requests, fake, 2, pace)
	answers := verify.Match(requests, ours, read.Exchanges)
	head := report.Head{Version: version(), Target: "a recording", Tier: 2}
	return verify.Judge(all, ours, answers), head, nil
}

// write writes the answers of a tenant as a recording.
func (o verifyOptions) write(authority string, requests []facts.Request, answers map[string]verify.Answer) error {
	var text strings.Builder
	writer, err := recording.NewWriter(&text, verify.HeaderOf(authority))
	if err != nil {
		return err
	}
	for _, request := range requests {
		if exchange := answers[request.Name].Exchange; exchange != nil {
			if err := writer.Write(*exchange); err != nil {
				return err
			}
		}
	}
	return writeFile(o.writeRecording, text.String(), 0o644)
}
