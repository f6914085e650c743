package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/trainer/data/chunks"
)

// A sweep from a bucket goes on while the disk of its cache is full, with a request for each row, and comes to the
// weights that a folder gives. When there is room, the next one keeps what it reads. On a disk that is read-only the
// program says so before it reads anything.
func TestBucketSweepFullDisk(t *testing.T) {
	if !withOwnMounts(t) {
		return
	}
	b := newBucketOfShards(t)
	shard, _ := randomNpy(300, 64, 1)
	b.put(t, "acts/a.npy", shard)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "a.npy"), shard, 0o600); err != nil {
		t.Fatal(err)
	}
	gridOf := func(source string) string {
		return writeGrid(t, gridWith("data: {sets: {full: {source: '"+source+"'}, blocks: {source: '"+source+
			"', shuffle: blocks}}}", "parameters: {k: [4]}", "train: {dict_size: 64, steps: 40, batch_size: 16}"))
	}
	cache := smallDisk(t)
	disk := filler{filepath.Join(cache, "fill")}
	args := []string{"run", gridOf("s3://acts/acts"), "--no-ui", "--no-report", "--cache", cache}
	local, full, room := t.TempDir(), t.TempDir(), t.TempDir()
	mustRun(t, local, "run", gridOf(folder), "--no-ui", "--no-report")
	want := weights(t, local)

	disk.fill(t)
	before := b.requests.Load()
	p := startProgram(t, full, append(args, "--cache-size", "1GB")...)
	if status := p.exitStatus(t); status != exitOK || !strings.Contains(p.err.String(), "the disk of the cache "+
		filepath.Join(cache, "objects")+" has room for 0 B, and --cache-size is 1.0 GB") {
		t.Errorf("on a full disk: status %d\n%s", status, p.err.String())
	}
	if n := b.requests.Load() - before; n < 600 {
		t.Errorf("%d requests on a full disk", n)
	}
	if got := weights(t, full); len(want) != 2 || !maps.Equal(got, want) {
		t.Error("on a full disk the weights differ")
	}
	disk.free(t)
	before = b.requests.Load()
	mustRun(t, room, args...)
	if n, kept := b.requests.Load()-before, chunks.Stored(filepath.Join(cache, "objects")); n > 100 ||
		kept < int64(len(shard)) {
		t.Errorf("%d requests with room on the disk, and %d bytes in the cache", n, kept)
	}
	if got := weights(t, room); !maps.Equal(got, want) {
		t.Error("with room the weights differ")
	}

	if err := syscall.Mount("", cache, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(cache, "below")
	for _, args := range [][]string{{"plan", args[1]}, {"run", args[1]}, {"up"}, {"worker", "--address", "127.0.0.1:1"}} {
		p := startProgram(t, t.TempDir(), append(args, "SWEEP_CACHE="+below)...)
		if status := p.exitStatus(t); status != exitBadInput || !strings.Contains(p.err.String(), "the folder "+below+
			" is for the cache, by --cache or SWEEP_CACHE, and cannot be written to: mkdir "+below+
			": read-only file system; mount it") {
			t.Errorf("%v: status %d\n%s", args, status, p.err.String())
		}
	}
}
