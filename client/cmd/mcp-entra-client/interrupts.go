package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
)

// interrupts makes Ctrl-C end the running command at the prompt. If no command runs, Ctrl-C ends
// the program.
type interrupts struct {
	mu      sync.Mutex
	running context.CancelFunc // nil while no command runs
}

// watch handles Ctrl-C until it has called end. After that Ctrl-C ends the program at once.
func (i *interrupts) watch(end context.CancelFunc) {
	pressed := make(chan os.Signal, 1)
	signal.Notify(pressed, os.Interrupt)
	for range pressed {
		if !i.endCommand() {
			signal.Stop(pressed)
			end()
			return
		}
	}
}

// command returns a context for one command. Ctrl-C ends the command once; if the command goes on,
// the next Ctrl-C ends the program.
func (i *interrupts) command(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.running = cancel
	return ctx, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.running = nil
		cancel()
	}
}

// endCommand ends the running command. It reports whether there was one.
func (i *interrupts) endCommand() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.running == nil {
		return false
	}
	i.running()
	i.running = nil
	return true
}
