package data

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// plantParquet copies a Parquet file, and sets its time to an hour ago.
func plantParquet(t *testing.T, path, name string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/formats", name, "a.parquet"))
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err == nil {
		err = os.Chtimes(path, time.Now(), time.Now().Add(-time.Hour))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A Parquet file is converted once. A changed one is noticed and converted again, and the old copy goes.
func TestParquetCopies(t *testing.T) {
	file, cache := filepath.Join(t.TempDir(), "a.parquet"), t.TempDir()
	later := func() time.Time { return time.Now().Add(time.Hour) } // a change an hour ago is no fresh one
	o := Options{Cache: cache, clock: later}
	copies := func() []string {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(cache, "parquet", "*"))
		if err != nil || len(names) != 1 {
			t.Fatalf("copies: %q, %v", names, err)
		}
		return names
	}
	plantParquet(t, file, "parquet-f32")
	spec := trainer.DataSpec{Source: file, EvalTokens: 4}
	s := open(t, spec, o)
	want := "1 Parquet files are read from copies of 960 bytes in " + filepath.Join(cache, "parquet")
	if notes := strings.Join(s.Info().Notes, " "); !strings.Contains(notes, want) {
		t.Errorf("notes: %q", notes)
	}
	first := copies()[0]
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	open(t, spec, o)
	if after, err := os.Stat(first); err != nil || !os.SameFile(before, after) {
		t.Errorf("it was converted again: %v", err)
	}
	if err := s.Verify(t.Context(), s.Generation()); err != nil {
		t.Error(err)
	}

	plantParquet(t, file, "parquet-f64") // the same rows in another dtype
	if err := s.Verify(t.Context(), s.Generation()); !errors.Is(err, ErrChanged) {
		t.Errorf("a changed file: %v", err)
	}
	if copies()[0] == first {
		t.Error("the copy of the old file is still there")
	}
	if got := allRows(t, open(t, spec, o)); !slices.Equal(got, formatRows()) {
		t.Errorf("its rows are %v", got)
	}
	if _, err := Open(t.Context(), spec, Options{}); err == nil || !strings.Contains(err.Error(), "no cache folder") {
		t.Errorf("without a cache: %v", err)
	}
}

// Copies that cannot be written are no fault of the data.
func TestParquetWriteFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.parquet")
	plantParquet(t, file, "parquet-f32")
	cache := write(t, t.TempDir(), "file", nil) // no folder can be made in a file
	_, err := Open(t.Context(), trainer.DataSpec{Source: file, EvalTokens: 4}, Options{Cache: cache})
	if err == nil || errors.Is(err, ErrBad) {
		t.Errorf("%v", err)
	}
}
