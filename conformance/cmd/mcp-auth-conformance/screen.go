package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"mcpentra/conformance/check"
	"mcpentra/conformance/report"
)

// A screen shows a run: the results on its output, and at a terminal one line of progress, which
// goes away when a result comes.
type screen struct {
	out      io.Writer // clears the line of progress first
	terminal *report.Terminal

	mu       sync.Mutex // guards the fields below and the order of all writes
	results  io.Writer
	progress io.Writer // nil without a terminal
	isShown  bool      // the line of progress is on the terminal
	began    time.Time
	done     int
	all      int
	failed   int
	stop     chan struct{}
	stopped  sync.WaitGroup
}

// openScreen opens a screen. Colours is auto, always or never.
func openScreen(results, progress io.Writer, colours string) *screen {
	s := &screen{results: results, began: time.Now(), stop: make(chan struct{})}
	s.out = screenWriter(s.write)
	s.terminal = &report.Terminal{Out: s.out, Colours: colours == "always"}
	if colours == "auto" {
		s.terminal.Colours = isTerminal(results) && os.Getenv("NO_COLOR") == ""
	}
	if isTerminal(progress) {
		s.progress = progress
		s.stopped.Go(s.tick)
	}
	return s
}

// isTerminal reports whether a writer is a terminal that understands control codes.
func isTerminal(out io.Writer) bool {
	file, isFile := out.(*os.File)
	return isFile && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
}

// openPage opens a page during a run. It takes the line of progress away first, because the address
// may be printed there.
func (o *runOptions) openPage(ctx context.Context, page string) error {
	if o.screen != nil {
		o.screen.mu.Lock()
		o.screen.clear()
		o.screen.mu.Unlock()
	}
	return openPage(ctx, page)
}

// tick shows the progress every second, also while a long check runs.
func (s *screen) tick() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.mu.Lock()
			s.show()
			s.mu.Unlock()
		case <-s.stop:
			return
		}
	}
}

// add shows a result.
func (s *screen) add(result check.Result) {
	s.mu.Lock()
	if result.Verdict == check.Fail {
		s.failed++
	}
	s.mu.Unlock()
	s.terminal.Add(result)
}

// ended shows how many checks have ended.
func (s *screen) ended(done, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = done
	s.all = all
	s.show()
}

// show writes the line of progress. The caller holds the lock.
func (s *screen) show() {
	if s.progress == nil || s.all == 0 {
		return
	}
	elapsed := time.Since(s.began).Round(time.Second)
	fmt.Fprintf(s.progress, "\r\x1b[K%d of %d checks, %d failed, %v", s.done, s.all, s.failed, elapsed)
	s.isShown = true
}

// write writes results, and takes the line of progress away first.
func (s *screen) write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	return s.results.Write(text)
}

func (s *screen) clear() {
	if s.isShown {
		fmt.Fprint(s.progress, "\r\x1b[K")
		s.isShown = false
	}
}

// close takes the line of progress away for good.
func (s *screen) close() {
	close(s.stop)
	s.stopped.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.progress = nil
}

// A screenWriter is an io.Writer that calls a func.
type screenWriter func([]byte) (int, error)

func (f screenWriter) Write(text []byte) (int, error) { return f(text) }
