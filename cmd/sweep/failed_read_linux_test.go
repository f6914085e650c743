package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Shards that cannot be read for the moment say nothing about the grid: the exit status
// is not that of bad input. The kernel refuses to read the speed of the loopback device,
// which looks like a regular file.
func TestShardGivesErrorWhenRead(t *testing.T) {
	const speed = "/sys/class/net/lo/speed"
	if info, err := os.Stat(speed); err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		t.Skip("no file here that fails to be read:", err)
	}
	if _, err := os.ReadFile(speed); err == nil {
		t.Skip(speed, "can be read")
	}
	shard := filepath.Join(t.TempDir(), "a.npy")
	if err := os.Symlink(speed, shard); err != nil {
		t.Fatal(err)
	}
	grid := writeGrid(t, gridWith("data: {source: "+shard+"}"))
	dir := t.TempDir()
	for _, args := range [][]string{
		{"plan", grid, "--dir", dir}, {"run", grid, "--dir", dir}, {"data", "inspect", shard},
	} {
		var messages bytes.Buffer
		env := &environment{out: io.Discard, errOut: &messages}
		status := execute(t.Context(), env, args)
		if status != exitError || !strings.Contains(messages.String(), "read "+shard) {
			t.Errorf("%v: status %d, %s", args, status, messages.String())
		}
	}
}
