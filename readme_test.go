package sweep_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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

// Every link between documents leads somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	files, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "README.md", "CONTRIBUTING.md", "CHANGELOG.md") {
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
