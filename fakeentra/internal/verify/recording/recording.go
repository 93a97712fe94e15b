package recording

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"mcpentra/fakeentra/internal/verify/document"
)

// Format is the name and version of the format, in the first line of a file.
const Format = "fakeentra recording 1"

// Bounds of a file.
const (
	maxLine      = 1 << 20 // bytes
	maxExchanges = 10_000
)

// A Recording is the contents of a file.
type Recording struct {
	Header
	Exchanges []Exchange
}

// A Header is the first line of a file.
type Header struct {
	Format string `json:"format"`
	// Authority is the scheme and host of the recorded authority, if it is on loopback. It is empty
	// for a host of Microsoft.
	Authority string `json:"authority,omitempty"`
	// Cloud is the cloud of the recorded authority. Empty means the public cloud.
	Cloud string `json:"cloud,omitempty"`
}

// An Exchange is a masked request with its masked answer.
type Exchange struct {
	Method        string            `json:"method"`
	URL           string            `json:"url"`
	RequestHeader map[string]string `json:"requestHeader,omitempty"`
	Form          []Field           `json:"form,omitempty"`

	Status int               `json:"status"`
	Header map[string]string `json:"header,omitempty"`
	// Body is a JSON body. It is nil for any other.
	Body *document.Value `json:"body,omitempty"`
	// Page describes an HTML body.
	Page *Page `json:"page,omitempty"`
	// Tokens are the JWTs of the body, by the name of their member.
	Tokens map[string]Token `json:"tokens,omitempty"`
}

// A Field is a parameter of a form, sorted by name in an Exchange.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Page holds the parts of an HTML page that scripts read.
type Page struct {
	ID     string          `json:"id,omitempty"`     // content of the meta element PageID
	Config *document.Value `json:"config,omitempty"` // members of the script variable $Config
}

// A Token is a JWT. Its times are seconds after the claim iat.
type Token struct {
	Header *document.Value `json:"header"`
	Claims *document.Value `json:"claims"`
}

// A Writer writes a file, one JSON object in each line. It is not safe for concurrent use.
type Writer struct{ to *json.Encoder }

// NewWriter writes the header of a file.
func NewWriter(to io.Writer, header Header) (*Writer, error) {
	header.Format = Format
	w := &Writer{json.NewEncoder(to)}
	w.to.SetEscapeHTML(false)
	return w, w.to.Encode(header)
}

// Write appends an exchange.
func (w *Writer) Write(exchange Exchange) error { return w.to.Encode(exchange) }

// Read reads a file. Its error names the line.
func Read(from io.Reader) (*Recording, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	read := &Recording{}
	for number := 1; lines.Scan(); number++ {
		if number == 1 {
			err := json.Unmarshal(lines.Bytes(), &read.Header)
			if err != nil || read.Format != Format {
				return nil, fmt.Errorf("line 1: want a file of fakeentra record, "+
					"whose first line has the format %q", Format)
			}
			continue
		}
		if len(read.Exchanges) == maxExchanges {
			return nil, fmt.Errorf("line %d: want at most %d exchanges", number, maxExchanges)
		}
		var next Exchange
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		read.Exchanges = append(read.Exchanges, next)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if read.Format == "" {
		return nil, errors.New("the file is empty; want a file of fakeentra record")
	}
	return read, nil
}
