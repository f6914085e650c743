package data

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data/chunks"
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

// copiesIn returns what lies in the folder of copies.
func copiesIn(t *testing.T, cache string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(copiesFolder(cache))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, filepath.Join(copiesFolder(cache), e.Name()))
	}
	return names
}

// later is a clock for which a file that is an hour old is no fresh one.
func later() time.Time { return time.Now().Add(time.Hour) }

// What a killed conversion left is removed, in a folder of any name, and what another process writes is kept.
func TestParquetLeftovers(t *testing.T) {
	file, cache := filepath.Join(t.TempDir(), "a.parquet"), filepath.Join(t.TempDir(), "a [cache] *")
	plantParquet(t, file, "parquet-f32")
	if err := os.MkdirAll(copiesFolder(cache), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, copiesFolder(cache), tempCopy+"123", []byte("half"))
	held, err := heldTemp(copiesFolder(cache))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	o := Options{Cache: cache, clock: later}
	for _, name := range []string{"parquet-f32", "parquet-f64"} {
		plantParquet(t, file, name)
		open(t, trainer.DataSpec{Source: file, EvalTokens: 4}, o)
		if names := copiesIn(t, cache); len(names) != 2 || names[0] != held.Name() {
			t.Errorf("%s: %q", name, names)
		}
	}
}

// A copy that was cut short is no fault of the data: reading it may be tried again, and it is made again.
func TestParquetCopyCut(t *testing.T) {
	file, cache := filepath.Join(t.TempDir(), "a.parquet"), t.TempDir()
	plantParquet(t, file, "parquet-f64") // it is smaller than its copy
	o, spec := Options{Cache: cache, clock: later}, trainer.DataSpec{Source: file, EvalTokens: 4}
	for _, size := range []int64{0, 60, 300, 2047} {
		s := open(t, spec, o)
		if err := os.Truncate(copiesIn(t, cache)[0], size); err != nil {
			t.Fatal(err)
		}
		err := readRows(s, 0, make([]float32, 40*6))
		if read := (*ReadError)(nil); err == nil || errors.Is(err, ErrBad) || !errors.As(err, &read) || read.File != file {
			t.Errorf("%d bytes: %v", size, err)
		}
		if got := allRows(t, open(t, spec, o)); !slices.Equal(got, formatRows()) {
			t.Errorf("%d bytes: the rows are %v", size, got)
		}
	}
}

// Progress tells of all Parquet files together, of those that have a copy too, and ends with all of them.
func TestParquetProgress(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	var size int64
	for name, of := range map[string]string{"a.parquet": "parquet-f32", "b.parquet": "parquet-f64"} {
		plantParquet(t, filepath.Join(dir, name), of)
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	for range 2 {
		var told []int64
		files := &copying{opener: localFiles{}, opts: Options{Cache: cache, clock: later,
			Progress: func(done, total int64) {
				if told = append(told, done); total != size {
					t.Errorf("%d of %d bytes", done, total)
				}
			}}.filled()}
		l, err := files.List(t.Context(), dir, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range l.names {
			f, err := files.Open(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
		if !slices.IsSorted(told) || len(told) < 2 || told[len(told)-1] != size {
			t.Errorf("told of %v bytes of %d", told, size)
		}
	}
}

// Beside its copy an object needs no place in the cache of objects: nothing of it is locked.
func TestParquetOfBucket(t *testing.T) {
	content, err := os.ReadFile("testdata/formats/parquet-f32/a.parquet")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	var last, total int64
	o := Options{Cache: t.TempDir(), Objects: &bucket{of: map[string][]byte{"p/a.parquet": content}},
		Chunks: chunks.New(folder, 1<<30), Progress: func(d, n int64) { last, total = d, n }}
	s := open(t, trainer.DataSpec{Source: "s3://acts/p", EvalTokens: 4}, o)
	if got := allRows(t, s); !slices.Equal(got, formatRows()) {
		t.Errorf("the rows are %v", got)
	}
	if last != total || total != int64(len(content)) {
		t.Errorf("told of %d bytes of %d", last, total)
	}
	removed := 0
	err = filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !chunks.RemoveUnused(path) {
			t.Errorf("%s is held", path)
		}
		removed++
		return nil
	})
	if err != nil || removed == 0 {
		t.Errorf("%d chunks, %v", removed, err)
	}
	if err := s.Verify(t.Context(), s.Generation()); err != nil {
		t.Error(err)
	}
	for _, note := range s.Info().Notes {
		if strings.Contains(note, "the cache has room") {
			t.Error(note)
		}
	}
}

// Processes that convert a file at the same time all succeed, and leave one copy.
func TestParquetProcesses(t *testing.T) {
	const variable = "SWEEP_TEST_PARQUET"
	if file := os.Getenv(variable); file != "" { // a child
		s := open(t, trainer.DataSpec{Source: file, EvalTokens: 4}, Options{Cache: filepath.Dir(file)})
		if got := allRows(t, s); !slices.Equal(got, formatRows()) {
			t.Errorf("the rows are %v", got)
		}
		return
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "a.parquet")
	plantParquet(t, file, "parquet-f32")
	fresh := time.Now() // no copy of it is trusted, so that each process makes one
	if err := os.Chtimes(file, fresh, fresh); err != nil {
		t.Fatal(err)
	}
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			c := exec.Command(os.Args[0], "-test.run=^TestParquetProcesses$", "-test.count=5")
			c.Env = append(os.Environ(), variable+"="+file)
			if out, err := c.CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if names := copiesIn(t, dir); len(names) != 1 {
		t.Errorf("there are %q", names)
	}
}
