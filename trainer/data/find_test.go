package data

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
)

// plant makes empty files below a new folder, changes into it and returns it.
func plant(t *testing.T, paths ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, p := range paths {
		p = filepath.Join(root, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	return root
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(filepath.FromSlash(target), filepath.FromSlash(name)); err != nil {
		t.Skip(err)
	}
}

func find(t *testing.T, source string) (names string, notes []string, err error) {
	t.Helper()
	l, err := localFiles{}.List(t.Context(), source, false)
	return filepath.ToSlash(strings.Join(l.names, " ")), l.notes, err
}

func TestFind(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("names hold characters that Windows does not allow")
	}
	plant(t,
		"acts/b.npy", "acts/a.safetensors", "acts/a/z.npy", "acts/a-b/y.npy", "acts/a/deep/er/x.npy",
		"acts/notes.txt", "acts/.git/g.npy", "acts/.part.npy", "acts/a/.hidden/h.npy", "acts/empty/readme.md",
		"one/2/acts.npy", "one/10/acts.npy", "one/2/other.npy", "one/.3/acts.npy",
		"br[1]/q.npy", "br1/r.npy", "st*r/s.npy", "star/t.npy", "lit[1/u.npy",
		"dir.npy/v.npy", "dir.npy/sub.npy/w.npy", ".dot/c.npy", ".dot/.d.npy")
	const all = "acts/a/deep/er/x.npy acts/a/z.npy acts/a-b/y.npy acts/a.safetensors acts/b.npy"
	for _, tt := range []struct{ source, want, bad string }{
		{source: "acts", want: all},
		{source: "acts/", want: all},
		{source: "acts//", want: all},
		{source: "acts/**", want: all},
		{source: "acts/**/", want: all},
		{source: "acts/**/**", want: all},
		{source: "acts/*", want: all},
		{source: "acts/**/*", want: all},
		{source: "acts/**/./*", want: all},
		{source: "ac*", want: all},
		{source: "[a]cts", want: all},
		{source: "acts/**/*.npy", want: "acts/a/deep/er/x.npy acts/a/z.npy acts/a-b/y.npy acts/b.npy"},
		{source: "acts/*.npy", want: "acts/b.npy"},
		{source: "acts/*/*.npy", want: "acts/a/z.npy acts/a-b/y.npy"},
		{source: "acts/*/", want: "acts/a/deep/er/x.npy acts/a/z.npy acts/a-b/y.npy"},
		{source: "acts/a/**/x.npy", want: "acts/a/deep/er/x.npy"},
		{source: "acts/**/er/**/x.npy", want: "acts/a/deep/er/x.npy"},
		{source: "**/x.npy", want: "acts/a/deep/er/x.npy"},
		{source: "**/er", want: "acts/a/deep/er/x.npy"},
		{source: "./acts/a/../b.npy", want: "./acts/a/../b.npy"},
		{source: "acts/[^a]*", want: "acts/b.npy"},
		{source: "acts/?.npy", want: "acts/b.npy"},
		{source: "one/*/acts.npy", want: "one/10/acts.npy one/2/acts.npy"},
		{source: "one/[0-9]*/acts.npy", want: "one/10/acts.npy one/2/acts.npy"},
		{source: "one/.*/acts.npy", want: "one/.3/acts.npy"},
		{source: ".dot", want: ".dot/c.npy"},
		{source: ".dot/.d.npy", want: ".dot/.d.npy"},
		{source: ".dot/*", want: ".dot/c.npy"},
		{source: "br[1]", want: "br[1]/q.npy"},
		{source: "br[1]/*.npy", want: "br[1]/q.npy"},
		{source: "b[r]1", want: "br1/r.npy"},
		{source: "st*r/*", want: "st*r/s.npy"},
		{source: "lit[1", want: "lit[1/u.npy"},
		{source: "lit[1/*.npy", want: "lit[1/u.npy"},
		{source: "*.npy", want: "dir.npy/sub.npy/w.npy dir.npy/v.npy"},
		{source: "acts/a**", bad: "data acts/a**: ** in a** is not understood"},
		{source: "acts/***", bad: "data acts/***: ** in *** is not understood"},
		{source: "acts/[!b]*", bad: "data acts/[!b]*: [! is not understood: write [^"},
		{source: "acts/[b", bad: "data acts/[b: syntax error in pattern"},
		{source: "acts/**/[b", bad: "data acts/**/[b: syntax error in pattern"},
		{source: "acts/{a,b}.npy", bad: "data acts/{a,b}.npy: {} has no special meaning"},
		{source: "acts/{a,b}*", bad: "data acts/{a,b}*: matches no " + endings(false, "or") + " file; {} has no special"},
		{
			source: "acts/b.npy/",
			bad:    "data acts/b.npy/: is a file, not a folder: leave out the / at its end: not a directory",
		},
		{source: "acts/b.npy/*", bad: "data acts/b.npy/*: acts/b.npy is a file, not a folder"},
		{source: "acts/b.npy/c", bad: "data acts/b.npy/c: not a directory"},
		{source: "acts/nowhere/*.npy", bad: "data acts/nowhere/*.npy: no such file or directory"},
		{source: "acts/*/nowhere/*.npy", bad: "data acts/*/nowhere/*.npy: matches no " + endings(false, "or") + " file"},
		{source: "acts/empty", bad: "data acts/empty: holds no " + endings(false, "or") + " file"},
		{source: "acts/" + strings.Repeat("x", 300), bad: "data acts/xxx"},
		{source: "acts/" + strings.Repeat("x", 300) + "*", bad: "data acts/xxx"},
		{source: "acts\x00", bad: "data acts\x00: no path holds a zero byte"},
	} {
		names, _, err := find(t, tt.source)
		if tt.bad != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.bad) || !errors.Is(err, ErrBad) {
				t.Errorf("%s: %v, want %q", tt.source, err, tt.bad)
			}
			continue
		}
		if err != nil || names != tt.want {
			t.Errorf("%s: %s, %v\n\twant %s", tt.source, names, err, tt.want)
		}
	}
}

