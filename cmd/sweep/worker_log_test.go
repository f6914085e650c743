//go:build !noserver

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/topksweep/sweep/deploy/local"
)

// The log of the worker begins a new file when it is full, and keeps the one before.
func TestWorkerLogRotates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := filepath.Join(dir, workerLog)
	full := bytes.Repeat([]byte("before\n"), local.LogLimit/7)
	if err := os.WriteFile(log, full, 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, dir, "run", "--no-ui", "--slots", "1", writeGrid(t, `
name: logged
data: {synthetic: {activation_dim: 8, directions: 16, tokens: 2000, active: 2}}
parameters: {k: [2]}
train: {dict_size: 16, steps: 4, batch_size: 8}
`))
	old, err := os.ReadFile(log + ".1")
	if err != nil || !bytes.HasPrefix(old, full) || len(old) > local.LogLimit {
		t.Errorf("%d bytes in the older file, %v; want the %d of before", len(old), err, len(full))
	}
	fresh, err := os.ReadFile(log)
	if err != nil || !bytes.Contains(fresh, []byte("msg=")) || bytes.Contains(fresh, []byte("before")) {
		t.Errorf("the newer file, %v:\n%.500s", err, fresh)
	}
	// What an attempt says has the sweep, the cell and the attempt.
	said := regexp.MustCompile(`msg=evaluated sweep=logged-[0-9a-f]+ activity=[A-Za-z]+ attempt=1 cell=[0-9a-f]+\n`)
	if !said.Match(fresh) {
		t.Errorf("%v is not in\n%s", said, fresh)
	}
}
