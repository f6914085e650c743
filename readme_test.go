package sweep_test

import (
	"os"
	"path/filepath"
	"regexp"
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

// The grids that the README trains can be read.
func TestExampleGrids(t *testing.T) {
	files, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	readme := read(t, "README.md")
	for _, file := range append(files, "grid.yaml") {
		g, err := grid.Parse(file, []byte(read(t, file)), grid.ParseOptions{})
		if err != nil {
			t.Error(err)
		} else if g.Data.Source == "" {
			t.Errorf("%s: its data are not real activations", file)
		}
		if command := "$ go run ./cmd/sweep run " + file + "\n"; !strings.Contains(readme, command) {
			t.Errorf("README.md does not show %q, the line that examples/tables.sh looks for", command)
		}
	}
}

// Every link between documents leads somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/harvest/README.md") {
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
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
