package data

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// formatRows returns the rows of testdata/formats.
func formatRows() []float32 {
	x := make([]float32, 40*6)
	for i := range x {
		x[i] = float32((7*(i/6)+3*(i%6))%16 - 8)
	}
	return x
}

// Every format gives the rows that the real packages wrote.
func TestFormats(t *testing.T) {
	const dir = "testdata/formats"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || strings.HasPrefix(name, "refused-") || name == "datasets-dict" ||
			strings.HasPrefix(name, "parquet-null") || name == "parquet-ragged" {
			continue
		}
		read++
		t.Run(name, func(t *testing.T) {
			spec := trainer.DataSpec{Source: filepath.Join(dir, name), EvalTokens: 4}
			kind, of, _ := strings.Cut(name, "-")
			if kind == "raw" {
				spec.Raw = &trainer.Raw{DType: of, Width: 6}
			}
			s := open(t, spec, Options{Cache: t.TempDir()})
			if got := allRows(t, s); !slices.Equal(got, formatRows()) {
				t.Errorf("its rows are %v", got)
			}
			want := map[string]string{"f16": "F16", "float16": "F16", "ragged": "F16", "bf16": "BF16", "f64": "F64",
				"float64": "F64"}[of]
			if want == "" {
				want = "F32"
			}
			if got := s.Info().DType; got != want {
				t.Errorf("its dtype is %s, want %s", got, want)
			}
			if err := s.Verify(t.Context(), s.Generation()); err != nil {
				t.Error(err)
			}
		})
	}
	if read < 18 {
		t.Errorf("only %d formats", read)
	}
}

// The same rows are the same data in whichever files.
func TestFormatsShareAFingerprint(t *testing.T) {
	for _, names := range [][]string{
		{"npy-f32", "safetensors-f32", "datasets-float32", "datasets-rows", "datasets-fixed", "arrow-file", "arrow-stream",
			"parquet-f32", "parquet-nested", "parquet-plain"},
		{"npy-f16", "safetensors-f16", "datasets-float16", "datasets-ragged", "parquet-f16"},
		{"npy-f64", "safetensors-f64", "datasets-float64", "parquet-f64"},
	} {
		prints := map[string]bool{}
		for _, name := range names {
			spec := trainer.DataSpec{Source: filepath.Join("testdata/formats", name), EvalTokens: 4}
			prints[open(t, spec, Options{Cache: t.TempDir()}).Info().Fingerprint] = true
		}
		if len(prints) != 1 {
			t.Errorf("%v: %d fingerprints", names, len(prints))
		}
	}
}

// Arrow files that cannot be mapped are refused with what is wrong.
func TestFormatsRefused(t *testing.T) {
	for name, want := range map[string]string{
		"refused-compressed":  "column acts: its buffers are compressed",
		"refused-null-row":    "column acts: 1 of its values are null",
		"refused-null-number": "column acts: 1 of its numbers are null",
		"refused-ragged":      "column acts: it holds vectors of 6 and of 5 numbers",
		"refused-integers":    "no column holds floating-point numbers in two or more dimensions; it holds acts list<int",
		"parquet-null":        "column acts: a value is null",
		"parquet-nulls":       "column acts: a value is null",
		"parquet-ragged":      "column acts: it holds vectors of 6 and of 5 numbers",
		"refused-no-rows":     "holds no rows: remove the file",
		"refused-two":         "several columns could be the rows",
		"datasets-dict":       "is a DatasetDict of the splits train, test: give one of them as source",
	} {
		spec := trainer.DataSpec{Source: filepath.Join("testdata/formats", name)}
		_, err := Open(t.Context(), spec, Options{Cache: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.HasPrefix(want, "column") && !strings.Contains(err.Error(), "in Python:\n") {
			t.Errorf("%s: %v\n\tdoes not say how to convert it", name, err)
		}
	}
	spec := trainer.DataSpec{Source: "testdata/formats/datasets-dict/train"}
	if got := allRows(t, open(t, spec, Options{})); !slices.Equal(got, formatRows()) {
		t.Errorf("a split holds %v", got)
	}
}

// Of a folder of the library datasets, state.json says which files are data.
func TestDatasetState(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/formats/datasets-float32")); err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(dir, "data-00000-of-00002.arrow")
	b, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "cache-0123.arrow", b)
	s := open(t, trainer.DataSpec{Source: dir, EvalTokens: 4}, Options{})
	if got := allRows(t, s); !slices.Equal(got, formatRows()) || len(s.Info().Notes) == 0 ||
		!strings.Contains(strings.Join(s.Info().Notes, " "), "that no state.json names") {
		t.Errorf("%v, %q", got, s.Info().Notes)
	}
	if rows := open(t, trainer.DataSpec{Source: first, EvalTokens: 4}, Options{}).Info().Rows; rows != 24 {
		t.Errorf("one file holds %d rows", rows)
	}
	write(t, dir, filepath.Base(first), b[:len(b)-8]) // all of its record batches, without the mark of the end
	_, err = Open(t.Context(), trainer.DataSpec{Source: dir}, Options{})
	if err == nil || !strings.Contains(err.Error(), "no mark says that the stream ends") || !errors.Is(err, ErrBad) {
		t.Error(err)
	}
	if err := os.Remove(first); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), trainer.DataSpec{Source: dir}, Options{})
	if err == nil || !strings.Contains(err.Error(), "names data-00000-of-00002.arrow, which is not there") {
		t.Error(err)
	}
	write(t, dir, "state.json", []byte(`{"_data_files": [{"filename": "data-00001-of-00002.arrow"}],
		"_indices_data_files": [{"filename": "indices.arrow"}]}`))
	_, err = Open(t.Context(), trainer.DataSpec{Source: dir}, Options{})
	if err == nil || !strings.Contains(err.Error(), "flatten_indices()") {
		t.Error(err)
	}
}

// Damaged Arrow files are bad data, whatever is wrong with them.
func FuzzArrow(f *testing.F) {
	for _, name := range []string{"arrow-file", "arrow-stream", "refused-null-row", "refused-compressed"} {
		b, err := os.ReadFile(filepath.Join("testdata/formats", name, "a.arrow"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := memory{"a.arrow": b}
		file, err := openChecked(t.Context(), m, "a.arrow")
		if err != nil {
			t.Fatal(err)
		}
		sh := shard{name: "a.arrow", file: file}
		if sh.layout, err = (form{}).readLayout(sh.name, file); err != nil {
			if !errors.Is(err, ErrBad) {
				t.Fatalf("%v is not called bad data", err)
			}
			return
		}
		if sh.rows < 1 || sh.dim < 1 || sh.bytes() > int64(len(b)) {
			t.Fatalf("%d rows of %d in %d bytes", sh.rows, sh.dim, len(b))
		}
		all := make([]byte, sh.bytes())
		if n, err := sh.ReadAt(all, 0); n < len(all) {
			t.Fatalf("%d bytes of %d: %v", n, len(all), err)
		}
	})
}
