package arrowfile

import (
	"bytes"
	"testing"
)

// Whatever a file holds, its rows lie within it, and an error is about its content.
func FuzzRows(f *testing.F) {
	for _, name := range []string{"arrow-file", "arrow-stream", "refused-null-row", "refused-compressed"} {
		f.Add(testFile(f, name))
	}
	f.Add(stream(2, 3, 3)) // small, so that what the fuzzer makes of it is too
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !IsFormat(err) {
				t.Fatal(err)
			}
			return
		}
		for _, c := range file.Columns[:min(8, len(file.Columns))] { // each reads all messages
			r, err := file.Rows(c)
			if err != nil {
				if !IsFormat(err) {
					t.Fatal(err)
				}
				continue
			}
			for _, seg := range r.Segments {
				if seg.Start < 0 || seg.Rows < 1 || seg.Rows > (int64(len(b))-seg.Start)/(r.Width*int64(r.Bytes)) {
					t.Fatalf("%+v of width %d in %d bytes", seg, r.Width, len(b))
				}
			}
		}
	})
}