// A backslash escapes, except on Windows, where it separates.
func TestBackslash(t *testing.T) {
	if runtime.GOOS == "windows" {
		plant(t, "acts/a.npy", "acts/b/c.npy")
		for _, source := range []string{`acts\**`, `acts\*`, `acts/**\*.npy`} {
			if names, _, err := find(t, source); names != "acts/a.npy acts/b/c.npy" || err != nil {
				t.Errorf("%s: %s, %v", source, names, err)
			}
		}
		return
	}
	plant(t, "a*b/x.npy", "acb/y.npy", "d/e.npy")
	if names, _, err := find(t, `a\*b`); names != "a*b/x.npy" || err != nil {
		t.Errorf("%s, %v", names, err)
	}
	if _, _, err := find(t, `d\*.npy`); err == nil || !strings.Contains(err.Error(), `write / between folders`) {
		t.Error(err)
	}
}

func TestSourceNotes(t *testing.T) {
	root := plant(t, "acts/a.npy", "acts/sub/b.npy", "acts/sub/c.npy", "acts/deep/er/d.npy",
		"acts/x.pt", "acts/sub/B.NPY", "acts/y.Safetensors", "acts/z.npy.gz", "acts/m.zarr/.zarray", "acts/m.zarr/0.0",
		"acts/n.orc", "acts/o.bin", "acts/README.md", "acts/model.safetensors.index.json", "acts/.tmp.pt", "acts/LICENSE",
		"only/x.pth", "only/y.h5", "flat/a.npy", "br[1]/q.npy")
	for _, tt := range []struct {
		source string
		want   []string
	}{
		{"acts", []string{
			"Subfolders of acts hold 3 of the 4 shards: deep/er, sub.",
			"Only " + endings(false, "and") + " are read, which leaves out 7: " +
				"m.zarr, n.orc, o.bin, sub/B.NPY, x.pt and 2 more."}},
		{filepath.Join(root, "acts"), []string{
			"Subfolders of " + filepath.Join(root, "acts") + " hold 3 of the 4 shards: deep/er, sub.",
			"Only " + endings(false, "and") + " are read, which leaves out 7: " +
				"m.zarr, n.orc, o.bin, sub/B.NPY, x.pt and 2 more."}},
		{"acts/*", []string{
			"Subfolders of acts hold 3 of the 4 shards: deep/er, sub.",
			"Only " + endings(false, "and") + " are read, which leaves out 6: " +
				"n.orc, o.bin, sub/B.NPY, x.pt, y.Safetensors and 1 more."}},
		{"acts/**/*.npy", []string{
			"Subfolders of acts hold 3 of the 4 shards: deep/er, sub.",
			"Only " + endings(false, "and") + " are read, which leaves out 1: sub/B.NPY."}},
		{"acts/*/*.npy", []string{"Only " + endings(false, "and") + " are read, which leaves out 1: sub/B.NPY."}},
		{"acts/*.npy", nil},
		{"flat", nil},
		{"flat/a.npy", nil},
		{"br[1]", []string{"Taken by its name, not as a pattern: br[1]."}},
	} {
		_, notes, err := find(t, tt.source)
		for i := range notes {
			notes[i] = strings.ReplaceAll(notes[i], `\`, "/")
		}
		if err != nil || !slices.Equal(notes, tt.want) {
			t.Errorf("%s: %q, %v\n\twant %q", tt.source, notes, err, tt.want)
		}
	}
	_, _, err := find(t, "only")
	if err == nil || !strings.Contains(err.Error(), "not read are x.pth, y.h5: convert them") {
		t.Error(err)
	}
}

// Links are followed, to files and folders. One that leads nowhere, or back, is an error
// that names it, and so is one in a folder that a pattern goes through.
func TestLinks(t *testing.T) {
	plant(t, "acts/a.npy", "store/b.npy", "store/sub/c.npy",
		"bad/x.npy", "loop/y.npy", "far/z.npy", "self/w.npy", "dot/v.npy")
	link(t, "../store/sub", "acts/sub")
	link(t, "../store/b.npy", "acts/b.npy")
	link(t, "nowhere", "bad/gone.npy")
	link(t, "../loop", "loop/again")
	link(t, "../..", "far/up")
	link(t, "self", "self/self")
	link(t, "nowhere", "dot/.gone")
	const good = "acts/a.npy acts/b.npy acts/sub/c.npy"
	for _, tt := range []struct{ source, want, bad string }{
		{source: "acts", want: good},
		{source: "acts/**/*.npy", want: good},
		{source: "acts/sub", want: "acts/sub/c.npy"},
		{source: "acts/s*/c.npy", want: "acts/sub/c.npy"},
		{source: "acts/b.npy", want: "acts/b.npy"},
		{source: "dot", want: "dot/v.npy"},
		{source: "bad", bad: "data bad/gone.npy: is a link to nowhere, which does not exist"},
		{source: "bad/*", bad: "data bad/gone.npy: is a link to nowhere"},
		{source: "bad/gone.npy", bad: "data bad/gone.npy: is a link to nowhere"},
		{source: "b*/gone.npy", bad: "data bad/gone.npy: is a link to nowhere"},
		{source: "bad/**/x.npy", bad: "data bad/gone.npy: is a link to nowhere"},
		{source: "bad/x*", want: "bad/x.npy"},
		{source: "loop", bad: "data loop/again: is a link that leads back to a folder that it lies in"},
		{source: "loop/**/*.npy", bad: "data loop/again: is a link that leads back"},
		{source: "loop/*.npy", want: "loop/y.npy"},
		{source: "far", bad: "data far/up: is a link that leads back"},
		{source: "self", bad: "data self/self: is a link to self, which leads back to itself"},
	} {
		names, _, err := find(t, tt.source)
		if tt.bad != "" {
			if err == nil || !strings.HasPrefix(filepath.ToSlash(err.Error()), tt.bad) || !errors.Is(err, ErrBad) {
				t.Errorf("%s: %v, want %q", tt.source, err, tt.bad)
			}
			continue
		}
		if err != nil || names != tt.want {
			t.Errorf("%s: %s, %v\n\twant %s", tt.source, names, err, tt.want)
		}
	}
}

// failingTree fails at one path, in one of its methods.
type failingTree struct {
	fstest.MapFS
	op, path string
	err      error
}

func (f failingTree) fail(op, path string) error {
	if op == f.op && path == f.path {
		return &fs.PathError{Op: op, Path: path, Err: f.err}
	}
	return nil
}

func (f failingTree) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.fail("ReadDir", name); err != nil {
		return nil, err
	}
	return f.MapFS.ReadDir(name)
}

func (f failingTree) Stat(name string) (fs.FileInfo, error) {
	if err := f.fail("Stat", name); err != nil {
		return nil, err
	}
	return f.MapFS.Stat(name)
}

// A folder that cannot be read is never left out.
func TestUnreadableFolder(t *testing.T) {
	files := fstest.MapFS{"acts/a.npy": {}, "acts/sub/deep/b.npy": {}, "acts/sub/deep/er/c.npy": {}}
	type kind struct{ bad, missing bool }
	for _, source := range []string{"acts", "acts/**/*.npy", "acts/*", "a*/*/deep/*.npy", "acts/sub/deep", "acts/*/deep"} {
		for cause, want := range map[error]kind{
			syscall.EIO: {}, syscall.ESTALE: {}, syscall.EACCES: {true, true}, syscall.ELOOP: {true, false},
		} {
			for _, op := range []string{"ReadDir", "Stat"} {
				_, err := list(t.Context(), failingTree{files, op, "acts/sub/deep", cause}, source, source, false)
				if got := (kind{errors.Is(err, ErrBad), errors.Is(err, ErrMissing)}); got != want || !errors.Is(err, cause) ||
					!strings.Contains(err.Error(), "acts/sub/deep") {
					t.Errorf("%s with %v in %s: %v", source, cause, op, err)
				}
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := list(ctx, files, "acts", "acts", false); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Nothing that is missing here is called bad for all machines.
func TestMissingHere(t *testing.T) {
	plant(t, "acts/a.npy", "empty/x.txt")
	for source, missing := range map[string]bool{
		"nowhere": true, "nowhere/*": true, "empty": true, "empty/*": true, "acts/b.npy": true, "acts/a.npy/b": true,
		"acts/[": false, "empty/x.txt": false, "s3://a": false,
	} {
		if _, _, err := find(t, source); !errors.Is(err, ErrBad) || errors.Is(err, ErrMissing) != missing {
			t.Errorf("%s: %v", source, err)
		}
	}
}
