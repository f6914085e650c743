package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// replacedGrid has a run on the rows of a, and a short one on those of b.
func replacedGrid(t *testing.T, source string, steps int) string {
	t.Helper()
	return writeGrid(t, fmt.Sprintf(`
name: replaced
data: {sets: {a: {source: %[1]q}, b: {source: %[2]q}}, normalize: mean_square, eval_tokens: 20}
include: [{data: a, steps: %[3]d}, {data: b, steps: 30}]
train: {dict_size: 64, k: 4, batch_size: 16}
run: {checkpoint: {every: 1s}}
`, source+"/a", source+"/b", steps))
}

// Where an object is replaced while a run trains on it, that run fails and says which object and what to do, whether
// the rows come from the cache or not. The others end well. What is submitted then trains on the new rows: nothing of
// the old ones is read from a cache that holds them.
func TestBucketSweepReplaced(t *testing.T) {
	b := newBucketOfShards(t)
	old, _ := randomNpy(200, 32, 1)
	same, _ := randomNpy(200, 32, 2)
	shorter, _ := randomNpy(150, 32, 3)
	beside, _ := randomNpy(200, 32, 4)
	for name, c := range map[string]struct {
		now   []byte
		cache string
	}{
		"same size": {same, "1GB"}, "other size": {shorter, "1GB"}, "without a cache": {same, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			b.put(t, "a/x.npy", old)
			b.put(t, "b/x.npy", beside)
			args := []string{"--no-ui", "--no-report", "--cache", t.TempDir(), "--cache-size", c.cache}
			dir := t.TempDir()
			p := startProgram(t, dir, append([]string{"run", replacedGrid(t, "s3://acts", 100_000_000)}, args...)...)
			waitFor(t, "a checkpoint", func() bool { return countManifests(t, dir) > 0 || len(p.done) > 0 })
			b.put(t, "a/x.npy", c.now)
			if status := p.exitStatus(t); status != exitError || !strings.Contains(p.err.String(), "1 of 2 runs failed") {
				t.Errorf("status %d\n%s", status, p.err.String())
			}
			for _, r := range resultsOf(t, dir, "replaced") {
				why := fmt.Sprint(r["error"])
				switch {
				case r["data"] == "b" && r["status"] != "completed",
					r["data"] == "a" && (r["status"] != "failed" || !strings.Contains(why, "s3://acts/a/x.npy") ||
						!strings.Contains(why, "put the old rows back and retry the runs, or submit the grid again")):
					t.Errorf("%v is %v: %s", r["data"], r["status"], why)
				}
			}
			if c.cache == "1" {
				return // nothing of the old rows can be in it
			}

			folder := t.TempDir()
			for set, content := range map[string][]byte{"a": c.now, "b": beside} {
				if err := os.Mkdir(filepath.Join(folder, set), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(folder, set, "x.npy"), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			local, again := t.TempDir(), t.TempDir()
			mustRun(t, local, append([]string{"run", replacedGrid(t, folder, 30)}, args...)...)
			mustRun(t, again, append([]string{"run", replacedGrid(t, "s3://acts", 30)}, args...)...)
			if want := weights(t, local); len(want) != 2 || !maps.Equal(weights(t, again), want) {
				t.Error("the new rows train to other weights than those of a folder")
			}
		})
	}
}
