package attack

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// Survives wants a request answered with anything except a status 5xx, or the connection closed.
// 503 is fine too.
func Survives(ctx context.Context, p *bench.Probe, name string, text []byte) error {
	conversation, err := p.Raw(ctx, text)
	switch {
	case err != nil:
		return err
	case len(conversation.Answers) == 0 && !conversation.Closed:
		return p.Mismatch("an answer, or the end of the connection: "+name, "silence")
	case len(conversation.Answers) > 0 && IsBroken(conversation.Answers[0]):
		return p.Mismatch("a refusal or the result: "+name, Describe(conversation))
	}
	return nil
}

// IsBroken reports whether a status says that the server failed. 503 is a refusal.
func IsBroken(answer *bench.Answer) bool {
	return answer.Status >= http.StatusInternalServerError && answer.Status != http.StatusServiceUnavailable
}

// StillServes wants the server to serve a good request after an attack.
func StillServes(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	return wantServed(ctx, p, trial, "afterwards")
}

// wantServed wants a good token served.
func wantServed(ctx context.Context, p *bench.Probe, trial *bench.Trial, when string) error {
	answer, err := p.Send(ctx, WithToken(trial.Token, trial.Request()))
	switch {
	case err != nil:
		return p.Mismatch("the result of a good request "+when, err.Error())
	case answer.Status == http.StatusUnauthorized && isServedAnew(ctx, p, trial):
		return nil
	case !answer.Succeeded():
		return p.Mismatch("the result of a good request "+when, fmt.Sprintf("status %d", answer.Status))
	}
	return nil
}

// isServedAnew reports whether another good token is served. During a long attack, the token of the
// trial can expire.
func isServedAnew(ctx context.Context, p *bench.Probe, trial *bench.Trial) bool {
	anew, err := p.Clone().Trial(ctx)
	return err == nil && anew.Token != trial.Token
}

// A Body is a message body that is larger than a server should accept.
type Body struct {
	Name string
	Text string
}

// HugeBodies returns long and deeply nested bodies.
func HugeBodies() []Body {
	const (
		size  = 4<<20 + 1
		depth = 10_000
	)
	return []Body{
		{"4 MiB and one byte", strings.Repeat(" ", size)},
		{"a string of 4 MiB", `{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("a", size) + `"}`},
		{"ten thousand nested arrays", strings.Repeat("[", depth) + strings.Repeat("]", depth)},
		{"ten thousand nested objects", strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)},
		{"a batch of a million", "[" + strings.Repeat("1,", 1_000_000) + "1]"},
		{"a number of a megabyte", `{"jsonrpc":"2.0","id":` + strings.Repeat("9", 1<<20) + `,"method":"ping"}`},
	}
}

// bombSize is how long the compressed body becomes, in bytes.
const bombSize = 32 << 20

// GzipBombName names the compressed body in reports.
const GzipBombName = "a body of 32 KiB that becomes 32 MiB"

// GzipBomb returns a good request after many spaces, which compress well.
func GzipBomb(trial *bench.Trial) bench.Request {
	request := trial.Request()
	var short bytes.Buffer
	writer, err := gzip.NewWriterLevel(&short, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	blanks := bytes.Repeat([]byte(" "), 1<<20)
	for range bombSize / len(blanks) {
		_, _ = writer.Write(blanks) // to memory
	}
	_, _ = writer.Write(request.Body)
	_ = writer.Close()
	request.Body = short.Bytes()
	request.Header.Set("Content-Encoding", "gzip")
	return WithToken(trial.Token, request)
}

// SendGzipBomb wants the compressed body refused or survived.
func SendGzipBomb(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	request := GzipBomb(trial)
	if err := Survives(ctx, p, GzipBombName, p.Wire(request)); err != nil {
		return err
	}
	if trial.Ran(request) {
		return p.Insecure("a refusal: "+GzipBombName, "a result")
	}
	answer, err := p.Send(ctx, request)
	if err == nil && answer.Succeeded() {
		return p.Insecure("a refusal: "+GzipBombName, "a result")
	}
	return err
}

// How many tokens with bad signatures are sent, by how many goroutines, and how often a good token
// is tried in between.
const (
	badSignatures = 800
	floodWorkers  = 8
	goodEvery     = 100
)

// BadSignatures sends tokens that a server can refuse only by their signature, and good tokens in
// between.
func BadSignatures(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	parts := strings.Split(trial.Token, ".")
	if len(parts) != 3 {
		return &check.NotApplicable{Reason: "the tokens have no signature"}
	}
	signature, err := DecodeBase64(parts[2])
	if err != nil || len(signature) == 0 {
		return &check.NotApplicable{Reason: "the tokens have no signature"}
	}
	requests := make(chan bench.Request)
	failures := make([]error, floodWorkers)
	var workers sync.WaitGroup
	for i := range floodWorkers {
		probe := trial.Clone()
		workers.Go(func() { failures[i] = wantAllRefused(ctx, probe, requests) })
	}
	var unserved error
	for i := range badSignatures {
		_, _ = rand.Read(signature)
		token := parts[0] + "." + parts[1] + "." + Base64(string(signature))
		requests <- WithToken(token, trial.Request())
		if i%goodEvery == goodEvery-1 && unserved == nil {
			unserved = wantServed(ctx, p, trial, fmt.Sprintf("after %d bad ones", i+1))
		}
	}
	close(requests)
	workers.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	if unserved != nil {
		return unserved
	}
	return wantServed(ctx, p, trial, "after the flood")
}

// wantAllRefused sends requests until there are no more, and returns the first failure.
func wantAllRefused(ctx context.Context, p *bench.Probe, requests <-chan bench.Request) error {
	var first error
	for request := range requests {
		answer, err := p.Send(ctx, request)
		if err == nil && answer.Succeeded() {
			err = p.Insecure("a refusal of a bad signature", "a result")
		}
		if first == nil {
			first = err
		}
	}
	return first
}
