package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A sweep that cannot be read is named; the list has all others.
func TestListBesideUnreadableSweep(t *testing.T) {
	dir := copyStore(t)
	listed := mustRun(t, dir, "list")
	header := filepath.Join(dir, "store", "sweeps", "newer-00000000", "plan.json")
	if err := os.MkdirAll(filepath.Dir(header), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(header, []byte(`{"version": 99, "id": "newer-00000000"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, dir, "list")
	status, messages := p.exitStatus(t), p.err.String()
	if status != exitError || p.out.String() != listed {
		t.Errorf("status %d\n%swant\n%s", status, p.out.String(), listed)
	}
	for _, want := range []string{"newer-00000000 is left out", "written by a newer version of sweep"} {
		if !strings.Contains(messages, want) {
			t.Errorf("%q lacks %q", messages, want)
		}
	}
}
