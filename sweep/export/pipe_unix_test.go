//go:build unix

package export

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe that has the name of a file is something else, and not waited for.
func TestWriteFolderPipe(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "cfg.json"), []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(folder, "sae.safetensors"), 0o666); err != nil {
		t.Fatal(err)
	}
	files := filesOf(map[string]string{"cfg.json": "{}", "sae.safetensors": "weights"})
	if _, err := WriteFolder(t.Context(), folder, files, false); !errors.Is(err, ErrOther) {
		t.Error(err)
	}
}
