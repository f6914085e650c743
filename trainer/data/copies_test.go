package data

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// npyOf returns a .npy file with the rows of numbered.
func npyOf(t testing.TB, first, rows, dim int) []byte {
	t.Helper()
	b := tensorFile(t, dim, numbered(first, rows, dim))
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, dim)
	return npyFile(header, b[len(b)-4*rows*dim:])
}

func TestCopies(t *testing.T) {
	tensor := func(first, rows, dim int) []byte { return tensorFile(t, dim, numbered(first, rows, dim)) }
	one, npy := tensor(0, 100, 4), npyOf(t, 0, 100, 4)
	other := npyOf(t, 7, 99, 4)
	row, more := npyOf(t, 0, 1, 1), npyOf(t, 1, 90, 1)
	almost := tensor(0, 100, 4)
	almost[len(almost)-4*4*50] ^= 1 // a row that the sample does not hold
	for name, tt := range map[string]struct {
		files memory
		want  []string // parts of the error; nil for none
		lines int
	}{
		"two": {memory{"a.safetensors": one, "b.safetensors": one},
			[]string{"shard a.safetensors: b.safetensors holds the same rows"}, 1},
		"npy":   {memory{"a.npy": npy, "b.safetensors": one}, []string{"shard a.npy: b.safetensors holds"}, 1},
		"three": {memory{"a.npy": npy, "b.npy": npy, "c.npy": npy}, []string{"b.npy, c.npy"}, 1},
		"two pairs": {memory{"a.safetensors": one, "b.safetensors": one, "c.npy": other, "d.npy": other},
			[]string{"shard a", "shard c.npy: d.npy"}, 2},
		"one row":    {memory{"a.npy": row, "b.npy": row, "c.npy": more}, []string{"shard a.npy: b.npy"}, 1},
		"other rows": {memory{"a.safetensors": one, "b.safetensors": tensor(1, 100, 4)}, nil, 0},
		"almost":     {memory{"a.safetensors": one, "b.safetensors": almost}, nil, 0},
		"fewer rows": {memory{"a.safetensors": one, "b.safetensors": tensor(0, 99, 4)}, nil, 0},
		"almost, two": {memory{"a.safetensors": one, "b.safetensors": almost, "c.safetensors": almost},
			[]string{"shard b.safetensors: c.safetensors"}, 1},
	} {
		_, err := openFrom(t.Context(), tt.files, trainer.DataSpec{Source: "memory"}, Options{})
		if tt.want == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, ErrBad) || len(strings.Split(err.Error(), "\n")) != tt.lines {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range append(tt.want, "remove all but one") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\n\tdoes not say %q", name, err, want)
			}
		}
	}
}

// One file under two names is taken twice, whatever leads to it.
func TestTakenTwice(t *testing.T) {
	rows := tensorFile(t, 4, numbered(0, 100, 4))
	for name, second := range map[string]func(dir string) error{
		"hard link": func(dir string) error {
			return os.Link(filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "b.safetensors"))
		},
		"link": func(dir string) error { return os.Symlink("a.safetensors", filepath.Join(dir, "b.safetensors")) },
		"folder": func(dir string) error {
			if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
				return err
			}
			write(t, dir, "run/b.safetensors", tensorFile(t, 4, numbered(100, 100, 4)))
			return os.Symlink("run", filepath.Join(dir, "latest"))
		},
	} {
		dir := t.TempDir()
		write(t, dir, "a.safetensors", rows)
		if err := second(dir); err != nil {
			t.Skip(err)
		}
		_, err := Open(t.Context(), trainer.DataSpec{Source: dir}, Options{})
		if !errors.Is(err, ErrBad) || !strings.Contains(err.Error(), "is taken twice") ||
			!strings.Contains(err.Error(), "b.safetensors is the same file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// countingOpener counts the bytes that are read from its files.
type countingOpener struct {
	opener
	bytes *atomic.Int64
}

type countingFile struct {
	shardFile
	bytes *atomic.Int64
}

func (o countingOpener) Open(ctx context.Context, name string) (shardFile, error) {
	f, err := o.opener.Open(ctx, name)
	return countingFile{f, o.bytes}, err
}

func (f countingFile) ReadAt(p []byte, off int64) (int, error) {
	f.bytes.Add(int64(len(p)))
	return f.shardFile.ReadAt(p, off)
}

// The search reads each shard at most once whole, and most only in part.
func TestCopiesReadLittle(t *testing.T) {
	const n, rows, dim = 2000, 200, 2
	content := int64(n * rows * dim * 4)
	for name, c := range map[string]struct {
		value  func(shard int) float32
		most   int64
		copies bool
	}{
		"constant, all different": {func(i int) float32 { return float32(i + 1) }, content / 5, false},
		"constant, all equal":     {func(int) float32 { return 1 }, 2 * content, true},
		"pairs":                   {func(i int) float32 { return float32(i/2 + 1) }, 2 * content, true},
	} {
		m := memory{}
		for i := range n {
			x := make([]float32, rows*dim)
			for j := range x {
				x[j] = c.value(i)
			}
			m[fmt.Sprintf("%04d.safetensors", i)] = tensorFile(t, dim, x)
		}
		var read atomic.Int64
		s := &shards{}
		errs := s.open(t.Context(), countingOpener{m, &read}, mustList(t, m), 2)
		errs = append(errs, s.index()...)
		read.Store(0)
		errs = append(errs, s.copies(t.Context(), 2)...)
		if (len(errs) > 0) != c.copies || len(errs) > 11 {
			t.Errorf("%s: %d errors: %v", name, len(errs), errs)
		}
		if n := read.Load(); n > c.most {
			t.Errorf("%s: reads %d bytes of %d", name, n, content)
		}
		for _, err := range errs {
			if len(err.Error()) > 400 {
				t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
			}
		}
	}
}

func mustList(t *testing.T, files opener) []string {
	t.Helper()
	l, err := files.List(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	return l.names
}
