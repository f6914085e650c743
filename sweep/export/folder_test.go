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
