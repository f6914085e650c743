// Package goldentest compares what tests compute with golden files. Tests that use it
// take the flag -update, which writes the files instead:
//
//	go test ./sweep/grid ./sweep/plan ./sweep/report -update
package goldentest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// Updating says that -update is given.
func Updating() bool { return *update }

// Check fails the test if the file does not hold got. With -update it writes got to
// the file.
func Check(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: run go test with -update if the change is intended\n--- got\n%s\n--- want\n%s", path, got, want)
	}
}

// CheckTables fails the test if a document does not hold the tables, each between the
// lines <!-- name --> and <!-- /name -->. With -update it writes them to the document. A
// document without these lines always fails.
func CheckTables(t *testing.T, path string, tables map[string]string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	for name, table := range tables {
		head, tail := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
		before, rest, ok := strings.Cut(doc, head)
		_, after, ok2 := strings.Cut(rest, tail)
		if !ok || !ok2 {
			t.Fatalf("%s: no lines %q and %q for a table", path, head, tail)
		}
		doc = before + head + table + tail + after
	}
	Check(t, path, []byte(doc))
}

// Files lists the files of a glob pattern, of which there must be one at least.
func Files(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no files (%v)", pattern, err)
	}
	return paths
}

// DataInfo describes data as if it had been opened: a million rows of width 64.
func DataInfo() trainer.DataInfo {
	return trainer.DataInfo{
		Rows: 1_000_000, EvalRows: 65_536, Dim: 64, DType: "F32", Shards: 4, Bytes: 256_000_000,
		Scale: 1, MeanNorm: 8, Fingerprint: "f00d",
	}
}
