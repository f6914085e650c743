package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The gallery, the fits and what examples/scaling/README.md shows of them are what the program makes of the committed
// results now. On other processors the last digits of a fit may differ.
func TestGallery(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the committed files are those of amd64")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, folder := range []string{"examples/scaling", "examples/minilm-layers", "docs/gallery"} {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("bash", filepath.Join(dir, "examples/scaling/make.sh"))
	c.Env = append(os.Environ(), "SWEEP="+program, asMain+"=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("make.sh: %v\n%s", err, out)
	}
	n := 0
	for _, pattern := range []string{"docs/gallery/*", "examples/scaling/*"} {
		made, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range made {
			name := strings.TrimPrefix(path, dir)
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Errorf("%s is not committed: run examples/scaling/make.sh", name)
			} else if string(got) != string(want) {
				t.Errorf("%s is out of date: run examples/scaling/make.sh", name)
			}
			n++
		}
	}
	if n < 13 {
		t.Errorf("make.sh left %d files", n)
	}
}
