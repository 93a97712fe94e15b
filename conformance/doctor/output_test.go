package doctor_test

import (
	"bytes"
	"strings"
	"sync"
)

// A waitingWriter keeps the output of a program, and tells when it contains a text.
type waitingWriter struct {
	text string
	seen chan struct{} // closed at the text

	mu     sync.Mutex
	output bytes.Buffer
	isSeen bool
}

// maxOutput bounds the output that is kept, in bytes.
const maxOutput = 1 << 20

func (w *waitingWriter) Write(part []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.output.Len() < maxOutput {
		w.output.Write(part)
	}
	if !w.isSeen && strings.Contains(w.output.String(), w.text) {
		w.isSeen = true
		close(w.seen)
	}
	return len(part), nil
}

func (w *waitingWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.output.String()
}
