//go:build unix

package data

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// A pipe is an error that names it; Open does not wait for a writer.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.npy")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{pipe, dir, filepath.Join(dir, "*.npy")} {
		_, err := Open(t.Context(), trainer.DataSpec{Source: source}, Options{})
		if !errors.Is(err, ErrBad) || !strings.Contains(err.Error(), pipe+": neither a regular file nor a directory") {
			t.Errorf("%s: %v", source, err)
		}
	}
}
