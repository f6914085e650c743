package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// smallGrid is a grid whose runs take seconds, with latents that die, and a
// checkpoint as often as a grid may ask for.
const smallGrid = `
name: small
data: {synthetic: {activation_dim: 32, directions: 64, tokens: 20000, active: 4, noise: 0.05}, normalize: mean_square}
parameters: {k: [2, 4], auxk_alpha: [0, 0.03125]}
train: {dict_size: 512, steps: 1500, batch_size: 256, lr: 0.002, dead_feature_threshold: 10000}
run: {checkpoint: {every: 1s}}
`

// treeGrid is a grid whose cells share their first steps.
const treeGrid = `
name: tree
data: {synthetic: {activation_dim: 16, directions: 32, tokens: 20000, active: 4, noise: 0.05}}
parameters: {auxk_alpha: [0, 0.03125], decay_start: [0.5]}
train: {dict_size: 128, k: 4, steps: 300, batch_size: 64, lr: 0.002, dead_feature_threshold: 6000}
`

// gridWith is a grid of two short runs, with some of its sections replaced by others
// of the same key, and with further ones at its end. It is named bad, as most of its
// uses are in grids that are refused.
func gridWith(sections ...string) string {
	lines := []string{
		"name: bad",
		"data: {synthetic: {activation_dim: 8, directions: 16, tokens: 4000, active: 2}}",
		"parameters: {k: [2, 4]}",
		"train: {dict_size: 32, steps: 100, batch_size: 64}",
	}
	for _, section := range sections {
		key, _, _ := strings.Cut(section, ":")
		i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, key+":") })
		if i < 0 {
			lines = append(lines, section)
		} else {
			lines[i] = section
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// changed replaces texts in a grid: pairs of an old and a new one. Each old one must
// be there.
func changed(t *testing.T, grid string, oldNew ...string) string {
	t.Helper()
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(grid, oldNew[i]) {
			t.Fatalf("no %q in %s", oldNew[i], grid)
		}
		grid = strings.Replace(grid, oldNew[i], oldNew[i+1], 1)
	}
	return grid
}

func writeGrid(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "grid.yaml")
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}
