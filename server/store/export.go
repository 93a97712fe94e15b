package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// An export is a text of JSON lines: a head, one line for each record, and an end. The end has the
// number of records and the SHA-256 of all lines before it, so that a cut file is noticed. Values
// stay as they are: a broker's values are encrypted.
const (
	exportFormat  = "mcpentra store"
	exportVersion = 1
)

// maxExportLine bounds a line of an export: the largest value in base64, and the rest.
const maxExportLine = 4*MaxValue/3 + 16<<10

type exportHead struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

type exportedRecord struct {
	Kind    string `json:"kind"`
	Key     string `json:"key"`
	Source  string `json:"source,omitempty"`
	Group   string `json:"group,omitempty"`
	Expires int64  `json:"expires"` // seconds since 1970
	Value   []byte `json:"value"`
}

type exportEnd struct {
	Records *int   `json:"records"`
	SHA256  string `json:"sha256"`
}

// Export writes all records of a store, and returns how many. Progress, if it is not nil, gets the
// number so far. No other process should write to the store meanwhile.
func Export(ctx context.Context, from Store, to io.Writer, progress func(records int)) (int, error) {
	sum := sha256.New()
	buffered := bufio.NewWriter(to)
	lines := json.NewEncoder(io.MultiWriter(buffered, sum))
	lines.SetEscapeHTML(false)
	if err := lines.Encode(exportHead{Format: exportFormat, Version: exportVersion}); err != nil {
		return 0, fmt.Errorf("store: write the export: %w", err)
	}
	records := 0
	err := Walk(ctx, from, func(record Record) error {
		records++
		if progress != nil {
			progress(records)
		}
		err := lines.Encode(exportedRecord{
			Kind:    record.Kind,
			Key:     record.Key,
			Source:  record.Source,
			Group:   record.Group,
			Expires: record.Expires.Unix(),
			Value:   record.Value,
		})
		if err != nil {
			return fmt.Errorf("store: write the export: %w", err)
		}
		return nil
	})
	if err != nil {
		return records, err
	}
	end := exportEnd{Records: &records, SHA256: hex.EncodeToString(sum.Sum(nil))}
	if err := errors.Join(lines.Encode(end), buffered.Flush()); err != nil {
		return records, fmt.Errorf("store: write the export: %w", err)
	}
	return records, nil
}

// ReadExport calls visit for each record of an export, and returns how many there are. At the end
// it checks that the export is whole. So read an export once before you use its records.
func ReadExport(from io.Reader, visit func(Record) error) (int, error) {
	reader := &exportReader{lines: bufio.NewScanner(from), sum: sha256.New()}
	reader.lines.Buffer(make([]byte, 64<<10), maxExportLine)
	var head exportHead
	text, err := reader.next()
	isExport := err == nil && json.Unmarshal(text, &head) == nil && head.Format == exportFormat
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return 0, err
	case !isExport:
		return 0, errors.New("store: the file is not an export of a store: want the output of store export")
	case head.Version != exportVersion:
		return 0, fmt.Errorf("store: the export has version %d, and this program knows %d: use the program that "+
			"wrote it", head.Version, exportVersion)
	}
	return reader.records(visit)
}

type exportReader struct {
	lines *bufio.Scanner
	sum   hash.Hash // of the lines before the present one
	line  []byte
	count int
}

// next returns the next line.
func (r *exportReader) next() ([]byte, error) {
	if r.line != nil {
		r.sum.Write(append(r.line, '\n'))
	}
	if !r.lines.Scan() {
		if err := r.lines.Err(); err != nil {
			return nil, fmt.Errorf("store: read the export: %w", err)
		}
		return nil, io.EOF
	}
	r.line = append(r.line[:0], r.lines.Bytes()...)
	return r.line, nil
}

