//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/trainer/models"
)

// A pipe that has the name of a file is not waited for, and a link to a folder stays.
func TestModelFolderPipesAndLinks(t *testing.T) {
	files := []models.File{{Name: "cfg.json", Body: strings.NewReader("{}"), Size: 2}}
	dir := t.TempDir()
	pipes, link, real := filepath.Join(dir, "pipes"), filepath.Join(dir, "link"), filepath.Join(dir, "real")
	if err := os.Mkdir(pipes, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(pipes, "cfg.json"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := writeModelFolder(t.Context(), pipes, files); !errors.As(err, new(inputError)) {
		t.Errorf("a pipe: %v", err)
	}
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	if err := writeModelFolder(t.Context(), link, files); !errors.As(err, new(inputError)) {
		t.Errorf("a link that leads nowhere: %v", err)
	}
	if err := os.Mkdir(real, 0o777); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is there
		if err := writeModelFolder(t.Context(), link, files); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(real, "cfg.json")); err != nil || string(b) != "{}" {
		t.Errorf("%q, %v", b, err)
	}
	if target, err := os.Readlink(link); err != nil || target != "real" {
		t.Errorf("the link is gone: %q, %v", target, err)
	}
}
