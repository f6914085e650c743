package sweep_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
)

// The README shows the grid that the repository has.
func TestReadmeGrid(t *testing.T) {
	grid, readme := read(t, "grid.yaml"), read(t, "README.md")
	for line := range strings.Lines(grid) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") && !strings.Contains(readme, line) {
			t.Errorf("README.md does not show this line of grid.yaml: %s", line)
		}
	}
}

// Each example grid can be read, and one document shows its table.
func TestExampleGrids(t *testing.T) {
	files, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	documents := read(t, "README.md") + read(t, "docs/examples.md")
	for _, file := range append(files, "grid.yaml") {
		g, err := grid.Parse(file, []byte(read(t, file)), grid.ParseOptions{})
		if err != nil {
			t.Error(err)
			continue
		}
		for _, s := range g.Sets {
			if s.Data.Source == "" {
				t.Errorf("%s: data %s are not real activations", file, s.Name)
			}
		}
		command := "\n$ go run ./cmd/sweep run " + file + "\n"
		if n := strings.Count(documents, command); n != 1 {
			t.Errorf("README.md and docs/examples.md show %q %d times, want 1: examples/tables.sh looks for it", command, n)
		}
	}
}

// The grids of scripts in the folders of examples can be read.
func TestGridsOfScripts(t *testing.T) {
	files, err := filepath.Glob("examples/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if _, err := grid.Parse(file, []byte(read(t, file)), grid.ParseOptions{}); err != nil {
			t.Error(err)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
