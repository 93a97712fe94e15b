package report

import "io"

// A Format is a form of a report.
type Format struct {
	// Name is the name of the format in --report.
	Name string
	// Write writes a document in this format.
	Write func(io.Writer, *Document) error
}

// Formats returns the formats that have a document in one file.
func Formats() []Format {
	return []Format{
		{"json", WriteJSON},
		{"junit", WriteJUnit},
		{"sarif", WriteSARIF},
		{"badge", WriteBadge},
		{"html", WriteHTML},
	}
}