func (r *exportReader) records(visit func(Record) error) (int, error) {
	for {
		text, err := r.next()
		if errors.Is(err, io.EOF) {
			return r.count, errors.New("store: the export is cut: its end is missing; export again")
		} else if err != nil {
			return r.count, err
		}
		var line struct {
			exportedRecord
			exportEnd
		}
		switch err := json.Unmarshal(text, &line); {
		case err != nil:
			return r.count, fmt.Errorf("store: line %d of the export cannot be read: export again", r.count+2)
		case line.Records != nil:
			return r.count, r.checkEnd(line.exportEnd)
		}
		r.count++
		err = visit(Record{
			Kind:    line.Kind,
			Key:     line.Key,
			Source:  line.Source,
			Group:   line.Group,
			Expires: time.Unix(line.Expires, 0),
			Value:   line.Value,
		})
		if err != nil {
			return r.count, err
		}
	}
}

func (r *exportReader) checkEnd(end exportEnd) error {
	if *end.Records != r.count || end.SHA256 != hex.EncodeToString(r.sum.Sum(nil)) {
		return fmt.Errorf("store: the export is damaged: it has %d of %d records, or some were changed; export again",
			r.count, *end.Records)
	}
	if _, err := r.next(); !errors.Is(err, io.EOF) {
		return errors.New("store: the export has lines after its end: export again")
	}
	return nil
}

// An ImportConfig configures Import.
type ImportConfig struct {
	// From is the export. Import reads it twice.
	From io.ReadSeeker
	// Admit checks each record before any is written, and may change it. Nil admits all.
	Admit func(*Record) error
	// Add admits a store that has records. They win over records of the export.
	Add bool
	// Progress, if it is not nil, gets the number of records so far.
	Progress func(records int)
}

// ErrNotEmpty says that a store has records already.
var ErrNotEmpty = errors.New("store: the store has records already")

// An Imported counts what Import did with the records of an export.
type Imported struct {
	Written int
	Present int // the store had them already
	Expired int
}

// Import writes the records of an export to a store. It writes nothing if the export is damaged or
// a record is not admitted.
func Import(ctx context.Context, to Store, config ImportConfig) (Imported, error) {
	var done Imported
	admit := func(record *Record) error {
		if err := record.Check(); err != nil {
			return err
		}
		if config.Admit == nil {
			return nil
		}
		return config.Admit(record)
	}
	check := func(record Record) error { return errors.Join(ctx.Err(), admit(&record)) }
	if _, err := ReadExport(config.From, check); err != nil {
		return done, err
	}
	if err := checkEmpty(ctx, to); err != nil && !config.Add {
		return done, err
	}
	if _, err := config.From.Seek(0, io.SeekStart); err != nil {
		return done, fmt.Errorf("store: read the export again: %w", err)
	}
	seen := 0
	written := map[string]int{}
	_, err := ReadExport(config.From, func(record Record) error {
		seen++
		if config.Progress != nil {
			config.Progress(seen)
		}
		if !time.Now().Before(record.Expires) {
			done.Expired++
			return nil
		}
		if err := admit(&record); err != nil {
			return err
		}
		_, err := to.Put(ctx, record)
		switch {
		case errors.Is(err, ErrConflict):
			done.Present++
			return nil
		case err == nil:
			done.Written++
			written[record.Kind]++
		}
		return err
	})
	if err != nil {
		return done, err
	}
	return done, checkKept(ctx, to, written)
}

// checkKept checks that a store has not forgotten records because a kind was full.
func checkKept(ctx context.Context, s Store, written map[string]int) error {
	kept := map[string]int{}
	err := Walk(ctx, s, func(record Record) error {
		kept[record.Kind]++
		return nil
	})
	if err != nil {
		return err
	}
	for kind, records := range written {
		if kept[kind] < records {
			return fmt.Errorf("store: %d records of kind %q were written, and the store kept %d: it holds no more; "+
				"raise its bound", records, kind, kept[kind])
		}
	}
	return nil
}

func checkEmpty(ctx context.Context, s Store) error {
	kinds, err := s.Kinds(ctx)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		page, err := s.List(ctx, Query{Kind: kind, Limit: 1})
		if err != nil {
			return err
		}
		if len(page) > 0 {
			return fmt.Errorf("%w, of kind %q among others", ErrNotEmpty, kind)
		}
	}
	return nil
}
