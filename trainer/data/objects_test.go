package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data/chunks"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// Objects give the rows, batches and held-out rows of files with the same content.
func TestObjects(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"a/x.npy", "a/y.npy", "a-b/z.npy", "s.npy"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, npyOf(t, i, 400+i, 4))
	}
	for _, c := range []struct{ source, shuffle, evalSource, maxNorm string }{
		{"", "", "", ""}, {"", "blocks", "", ""}, {"a", "", "s.npy", ""}, {"**/*.npy", "blocks", "a-b", "500"},
		{"*/[xz].npy", "full", "", ""},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			spec := func(base string) trainer.DataSpec {
				s := trainer.DataSpec{Source: base + "/" + c.source, Normalize: "mean_square", EvalTokens: 37,
					Shuffle: c.shuffle, MaxNorm: c.maxNorm}
				if c.evalSource != "" {
					s.EvalSource = base + "/" + c.evalSource
				}
				return s
			}
			want := open(t, spec(dir), Options{})
			b := bucketOf(t, dir)
			cache := t.TempDir()
			for range 2 {
				got := open(t, spec("s3://acts"), Options{Objects: b, Chunks: chunks.New(cache, 1<<20)})
				same(t, want, got)
				w, g := want.Info(), got.Info()
				if w.Rows != g.Rows || w.EvalRows != g.EvalRows || w.Scale != g.Scale || w.LeftOut != g.LeftOut ||
					!strings.HasPrefix(g.Fingerprint, "objects-") {
					t.Errorf("described as %+v, want %+v", g, w)
				}
				if err := got.Verify(t.Context(), got.Generation()); err != nil {
					t.Error(err)
				}
				if err := got.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// same fails unless two sets give the same batches and held-out rows.
func same(t *testing.T, want, got *Set) {
	t.Helper()
	x, y := make([]float32, 64*4), make([]float32, 64*4)
	for step := range int64(60) { // several epochs
		if err := errors.Join(want.Batch(7, step, x), got.Batch(7, step, y)); err != nil || !slices.Equal(x, y) {
			t.Fatalf("step %d differs, %v", step, err)
		}
	}
	x, y = x[:37*4], y[:37*4]
	if err := errors.Join(want.Eval(0, x), got.Eval(0, y)); err != nil || !slices.Equal(x, y) {
		t.Fatalf("held-out rows differ, %v", err)
	}
}

// An object that is replaced or missing is noticed: by Verify, and by a read of what was not read before.
func TestObjectReplaced(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x.npy", npyOf(t, 0, 400, 4))
	write(t, dir, "y.npy", npyOf(t, 1, 400, 4))
	spec := trainer.DataSpec{Source: "s3://acts", EvalTokens: 40}
	for name, change := range map[string]func(b *bucket){
		"other rows":  func(b *bucket) { b.of["y.npy"] = npyOf(t, 5, 400, 4) },
		"fewer rows":  func(b *bucket) { b.of["y.npy"] = npyOf(t, 1, 300, 4) },
		"no shard":    func(b *bucket) { b.of["y.npy"] = []byte("abc") },
		"another way": func(b *bucket) { b.of["x.npy"], b.of["y.npy"] = b.of["y.npy"], b.of["x.npy"] },
	} {
		t.Run(name, func(t *testing.T) {
			b := bucketOf(t, dir)
			s := open(t, spec, Options{Objects: b})
			change(b)
			if err := s.Verify(t.Context(), s.Generation()); !errors.Is(err, ErrChanged) ||
				!strings.Contains(err.Error(), "s3://acts/") {
				t.Errorf("verified: %v", err)
			}
			failed := error(nil)
			for step := int64(0); step < 20 && failed == nil; step++ {
				failed = s.Batch(1, step, make([]float32, 64*4))
			}
			if !errors.Is(failed, ErrChanged) {
				t.Errorf("read: %v", failed)
			}
		})
	}
	b := bucketOf(t, dir)
	s := open(t, spec, Options{Objects: b})
	delete(b.of, "y.npy")
	err := s.Verify(t.Context(), s.Generation())
	if failed := (*ReadError)(nil); !errors.As(err, &failed) || errors.Is(err, ErrBad) {
		t.Errorf("a missing object: %v", err)
	}
	b.of["y.npy"] = npyOf(t, 1, 400, 4)
	if err := s.Verify(t.Context(), s.Generation()); err != nil {
		t.Errorf("it is there again: %v", err)
	}
}

// Looking at thousands of objects again takes a list, and no request for each.
func TestVerifyLists(t *testing.T) {
	b := &bucket{of: map[string][]byte{}}
	for i := range 100 {
		b.of[fmt.Sprintf("p/%03d.npy", i)] = npyOf(t, i, 20, 4)
	}
	s := open(t, trainer.DataSpec{Source: "s3://acts/p", EvalTokens: 40}, Options{Objects: b,
		Chunks: chunks.New(t.TempDir(), 1<<20)})
	lists, read := b.lists, b.bytes
	if err := s.Verify(t.Context(), s.Generation()); err != nil || b.lists != lists+1 || b.bytes != read {
		t.Errorf("%d lists, %d bytes, %v", b.lists-lists, b.bytes-read, err)
	}
}

func TestObjectErrors(t *testing.T) {
	b := &bucket{of: map[string][]byte{"p/a.npy": npyOf(t, 0, 40, 4), "p/b.npy": npyOf(t, 0, 40, 4),
		"q/a.txt": []byte("x"), "r/a.npy": []byte("\x93NUMPYx"), "q/deep/b.pt": []byte("x")}}
	for source, want := range map[string]string{
		"s3://acts/p":         "holds the same rows",
		"s3://acts/none":      "not exist",
		"s3://acts/p/*.pt":    "matches no",
		"s3://acts/q":         "b.pt",
		"s3://acts/r":         "a.npy",
		"s3://acts/p/a.npy/":  "is a file",
		"s3://acts/p//a.npy":  "//",
		"s3://":               "bucket",
		"s3://ac*/p":          "bucket",
		"s3://nowhere/p":      "there is no bucket nowhere",
		"s3://secret/p":       "permission",
		"gs://acts/p":         "from gs",
		"s3://acts/q/a.txt":   "is no .safetensors",
		"s3://acts/p/[a.npy]": "matches no",
	} {
		_, err := Open(t.Context(), trainer.DataSpec{Source: source, EvalTokens: 4}, Options{Objects: b})
		if !errors.Is(err, ErrBad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", source, err, want)
		}
	}
	_, err := Open(t.Context(), trainer.DataSpec{Source: "s3://broken/p"}, Options{Objects: b})
	if err == nil || errors.Is(err, ErrBad) {
		t.Errorf("a network that fails: %v", err)
	}
	if _, err = Open(t.Context(), trainer.DataSpec{Source: "s3://acts/p"}, Options{}); !errors.Is(err, ErrBad) {
		t.Errorf("no connection: %v", err)
	}
}

// Names of the activations are read beside objects too.
func TestObjectNames(t *testing.T) {
	b := &bucket{of: map[string][]byte{"p/a.npy": npyOf(t, 0, 40, 4),
		"p/harvest.json": []byte(`{"names": {"lm_name": "gpt2", "layer": 6}}`)}}
	s := open(t, trainer.DataSpec{Source: "s3://acts/p", EvalTokens: 4}, Options{Objects: b})
	names, notes := s.Names(trainer.Names{})
	if names.LMName != "gpt2" || names.Layer == nil || *names.Layer != 6 || len(notes) > 0 {
		t.Errorf("%+v, %q", names, notes)
	}
}

// An object of several tensors has one tag, and so the tensor is part of what its data are.
func TestObjectTensor(t *testing.T) {
	two := []safetensors.Tensor{
		{Name: "attn", DType: "F32", Shape: []int64{50, 4}}, {Name: "mlp", DType: "F32", Shape: []int64{50, 4}},
	}
	for i := range two {
		two[i].Begin, two[i].End = int64(i)*800, int64(i+1)*800
	}
	b := &bucket{of: map[string][]byte{"p/a.safetensors": tensorFileOf(t, two, numbered(1, 100, 4))}}
	seen := map[string]bool{}
	for _, tensor := range []string{"attn", "mlp"} {
		s := open(t, trainer.DataSpec{Source: "s3://acts/p", EvalTokens: 5, Tensor: tensor}, Options{Objects: b})
		seen[s.Info().Fingerprint] = true
	}
	if len(seen) != 2 {
		t.Error("two tensors have one fingerprint")
	}
}

// Held-out rows of objects are written like those of files.
func TestObjectsHeldOut(t *testing.T) {
	b := &bucket{of: map[string][]byte{"p/a.npy": npyOf(t, 0, 400, 4)}}
	dir := t.TempDir()
	write(t, dir, "a.npy", b.of["p/a.npy"])
	var files [2][]byte
	for i, source := range []string{dir, "s3://acts/p"} {
		out := filepath.Join(t.TempDir(), "rows.npy")
		n, err := WriteHeldOut(t.Context(), trainer.DataSpec{Source: source, EvalTokens: 30}, Options{Objects: b}, out)
		if err != nil || n != 30 {
			t.Fatal(source, n, err)
		}
		if files[i], err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(files[0], files[1]) {
		t.Error("the rows differ")
	}
}

// A bucket that may not be read for a while proves nothing about the rows.
func TestObjectsForbidden(t *testing.T) {
	b := &bucket{of: map[string][]byte{"p/a.npy": npyOf(t, 0, 400, 4)}}
	s := open(t, trainer.DataSpec{Source: "s3://acts/p", EvalTokens: 30}, Options{Objects: b})
	b.forbidden = true
	if err := s.Verify(t.Context(), s.Generation()); err == nil || errors.Is(err, ErrBad) {
		t.Errorf("verified: %v", err)
	}
	b.forbidden = false
	if err := s.Verify(t.Context(), s.Generation()); err != nil {
		t.Errorf("it may be read again: %v", err)
	}
}

// A note says that the cache is too small for the objects. Parts of them are kept as wholes: of few data, all are
// needed with either order.
func TestNoteRoom(t *testing.T) {
	b := &bucket{of: map[string][]byte{"p/a.npy": npyOf(t, 0, 4000, 64)}}
	for _, c := range []struct {
		shuffle string
		limit   int64
		want    bool
	}{{"full", 1 << 20, false}, {"full", 1000_000, true}, {"blocks", 1 << 20, false}, {"blocks", 1000_000, true}} {
		s := open(t, trainer.DataSpec{Source: "s3://acts/p", Shuffle: c.shuffle}, Options{Objects: b,
			Chunks: chunks.New(t.TempDir(), c.limit)})
		if got := strings.Contains(strings.Join(s.Info().Notes, " "), "--cache-size"); got != c.want {
			t.Errorf("%+v: notes %q", c, s.Info().Notes)
		}
	}
}

// With shuffle: blocks what is near is bounded, and so are the bytes that are read.
func TestStreamOfObjects(t *testing.T) {
	const rows, dim = 60_000, 64 // 15 MiB
	b := &bucket{of: map[string][]byte{}}
	for i := range 4 {
		b.of[fmt.Sprintf("%d.npy", i)] = npyOf(t, i, rows/4, dim)
	}
	dir := t.TempDir()
	s := open(t, trainer.DataSpec{Source: "s3://acts", Shuffle: "blocks", EvalTokens: 600},
		Options{Objects: b, Chunks: chunks.New(dir, 13<<20)})
	x := make([]float32, 500*dim)
	for step := range int64(119) {
		if err := s.Batch(1, step, x); err != nil {
			t.Fatal(err)
		}
		if step%10 == 0 && sizeOf(t, dir) > 14<<20 {
			t.Fatalf("%d bytes are stored", sizeOf(t, dir))
		}
	}
}

func sizeOf(t *testing.T, dir string) (n int64) {
	t.Helper()
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

// A folder of the library datasets is one however its path is written, and in a bucket too.
func TestDatasetPaths(t *testing.T) {
	t.Chdir("testdata")
	b := bucketOf(t, "formats")
	here, err := filepath.Abs("formats/datasets-fixed")
	if err != nil {
		t.Fatal(err)
	}
	want := open(t, trainer.DataSpec{Source: here, EvalTokens: 1}, Options{})
	for _, source := range []string{
		"./formats/datasets-fixed", "formats/datasets-fixed/", "formats//datasets-fixed", "formats/../formats/datasets-fixed",
		"s3://acts/datasets-fixed", "s3://acts/datasets-fixed/*.arrow",
	} {
		s, err := Open(t.Context(), trainer.DataSpec{Source: source, EvalTokens: 1}, Options{Objects: b})
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		x, y := make([]float32, want.Dim()), make([]float32, want.Dim())
		if err := errors.Join(want.Batch(1, 3, x), s.Batch(1, 3, y)); err != nil || !slices.Equal(x, y) {
			t.Errorf("%s: %v", source, err)
		}
		s.Close()
	}
}

// A shard that was made from a Parquet file beside it takes its place.
func TestOriginalsBesideShards(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.npy", npyOf(t, 0, 40, 4))
	write(t, dir, "a.parquet", []byte("PAR1"))
	s := open(t, trainer.DataSpec{Source: dir, EvalTokens: 4}, Options{})
	if i := s.Info(); i.Shards != 1 || i.Rows != 40 || !strings.Contains(strings.Join(i.Notes, " "), "beside a .npy") {
		t.Errorf("%+v", i)
	}
}

// Opening tells how much of the objects it has read.
func TestObjectProgress(t *testing.T) {
	b := &bucket{of: map[string][]byte{"p/a.npy": npyOf(t, 0, 4000, 8)}}
	var last, total int64
	o := Options{Objects: b, Chunks: chunks.New(t.TempDir(), 1<<20), Progress: func(d, n int64) { last, total = d, n }}
	s, err := Open(t.Context(), trainer.DataSpec{Source: "s3://acts/p", EvalTokens: 30}, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if last == 0 || last > total || total != int64(len(b.of["p/a.npy"])) {
		t.Errorf("%d of %d bytes", last, total)
	}
}
