//go:build unix

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// A state directory that others can write to is noted, and no other.
func TestNoteOpenDir(t *testing.T) {
	dir := t.TempDir()
	for mode, noted := range map[os.FileMode]bool{0o700: false, 0o755: false, 0o770: true, 0o777: true} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		var notes bytes.Buffer
		noteOpenDir(&environment{errOut: &notes}, dir)
		if got := strings.Contains(notes.String(), "chmod go-w "+dir+"\n"); got != noted {
			t.Errorf("%v: %q", mode, notes.String())
		}
	}
}
