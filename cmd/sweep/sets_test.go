package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layersGrid writes a folder with activations of three layers, and returns a grid over some of them.
func layersGrid(t *testing.T) func(sets, rest string) (path string) {
	t.Helper()
	dir := t.TempDir()
	for i, width := range []int{8, 12, 8} {
		shard, _ := randomNpy(600, width, uint64(i))
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("l%d.npy", 3*i)), shard, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(sets, rest string) string {
		path := filepath.Join(dir, "grid.yaml")
		text := "name: layers\ndata: " + sets + "\n" + rest +
			"train: {dict_size: 32, steps: 20, batch_size: 16, lr: 0.01, decay_start: 0.5}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

const twoLayers = "{sets: {l0: {source: l0.npy, layer: 0}, l3: {source: l3.npy, layer: 3}}, normalize: mean_square}"

// A sweep over layers has them as an axis in its tables, conditions, exports and fits, and takes further ones.
func TestLayers(t *testing.T) {
	t.Parallel()
	grid, dir := layersGrid(t), t.TempDir()
	const axes = "parameters: {k: [2, 4]}\n"
	mustRun(t, dir, "run", grid(twoLayers, axes))
	rows := func(args ...string) (out []string) {
		t.Helper()
		var list []struct {
			Data, Fingerprint, Status string
			K, Layer                  int
			Width                     int `json:"activation_dim"`
		}
		text := mustRun(t, dir, append([]string{"results", "layers", "-o", "json"}, args...)...)
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			if r.Status != "completed" || r.Fingerprint == "" {
				t.Errorf("%+v", r)
			}
			out = append(out, fmt.Sprintf("%s k%d L%d D%d", r.Data, r.K, r.Layer, r.Width))
		}
		return out
	}
	want := []string{"l0 k2 L0 D8", "l0 k4 L0 D8", "l3 k2 L3 D12", "l3 k4 L3 D12"}
	if got := rows(); !slices.Equal(got, want) {
		t.Errorf("results %v, want %v", got, want)
	}
	if got := rows("--where", "data=l3"); !slices.Equal(got, want[2:]) {
		t.Errorf("of l3: %v, want %v", got, want[2:])
	}
	// A grid of one of the layers trains nothing, and a further layer is added.
	if got := mustRun(t, dir, "plan", grid("{source: l3.npy, normalize: mean_square}", axes)); !strings.Contains(got,
		"2, 2 with a result already") {
		t.Errorf("a grid of one layer:\n%s", got)
	}
	six := strings.Replace(twoLayers, "l0: {source: l0.npy, layer: 0}", "l6: {source: l6.npy, layer: 6}", 1)
	mustRun(t, dir, "extend", "layers", grid(six, axes), "--wait")
	want = append(want, "l6 k2 L6 D8", "l6 k4 L6 D8")
	if got := rows(); !slices.Equal(got, want) {
		t.Errorf("extended: %v, want %v", got, want)
	}
	out := filepath.Join(t.TempDir(), "models")
	mustRun(t, dir, "export", "layers", "--out", out, "--name", "{data}_k{k}")
	folders, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(folders) != 6 || filepath.Base(folders[3]) != "l3_k4" {
		t.Errorf("exports %v, %v", folders, err)
	}
	status, text, _ := sweepVerb(t.Context(), dir, "fit", "layers", "--form", "n", "--where", "k=2", "-o", "json")
	var fits []struct {
		Data   string
		Points []any
	}
	if err := json.Unmarshal([]byte(text), &fits); err != nil || status != exitError || len(fits) != 3 {
		t.Fatalf("fit: status %d, %v\n%s", status, err, text)
	}
	for i, f := range fits {
		if f.Data != []string{"l0", "l3", "l6"}[i] || len(f.Points) != 1 {
			t.Errorf("fit %d: %+v", i, f)
		}
	}
	status, _, messages := sweepVerb(t.Context(), dir, "predict", "layers", "--k", "2", "--dict-size", "64")
	if status == exitOK || !strings.Contains(messages, "--where 'data=l0'") {
		t.Errorf("a law over three layers: status %d\n%s", status, messages)
	}
}

// What is wrong with a data set is said at its line, with its name.
func TestErrorsOfLayers(t *testing.T) {
	t.Parallel()
	grid := layersGrid(t)
	for sets, want := range map[string]string{
		"{sets: {l0: {source: l0.npy}, l9: {source: l9.npy}}}": "grid.yaml:2:50: data.sets.l9: ",
		"{sets: {a: {source: l0.npy}, b: {source: l0.npy}}}":   "grid.yaml:2:36: data.sets.b: is the same data as a",
	} {
		path := grid(sets, "parameters: {k: [2]}\n")
		status, _, messages := sweepVerb(t.Context(), t.TempDir(), "plan", path)
		if status != exitBadInput || !strings.Contains(messages, want) {
			t.Errorf("%s: status %d, want %s\n%s", sets, status, want, messages)
		}
	}
}
