package export

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/topksweep/sweep/trainer/models"
)

// filesOf are files with these contents, in the order of their names.
func filesOf(contents map[string]string) (out []models.File) {
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		out = append(out, models.File{Name: name, Body: strings.NewReader(contents[name]), Size: int64(len(contents[name]))})
	}
	return out
}

// tree is what a folder holds, by name.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(folder, path)
		out[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWriteFolder(t *testing.T) {
	one := map[string]string{"sae.safetensors": "weights", "cfg.json": "{}", "result.json": "run 1", "README.md": "one"}
	more := maps.Clone(one)
	more["reference/ae.pt"], more["ae.pt"], more["README.md"] = "zip", "zip 2", "of all"
	other := maps.Clone(one)
	other["result.json"] = "run 2"
	for name, c := range map[string]struct {
		before map[string]string
		files  map[string]string
		force  bool
		want   Change // "" for ErrOther
		after  map[string]string
	}{
		"new":                {nil, more, false, Written, more},
		"empty":              {map[string]string{}, one, false, Written, one},
		"the same":           {one, one, false, Same, one},
		"more formats":       {one, more, false, Added, more},
		"fewer":              {more, map[string]string{"cfg.json": "{}", "README.md": "of all"}, false, Same, more},
		"of another run":     {other, one, false, "", other},
		"of another, forced": {more, other, true, Replaced, other},
		"of a person":        {map[string]string{"thesis.txt": "x"}, one, false, "", map[string]string{"thesis.txt": "x"}},
		"of a person, forced": {
			map[string]string{"thesis.txt": "x", "result.json": "run 2"}, one, true, "",
			map[string]string{"thesis.txt": "x", "result.json": "run 2"}},
		"beside what a person has put there": {
			map[string]string{"notes.txt": "x", "result.json": "run 1"}, one, false, Added,
			map[string]string{
				"notes.txt": "x", "result.json": "run 1", "sae.safetensors": "weights", "cfg.json": "{}", "README.md": "one"}},
		"the same size": {map[string]string{"result.json": "run 1", "cfg.json": "[]"}, one, false, "",
			map[string]string{"result.json": "run 1", "cfg.json": "[]"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			folder := filepath.Join(root, "a", "b")
			if c.before != nil {
				if err := os.MkdirAll(folder, 0o755); err != nil {
					t.Fatal(err)
				}
				for _, f := range filesOf(c.before) {
					if err := writeFile(t.Context(), filepath.Join(folder, f.Name), f); err != nil {
						t.Fatal(err)
					}
				}
			}
			change, err := WriteFolder(t.Context(), folder, filesOf(c.files), c.force)
			if change != c.want && err == nil || (err != nil) != (c.want == "") || err != nil && !errors.Is(err, ErrOther) {
				t.Errorf("%s, %v, want %q", change, err, c.want)
			}
			after := map[string]string{}
			for file, content := range c.after {
				after["a/b/"+file] = content
			}
			if got := tree(t, root); !maps.Equal(got, after) { // nothing is left beside it
				t.Errorf("%q, want %q", got, after)
			}
		})
	}
}

// cancelling ends a context when a number of bytes has been read from a file.
type cancelling struct {
	*strings.Reader
	end func()
}

func (c cancelling) ReadAt(p []byte, off int64) (int, error) {
	c.end()
	return c.Reader.ReadAt(p, off)
}

// What ends early leaves no folder, and no file beside those that were there.
func TestWriteFolderEndsEarly(t *testing.T) {
	root := t.TempDir()
	folder := filepath.Join(root, "m")
	for _, before := range []map[string]string{nil, {"result.json": "run 1"}} {
		for _, f := range filesOf(before) {
			if err := writeFile(t.Context(), filepath.Join(folder, f.Name), f); err != nil {
				t.Fatal(err)
			}
		}
		want := tree(t, root)
		ctx, end := context.WithCancel(t.Context())
		files := append(filesOf(map[string]string{"result.json": "run 1"}),
			models.File{Name: "ae.pt", Body: cancelling{strings.NewReader("zip"), end}, Size: 3})
		if _, err := WriteFolder(ctx, folder, files, false); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want that it was canceled", err)
		}
		if got := tree(t, root); !maps.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPresent(t *testing.T) {
	folder := t.TempDir()
	for _, f := range filesOf(map[string]string{"sae_weights.safetensors": "x", "reference/ae.pt": "y"}) {
		if err := writeFile(t.Context(), filepath.Join(folder, f.Name), f); err != nil {
			t.Fatal(err)
		}
	}
	if got := Present(folder); !slices.Equal(got, []models.Format{models.SAELens, models.Reference}) {
		t.Errorf("%v", got)
	}
	if got := Present(filepath.Join(folder, "none")); got != nil {
		t.Errorf("%v", got)
	}
}

// A link to a folder stays, and one that leads nowhere is an error.
func TestWriteFolderLink(t *testing.T) {
	dir := t.TempDir()
	files := filesOf(map[string]string{"cfg.json": "{}", "sae.safetensors": "weights"})
	link := filepath.Join(dir, "link")
	if err := os.Symlink("elsewhere", link); err != nil {
		t.Skip(err)
	}
	if _, err := WriteFolder(t.Context(), link, files, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link that leads nowhere: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "elsewhere"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, want := range []Change{Written, Same} {
		if got, err := WriteFolder(t.Context(), link, files, false); err != nil || got != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if got := tree(t, filepath.Join(dir, "elsewhere")); got["sae.safetensors"] != "weights" {
		t.Errorf("%v", got)
	}
}

// A folder that another program writes at the same time is the same for both.
func TestWriteFolderAtOnce(t *testing.T) {
	for range 20 {
		folder := filepath.Join(t.TempDir(), "k8")
		var g errgroup
		for range 4 {
			g.start(func() error {
				_, err := WriteFolder(t.Context(), folder, filesOf(map[string]string{"cfg.json": "{}"}), false)
				return err
			})
		}
		if err := g.wait(); err != nil {
			t.Fatal(err)
		}
		if entries, err := os.ReadDir(filepath.Dir(folder)); err != nil || len(entries) != 1 {
			t.Fatalf("%v, %v", entries, err)
		}
	}
}

// An errgroup joins the errors of functions that run at once.
type errgroup struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (g *errgroup) start(fn func() error) {
	g.wg.Go(func() {
		err := fn()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.errs = append(g.errs, err)
	})
}

func (g *errgroup) wait() error {
	g.wg.Wait()
	return errors.Join(g.errs...)
}

// What a killed program has left of a file does not keep the folder from being replaced.
func TestReplaceBehindKill(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"cfg.json", ".ae.pt.part-123"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	files := filesOf(map[string]string{"cfg.json": "{}"})
	if got, err := WriteFolder(t.Context(), folder, files, true); err != nil || got != Replaced {
		t.Errorf("%s, %v", got, err)
	}
	if got := tree(t, folder); len(got) != 1 || got["cfg.json"] != "{}" {
		t.Errorf("%v", got)
	}
}
