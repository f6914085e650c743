package sweep_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/topksweep/sweep"

// layout says who may import whom. A package is held to the longest row that it
// lies in. A pattern that ends in /... allows a whole tree; "std" is the
// standard library.
var layout = []struct {
	pkg    string
	allow  []string
	reason string // why nothing else
}{
	{"trainer", []string{"std", "trainer/safetensors"}, "the model is maths: it knows nothing of stores, grids or Temporal, so that every backend and tool can stand on it"},
	{"trainer/safetensors", []string{"std"}, "a file format stands alone"},
	{"trainer/cpu", []string{"std", "trainer", "golang.org/x/sys/cpu"}, "a backend computes; it neither reads data nor writes checkpoints"},
	{"trainer/cuda", []string{"std", "trainer", "trainer/cuda/kernels", "trainer/cuda/driver"}, "a backend computes; it neither reads data nor writes checkpoints"},
	{"trainer/cuda/kernels", []string{"std", "trainer/cuda/driver"}, "kernels know shapes and launches, and nothing of the model"},
	{"trainer/cuda/driver", []string{"std", "gorgonia.org/cu"}, "the only package with cgo: it reaches the driver and knows no kernel"},
	{"trainer/data", []string{"std", "trainer", "trainer/safetensors"}, "data come through an opener that is handed in: a source knows no store"},
	{"trainer/backendtest", []string{"std", "trainer", "trainer/safetensors"}, "the suite must run against any backend, so it knows none"},
	{"storage", []string{"std"}, "the checkpoint protocol moves bytes; what they mean is the trainer's matter"},
	{"storage/dir", []string{"std", "storage"}, "a store knows nothing of what it stores"},
	{"storage/minio", []string{"std", "storage", "github.com/minio/minio-go/v7/..."}, "a store knows nothing of what it stores"},
	{"storage/storagetest", []string{"std", "storage"}, "the suite must run against any store, so it knows none"},
	{"sweep/grid", []string{"std", "trainer", "github.com/goccy/go-yaml/...", "github.com/dustin/go-humanize"}, "a grid is pure: no network, no clock, no store, no Temporal; YAML is read here and nowhere else"},
	{"sweep/plan", []string{"std", "trainer", "sweep/grid", "github.com/dustin/go-humanize"}, "a plan is pure, so that workflows may compute with it: no network, no clock, no store, no YAML"},
	{"sweep/protocol", []string{"std", "sweep/plan"}, "what workflows and activities say to each other: names and small structs, nothing that does"},
	{"sweep/ledger", []string{"std", "trainer", "sweep/grid", "sweep/plan", "storage"}, "a stored sweep is objects in a store: neither Temporal nor a terminal is needed to read one"},
	{"sweep/report", []string{"std", "trainer", "sweep/plan", "sweep/ledger", "github.com/olekukonko/tablewriter/..."}, "reports are made of results alone: they read no store"},
	{"workflows", []string{"std", "sweep/plan", "sweep/protocol", "go.temporal.io/sdk/workflow", "go.temporal.io/sdk/temporal"}, "workflow code is deterministic: nothing that trains, stores or reads a file may be within its reach"},
	{"activities", []string{"std", "activities/hostmem", "sweep/grid", "sweep/plan", "sweep/protocol", "sweep/ledger", "sweep/report", "trainer", "trainer/data", "trainer/safetensors", "storage", "go.temporal.io/sdk/activity", "go.temporal.io/sdk/temporal"}, "concrete backends and stores are handed in, so that one worker binary serves all"},
	{"deploy/local", []string{"std", "go.temporal.io/...", "github.com/temporalio/...", "google.golang.org/protobuf/...", "golang.org/x/sys/..."}, "the embedded server knows nothing of sweeps; nothing else may import the server"},
	{"cmd/sweep/progress", []string{"std", "sweep/grid", "sweep/plan", "sweep/protocol", "github.com/vbauerster/mpb/v8/..."}, "what a person sees is drawn from snapshots: it asks no server, reads no store and knows no flags"},
	{"cmd/sweep", []string{"std", "cmd/sweep/progress", "sweep/grid", "sweep/plan", "sweep/protocol", "sweep/ledger", "sweep/report", "workflows", "activities", "activities/hostmem", "trainer", "trainer/cpu", "trainer/cuda", "trainer/data", "storage", "storage/dir", "storage/minio", "deploy/local", "go.temporal.io/api/...", "go.temporal.io/sdk/...", "github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term", "google.golang.org/grpc/..."}, "flags, environment and exit status; the embedded server only through deploy/local, what a person sees while it runs only through progress"},
}

// oneFile has the packages that one file of the program alone may import, with the
// reason.
var oneFile = map[string]struct{ file, reason string }{
	"trainer/cpu":        {"wire.go", "wire.go alone names concrete backends and stores"},
	"trainer/cuda":       {"wire.go", "wire.go alone names concrete backends and stores"},
	"storage/dir":        {"wire.go", "wire.go alone names concrete backends and stores"},
	"storage/minio":      {"wire.go", "wire.go alone names concrete backends and stores"},
	"activities":         {"worker.go", "activities are there to make a worker, and for nothing else"},
	"workflows":          {"worker.go", "workflows are there to make a worker, and for nothing else"},
	"activities/hostmem": {"cmd_bench.go", "only sweep bench trains outside a worker's activities"},
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || nestedModule(path)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		row := -1
		for i, r := range layout {
			if (pkg == r.pkg || strings.HasPrefix(pkg, r.pkg+"/")) && (row < 0 || len(r.pkg) > len(layout[row].pkg)) {
				row = i
			}
		}
		if row < 0 {
			t.Errorf("%s: package %s has no row in the table of imports", path, pkg)
			return nil
		}
		seen[layout[row].pkg] = true
		for _, spec := range f.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			own := strings.TrimPrefix(imported, module+"/")
			if !allowed(layout[row].allow, imported, own) {
				t.Errorf("%s imports %s: %s", path, own, layout[row].reason)
			}
			if only, ok := oneFile[own]; ok && pkg == "cmd/sweep" && filepath.Base(path) != only.file {
				t.Errorf("%s imports %s: %s", path, own, only.reason)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range layout {
		if !seen[r.pkg] {
			t.Errorf("the table of imports has a row for %s, where there is no code", r.pkg)
		}
	}
}

func allowed(patterns []string, imported, own string) bool {
	for _, p := range patterns {
		tree, isTree := strings.CutSuffix(p, "/...")
		switch {
		case p == "std" && !strings.Contains(strings.SplitN(imported, "/", 2)[0], "."):
			return true
		case p == imported, p == own && own != imported:
			return true
		case isTree && (imported == tree || strings.HasPrefix(imported, tree+"/")):
			return true
		}
	}
	return false
}

// nestedModule reports whether a folder is a Go module of its own, such as a
// code generator with dependencies that the program must not have.
func nestedModule(dir string) bool {
	found, _ := filepath.Glob(filepath.Join(dir, "go.mod"))
	return len(found) > 0
}
