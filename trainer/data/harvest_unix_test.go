//go:build unix

package data

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// A harvest.json that is no file is a note. Opening a pipe would wait for ever.
func TestHarvestThatIsNoFile(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a folder":         func(path string) error { return os.Mkdir(path, 0o755) },
		"a pipe":           func(path string) error { return syscall.Mkfifo(path, 0o644) },
		"a link to itself": func(path string) error { return os.Symlink(harvestFile, path) },
	} {
		t.Run(name, func(t *testing.T) {
			s := harvested(t, "")
			if err := make(filepath.Join(s.spec.Source, "a", harvestFile)); err != nil {
				t.Fatal(err)
			}
			got, notes := s.Names(trainer.Names{})
			if len(nameValues(got)) > 0 || len(notes) != 1 || !strings.Contains(notes[0], "harvest.json cannot be read (") {
				t.Errorf("%v, %q", nameValues(got), notes)
			}
		})
	}
}
