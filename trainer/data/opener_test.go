package data

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

func TestSources(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "acts")
	for _, d := range []string{dir, filepath.Join(root, "bare"), filepath.Join(dir, "sub.npy")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "b.safetensors", tensorFile(t, 2, numbered(10, 10, 2)))
	write(t, dir, "a.npy", npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}", make([]byte, 24)))
	write(t, dir, "c.safetensors", tensorFile(t, 2, numbered(20, 30, 2)))
	write(t, dir, "notes.txt", []byte("hello"))
	write(t, dir, "harvest.json", []byte("{}"))
	write(t, dir, ".d.safetensors", []byte("in the making"))
	write(t, filepath.Join(root, "bare"), "notes.txt", []byte("hello"))
	t.Setenv("HOME", root)
	t.Setenv("USERPROFILE", root)
	t.Chdir(root)

	for _, tt := range []struct {
		source string
		shards int
		rows   int64
		bad    string
	}{
		{source: dir, shards: 3, rows: 43},
		{source: "acts", shards: 3, rows: 43},
		{source: "acts/", shards: 3, rows: 43},
		{source: "./acts/../acts", shards: 3, rows: 43},
		{source: "~/acts", shards: 3, rows: 43},
		{source: "file://" + filepath.ToSlash(dir), shards: 3, rows: 43},
		{source: "acts/*.safetensors", shards: 2, rows: 40},
		{source: "~/ac?s/[ab].*", shards: 2, rows: 13},
		{source: "acts/*", shards: 3, rows: 43},
		{source: "acts/a.npy", shards: 1, rows: 3},
		{source: "bare", bad: "data bare: holds no " + endings(false, "or") + " file"},
		{source: "bare/*", bad: "data bare/*: matches no " + endings(false, "or") + " file"},
		{source: "acts/[", bad: "data acts/[: syntax error in pattern"},
		{source: "acts/notes.txt", bad: "data acts/notes.txt: is no " + endings(false, "or") + " file"},
		{source: "nowhere", bad: "data nowhere: no such file or directory"},
		{source: "nowhere/a.npy", bad: "data nowhere/a.npy: no such file or directory"},
		{source: "$HOME/acts", bad: "data $HOME/acts: there is no such file, and variables such as $HOME are not expanded"},
		{
			source: "gs://bucket/acts",
			bad:    "data gs://bucket/acts: shards are read from local files and from buckets (s3://bucket/prefix), not from gs",
		},
	} {
		if runtime.GOOS == "windows" && strings.Contains(tt.bad, "no such file") {
			continue // Windows has other words for it
		}
		s, err := Open(t.Context(), trainer.DataSpec{Source: tt.source, EvalTokens: 1}, Options{})
		if tt.bad != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.bad) || !errors.Is(err, ErrBad) {
				t.Errorf("%s: %v, want %q", tt.source, err, tt.bad)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.source, err)
			continue
		}
		if i := s.Info(); i.Shards != tt.shards || i.Rows != tt.rows {
			t.Errorf("%s: %+v", tt.source, i)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestForbiddenFile(t *testing.T) {
	path := write(t, t.TempDir(), "a.npy", []byte("x"))
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(path); err == nil {
		f.Close()
		t.Skip("this user may read everything")
	}
	_, err := Open(t.Context(), trainer.DataSpec{Source: path}, Options{})
	if !errors.Is(err, ErrBad) || !strings.Contains(err.Error(), "permission denied") {
		t.Error(err)
	}
}

// A shard that is truncated while it is open gives an error, not a crash.
func TestShardShrinks(t *testing.T) {
	for name, files := range map[string]opener{"mapped": localFiles{}, "not mapped": unmapped{}} {
		path := write(t, t.TempDir(), "a.safetensors", tensorFile(t, 256, numbered(0, 400, 256)))
		s := openWith(t, files, trainer.DataSpec{Source: path}, Options{})
		if err := os.Truncate(path, 5000); err != nil {
			t.Skip(err) // Windows keeps open files whole
		}
		err := s.Batch(0, 0, make([]float32, 200*256))
		var shard *ShardError
		if !errors.As(err, &shard) || shard.File != path || !strings.Contains(err.Error(), "cut short after it was opened") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
