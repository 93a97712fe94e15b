package main_test

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// found runs `found NAME FILE PATTERN`: it sets a variable to the first group of the pattern in a
// file that has it already.
func found(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: found NAME FILE PATTERN")
	}
	match := regexp.MustCompile(args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if match == nil {
		ts.Fatalf("%s has no line that matches %q", args[1], args[2])
	}
	ts.Setenv(args[0], match[len(match)-1])
}

// administer runs `administer STATUS SECRET-FILE METHOD URL`: it sends a request to the admin API
// and expects the status. The answer is in stdout.txt.
func administer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: administer STATUS SECRET-FILE METHOD URL")
	}
	request, err := http.NewRequest(args[2], args[3], nil)
	ts.Check(err)
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[1])))
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	started := time.Now()
	answer, err := client.Do(request)
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("stdout.txt"), text, 0o600))
	ts.Logf("%s after %s\n%s", answer.Status, time.Since(started).Round(time.Millisecond), text)
	if strconv.Itoa(answer.StatusCode) != args[0] {
		ts.Fatalf("want status %s, got %s", args[0], answer.Status)
	}
}
