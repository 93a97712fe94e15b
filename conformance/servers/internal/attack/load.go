package attack

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// Bears wants a request answered, by whatever but a status 5xx, or the connection closed.
func Bears(ctx context.Context, p *bench.Probe, name string, text []byte) error {
	said, err := p.Raw(ctx, text)
	switch {
	case err != nil:
		return err
	case len(said.Answers) == 0 && !said.Closed:
		return p.Mismatch("an answer, or the end of the connection: "+name, "silence")
	case len(said.Answers) > 0 && said.Answers[0].Status >= http.StatusInternalServerError &&
		said.Answers[0].Status != http.StatusServiceUnavailable:
		return p.Mismatch("a refusal or the result: "+name, Describe(said))
	}
	return nil
}

// Afterwards wants the server alive.
func Afterwards(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	return served(ctx, p, trial, "afterwards")
}

// bombSize is what a compressed body becomes, in bytes.
const bombSize = 32 << 20

const BombName = "a body of 32 KiB that becomes 32 MiB"

// Bombed is a good request behind many blanks, which compression makes short.
func Bombed(trial *bench.Trial) bench.Request {
	request := trial.Request()
	var short bytes.Buffer
	writer, err := gzip.NewWriterLevel(&short, gzip.BestSpeed)
	if err != nil {
		panic(err) // of our own level
	}
	blanks := bytes.Repeat([]byte(" "), 1<<20)
	for range bombSize / len(blanks) {
		_, _ = writer.Write(blanks) // to memory
	}
	_, _ = writer.Write(request.Body)
	_ = writer.Close()
	request.Body = short.Bytes()
	request.Header.Set("Authorization", "Bearer "+trial.Token)
	request.Header.Set("Content-Encoding", "gzip")
	return request
}

// Bomb sends one.
func Bomb(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	request := Bombed(trial)
	if err := Bears(ctx, p, BombName, p.Wire(request)); err != nil {
		return err
	}
	if trial.Ran(request) {
		return p.Insecure("a refusal: "+BombName, "a result")
	}
	answer, err := p.Send(ctx, request)
	if err == nil && answer.Succeeded() {
		return p.Insecure("a refusal: "+BombName, "a result")
	}
	return err
}

// How many tokens with bad signatures there are, and how many come at once.
const (
	badSigned   = 800
	badSignedBy = 8
)

// BadSignatures sends tokens that nobody can refuse without looking at their signature, and good
// ones meanwhile.
func BadSignatures(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	parts := strings.Split(trial.Token, ".")
	if len(parts) != 3 {
		return &check.NotApplicable{Reason: "the tokens are not signed ones"}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) == 0 {
		return &check.NotApplicable{Reason: "the tokens are not signed ones"}
	}
	requests := make(chan bench.Request)
	failures := make([]error, badSignedBy)
	var wait sync.WaitGroup
	for i := range badSignedBy {
		probe := trial.Clone()
		wait.Go(func() {
			for request := range requests {
				answer, err := probe.Send(ctx, request)
				switch {
				case failures[i] != nil:
				case err != nil:
					failures[i] = err
				case answer.Succeeded():
					failures[i] = probe.Insecure("a refusal of a bad signature", "a result")
				}
			}
		})
	}
	var spoiled error
	for i := range badSigned {
		other := make([]byte, len(signature))
		_, _ = rand.Read(other)
		request := trial.Request()
		request.Header.Set(
			"Authorization",
			"Bearer "+parts[0]+"."+parts[1]+"."+base64.RawURLEncoding.EncodeToString(other),
		)
		requests <- request
		if i%100 == 99 && spoiled == nil {
			spoiled = served(ctx, p, trial, fmt.Sprintf("after %d bad ones", i+1))
		}
	}
	close(requests)
	wait.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	if spoiled != nil {
		return spoiled
	}
	return served(ctx, p, trial, "after the flood")
}

// served wants a good token served.
func served(ctx context.Context, p *bench.Probe, trial *bench.Trial, when string) error {
	request := trial.Request()
	request.Header.Set("Authorization", "Bearer "+trial.Token)
	answer, err := p.Send(ctx, request)
	switch {
	case err != nil:
		return p.Mismatch("the result of a good request "+when, err.Error())
	case answer.Status != http.StatusOK || !answer.Succeeded():
		return p.Mismatch("the result of a good request "+when, fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}
