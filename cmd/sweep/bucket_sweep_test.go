package main

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"

	"github.com/topksweep/sweep/trainer/data/chunks"
)

// shufflesGrid is a grid over both orders of the rows of a folder, or of a bucket. Held-out rows lie beside them.
func shufflesGrid(t *testing.T, source string) string {
	t.Helper()
	return writeGrid(t, fmt.Sprintf(`
name: shuffles
data:
  sets:
    full: {source: %[1]q}
    blocks: {source: %[1]q, shuffle: blocks}
  eval_source: %[2]q
  normalize: mean_square
parameters: {k: [4, 8]}
train: {dict_size: 64, steps: 60, batch_size: 16}
run: {checkpoint: {every: 1s}}
`, source+"/train", source+"/held"))
}

// putShards puts 24 MiB of rows in three shards, and 1,000 held-out rows, into a bucket and a folder.
func putShards(t *testing.T, b *bucketOfShards) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for i, name := range []string{"held/a.npy", "train/a.npy", "train/b.npy", "train/c.npy"} {
		rows := 768
		if i == 0 {
			rows = 40
		}
		shard, _ := randomNpy(rows, 1536, uint64(i))
		b.put(t, name, shard)
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, shard, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// A sweep from a bucket whose data are more than the cache may hold, which is killed again and again while one in ten
// requests fails, ends with the results and weights of one that reads the rows from a folder. So does one beside it
// that shares the cache. The cache keeps to its bound, and nothing is left over.
func TestBucketSweepKilled(t *testing.T) {
	b := newBucketOfShards(t)
	folder := putShards(t, b)
	local := t.TempDir()
	mustRun(t, local, "run", shufflesGrid(t, folder), "--no-ui", "--no-report")
	want, wantResults := weights(t, local), measuredIn(t, local)
	if len(want) != 4 {
		t.Fatalf("%d models", len(want))
	}

	const size = 14_000_000 // a little less than the data: what has no room takes a request for each row
	g, cache, dir := shufflesGrid(t, "s3://acts"), t.TempDir(), t.TempDir()
	args := []string{"run", g, "--no-ui", "--no-report", "--slots", "2", "--cache", cache, "--cache-size",
		fmt.Sprint(size)}
	most := int64(0)
	look := func() { most = max(most, chunks.Stored(filepath.Join(cache, "objects"))) }
	b.every.Store(10)
	random, kills := rand.New(rand.NewPCG(1, 2)), 0
	for range 4 {
		until := b.requests.Load() + 3 + random.Int64N(300)
		p := startProgram(t, dir, args...)
		waitFor(t, "a request", func() bool { look(); return b.requests.Load() >= until || len(p.done) > 0 })
		if p.Process.Kill(); p.exitStatus(t) == -1 {
			kills++
		}
		look()
	}
	if kills == 0 || most > size || most < size/2 {
		t.Errorf("%d kills; the cache had %d bytes, of %d", kills, most, size)
	}
	t.Logf("%d kills, %d requests, at most %d bytes in the cache", kills, b.requests.Load(), most)

	other := t.TempDir()
	beside := startProgram(t, other, args...)
	mustRun(t, dir, args...)
	if status := beside.exitStatus(t); status != exitOK {
		t.Errorf("beside it: status %d\n%s", status, beside.err.String())
	}
	mustRun(t, local, "gc")
	keys := kindsOfKeys(t, local)
	for _, dir := range []string{dir, other} {
		if got := weights(t, dir); !maps.Equal(got, want) {
			t.Error("the weights differ")
		}
		if got := measuredIn(t, dir); !reflect.DeepEqual(got, wantResults) {
			t.Errorf("results\n%v\nwant\n%v", got, wantResults)
		}
		mustRun(t, dir, "gc")
		if got := kindsOfKeys(t, dir); !maps.Equal(got, keys) {
			t.Errorf("keys in the store %v, want %v", got, keys)
		}
	}
}

// measuredIn returns what was measured of the runs of a sweep, in the order of the cells: without what differs between
// objects and files, and between any two runs.
func measuredIn(t *testing.T, dir string) []map[string]any {
	t.Helper()
	rows := resultsOf(t, dir, "shuffles")
	for _, r := range rows {
		for _, other := range []string{"cell", "run", "sweep", "fingerprint", "curve_path", "model_path", "device_seconds",
			"wall_seconds", "steps_trained", "steps_shared", "flops_executed", "peak_bytes"} {
			delete(r, other)
		}
	}
	return rows
}

var hexPart = regexp.MustCompile(`[0-9a-f]{8,}|[0-9]+`)

// kindsOfKeys counts the keys of a store, with all numbers and hashes in them left out.
func kindsOfKeys(t *testing.T, dir string) map[string]int {
	t.Helper()
	out := map[string]int{}
	root := filepath.Join(dir, "store")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out[hexPart.ReplaceAllString(path[len(root):], "*")]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
