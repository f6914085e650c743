package parquetfile

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Whatever a file holds, its rows have one width, and an error is about its content.
func FuzzRows(f *testing.F) {
	names, err := filepath.Glob("../testdata/formats/parquet-*/a.parquet")
	if err != nil || len(names) < 12 {
		f.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(0), byte(0), uint16(0), byte(0))
	}
	for _, h := range hostileFiles() {
		f.Add(h.file, uint16(0), byte(0), uint16(0), byte(0))
	}
	// Two bytes are changed beside what the fuzzer does: one of the footer, and one of a page or its header.
	f.Fuzz(func(t *testing.T, b []byte, foot uint16, of byte, page uint16, by byte) {
		b = bytes.Clone(b)
		if n := len(b); n > 16 {
			b[n-9-int(foot)%min(n-8, 1024)] ^= of
			b[4+int(page)%(n-12)] ^= by
		}
		file, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !IsFormat(err) {
				t.Fatal(err)
			}
			return
		}
		for _, c := range file.Columns {
			if !c.Vector {
				continue
			}
			width, rows := 0, 0
			err := file.Rows(c, func(raw []byte) error {
				if width == 0 {
					width = len(raw)
				}
				if len(raw) != width || width == 0 || width > maxNumbers*c.Bytes() || width%c.Bytes() != 0 {
					t.Fatalf("a row of %d bytes after such of %d", len(raw), width)
				}
				if rows++; rows == 1<<16 { // a run may state billions
					return bad("enough")
				}
				return nil
			})
			if err != nil && !IsFormat(err) {
				t.Fatal(err)
			}
		}
	})
}
