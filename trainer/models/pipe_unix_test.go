//go:build unix

package models

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe in place of any file is refused, and not waited for.
func TestPipes(t *testing.T) {
	for _, c := range []struct {
		format Format
		pipe   string
	}{
		{Sparsify, sparsifyWeights}, {Sparsify, toolsConfig}, {SAELens, saelensWeights}, {SAELens, toolsConfig},
		{DictionaryLearning, dictWeights}, {DictionaryLearning, dictConfig},
	} {
		dir := t.TempDir()
		for name, f := range folder(t, small(8, 32, 4), c.format) {
			if name == c.pipe {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), f.Data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if err := syscall.Mkfifo(filepath.Join(dir, c.pipe), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s, %s: %v", c.format, c.pipe, err)
		}
	}
}
