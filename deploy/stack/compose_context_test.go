//go:build unix

package stack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestComposeContext checks that the builds of the images get all that they read, and nothing that may be large or
// secret: the folder of docker-compose.yml also holds activations, results and credentials.
func TestComposeContext(t *testing.T) {
	for file, tags := range map[string]string{
		"sweep.Dockerfile":      "noserver",
		"sweep-cuda.Dockerfile": "cuda noserver netgo osusergo",
	} {
		sent := allowed(t, "deploy/compose/"+file+".dockerignore")
		// Packages that another build has besides do no harm.
		list := exec.Command("go", "list", "-e", "-deps", "-tags", tags,
			"-f", "{{if .Module}}{{if .Module.Main}}{{.Dir}}{{end}}{{end}}", "./cmd/sweep")
		list.Dir = root
		repository, err := filepath.Abs(root)
		if err != nil {
			t.Fatal(err)
		}
		packages := strings.Fields(output(t, list))
		if len(packages) < 10 {
			t.Fatalf("only the packages %v", packages)
		}
		needed := []string{"go.mod", "go.sum", "Makefile", "trainer/cuda/toolkit/fetch", "trainer/cuda/driver/link"}
		for _, dir := range packages {
			path, err := filepath.Rel(repository, dir)
			if err != nil {
				t.Fatal(err)
			}
			needed = append(needed, filepath.ToSlash(path))
		}
		for _, path := range needed {
			if !sent(path) {
				t.Errorf("%s: the build does not get %s", file, path)
			}
		}
		for _, path := range []string{
			".git/config", ".env", "store-credentials", ".cuda/toolkit", "bin/sweep", "activations/shard-0.npy",
			".interop/model", ".ci/bin/sweep", "deploy/compose/secrets.sh", "grid.yaml", "keys.json",
		} {
			if sent(path) {
				t.Errorf("%s: the build gets %s", file, path)
			}
		}
	}
}

// allowed reads a .dockerignore that leaves everything out (*) but some paths (!path), and patterns below them (**/…).
// It returns whether a path is sent, as far as the paths say.
func allowed(t *testing.T, file string) (sent func(path string) bool) {
	t.Helper()
	var paths []string
	var lines []string
	for line := range strings.Lines(string(read(t, file))) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 || lines[0] != "*" {
		t.Fatalf("%s does not begin with *", file)
	}
	for _, line := range lines[1:] {
		path, allows := strings.CutPrefix(line, "!")
		switch _, err := os.Stat(filepath.Join(root, path)); {
		case allows && err != nil:
			t.Errorf("%s: %v", file, err)
		case allows:
			paths = append(paths, path)
		case !strings.HasPrefix(line, "**/"):
			t.Errorf("%s has the rule %s, which this test does not know", file, line)
		}
	}
	return func(path string) bool {
		return slices.ContainsFunc(paths, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
	}
}
