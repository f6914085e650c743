//go:build unix

package payload

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of keys that other users can reach is refused, whatever they may do with it.
func TestKeysOfOthers(t *testing.T) {
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601, 0o644} {
		file := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(file, []byte(secretOf(1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeys(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}
