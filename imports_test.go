package sweep_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/topksweep/sweep"

// A row says what a package may import besides the standard library, and why it may
// import nothing else. Packages of this module are given by their folder. A pattern
// that ends in /... allows a whole tree.
type row struct {
	pkg    string
	allow  []string
	reason string
}

// layout says who may import whom. A package is held to the longest row that it
// lies in. Test files may import anything.
var layout = []row{
	{
		pkg:    "trainer",
		allow:  []string{"trainer/safetensors"},
		reason: "the model is maths: it knows no store, grid or Temporal, so that every backend and tool can use it",
	},
	{
		pkg:    "trainer/safetensors",
		allow:  nil,
		reason: "a file format stands alone",
	},
	{
		pkg:    "trainer/plain",
		allow:  []string{"trainer"},
		reason: "the step as one reads it is compared with backends, and knows none",
	},
	{
		pkg:    "trainer/cpu",
		allow:  []string{"trainer", "golang.org/x/sys/cpu"},
		reason: "a backend computes: it neither reads data nor writes checkpoints",
	},
	{
		pkg:    "trainer/cuda",
		allow:  []string{"trainer", "trainer/cuda/kernels", "trainer/cuda/driver"},
		reason: "a backend computes: it neither reads data nor writes checkpoints",
	},
	{
		pkg:    "trainer/cuda/kernels",
		allow:  []string{"trainer/cuda/driver"},
		reason: "kernels know shapes and launches, and nothing of the model",
	},
	{
		pkg:    "trainer/cuda/driver",
		allow:  []string{"gorgonia.org/cu"},
		reason: "the only package with cgo reaches the driver, and knows no kernel",
	},
	{
		pkg:    "trainer/data",
		allow:  []string{"trainer", "trainer/safetensors"},
		reason: "a source of rows reads local files, and knows no store",
	},
	{
		pkg:    "trainer/backendtest",
		allow:  []string{"trainer", "trainer/plain", "trainer/safetensors"},
		reason: "the suite must run against any backend, so it knows none",
	},
	{
		pkg:    "storage",
		allow:  nil,
		reason: "the checkpoint protocol moves bytes; what they mean is the trainer's matter",
	},
	{
		pkg:    "storage/disk",
		allow:  nil,
		reason: "whether a disk has room is a question to the system alone",
	},
	{
		pkg:    "storage/dir",
		allow:  []string{"storage", "storage/disk"},
		reason: "a store does not know what it stores",
	},
	{
		pkg:    "storage/minio",
		allow:  []string{"storage", "github.com/minio/minio-go/v7/..."},
		reason: "a store does not know what it stores",
	},
	{
		pkg:    "storage/storagetest",
		allow:  []string{"storage"},
		reason: "the suite must run against any store, so it knows none",
	},
	{
		pkg:    "sweep/grid",
		allow:  []string{"trainer", "sweep/spelling", "github.com/goccy/go-yaml/...", "github.com/dustin/go-humanize"},
		reason: "a grid is pure: no network, no clock, no store, no Temporal",
	},
	{
		pkg:    "sweep/spelling",
		allow:  nil,
		reason: "names are compared as texts: what they name is its users' matter",
	},
	{
		pkg:    "sweep/goldentest",
		allow:  []string{"trainer"},
		reason: "tests of every package use it, so it knows none",
	},
	{
		pkg:    "sweep/plan",
		allow:  []string{"trainer", "sweep/grid", "github.com/dustin/go-humanize"},
		reason: "a plan is pure, so that workflows may compute with it: no network, no clock, no store, no YAML",
	},
	{
		pkg:    "sweep/protocol",
		allow:  []string{"sweep/plan"},
		reason: "what workflows and activities say to each other are names and small structs, which do nothing",
	},
	{
		pkg:    "sweep/observe",
		allow:  []string{"sweep/plan", "sweep/protocol", "go.temporal.io/api/...", "go.temporal.io/sdk/..."},
		reason: "what a server knows of a sweep is asked in one place: it reads no store and knows no terminal",
	},
	{
		pkg:    "sweep/ledger",
		allow:  []string{"trainer", "sweep/grid", "sweep/plan", "storage"},
		reason: "a stored sweep is objects in a store: neither Temporal nor a terminal is needed to read one",
	},
	{
		pkg:    "sweep/report",
		allow:  []string{"trainer", "sweep/plan", "sweep/ledger", "sweep/table"},
		reason: "reports are made of results alone: they read no store",
	},
	{
		pkg:    "sweep/page",
		allow:  []string{"trainer", "sweep/plan", "sweep/ledger", "sweep/table"},
		reason: "a page is made of results, curves and plans that it is given: it reads no store and knows no Temporal",
	},
	{
		pkg:    "sweep/similarity",
		allow:  []string{"trainer/safetensors"},
		reason: "decoders are compared as streams of rows: where models lie is a matter of the ledger",
	},
	{
		pkg:    "sweep/track",
		allow:  []string{"sweep/table", "google.golang.org/protobuf/encoding/protowire"},
		reason: "files for trackers are made of tables alone: they may come from a store or from files",
	},
	{
		pkg:    "sweep/scaling",
		allow:  []string{"trainer", "sweep/table", "gonum.org/v1/gonum/...", "github.com/dustin/go-humanize"},
		reason: "a fit is maths on a table: it reads no store and no file",
	},
	{
		pkg: "sweep/table",
		allow: []string{
			"sweep/spelling", "github.com/olekukonko/tablewriter/...", "github.com/parquet-go/parquet-go/...",
			"github.com/klauspost/compress/zstd",
		},
		reason: "a table is columns and rows: where they come from, and what they mean, is its users' matter",
	},
	{
		pkg: "sweep/figures",
		allow: []string{
			"trainer", "sweep/table", "sweep/scaling", "gonum.org/v1/plot/...",
		},
		reason: "figures are drawn of tables, wherever those came from: they read no store and write no file",
	},
	{
		pkg: "workflows",
		allow: []string{
			"sweep/plan", "sweep/protocol", "go.temporal.io/sdk/workflow", "go.temporal.io/sdk/temporal",
			"github.com/dustin/go-humanize",
		},
		reason: "workflow code is deterministic: it imports nothing that trains, stores or reads a file",
	},
	{
		pkg: "activities",
		allow: []string{
			"activities/hostmem", "sweep/grid", "sweep/plan", "sweep/protocol", "sweep/ledger", "sweep/report",
			"sweep/table", "trainer", "trainer/data", "trainer/safetensors", "storage",
			"go.temporal.io/sdk/activity", "go.temporal.io/sdk/temporal",
		},
		reason: "one worker serves any backend and any store: whoever makes the worker hands them to it",
	},
	{
		pkg:    "activities/hostmem",
		allow:  []string{"trainer"},
		reason: "how much memory is free is a question to the host: neither Temporal nor a store knows it",
	},
	{
		pkg: "deploy/local",
		allow: []string{
			"go.temporal.io/...", "github.com/temporalio/...", "google.golang.org/protobuf/...", "golang.org/x/sys/...",
		},
		reason: "the embedded server knows nothing of sweeps",
	},
	{
		pkg:    "cmd/sweep/progress",
		allow:  []string{"sweep/grid", "sweep/plan", "sweep/protocol", "github.com/vbauerster/mpb/v8/..."},
		reason: "what a person sees is drawn from snapshots: it asks no server, reads no store and knows no flags",
	},
	{
		pkg: "cmd/sweep",
		allow: []string{
			"cmd/sweep/progress", "sweep/spelling", "sweep/grid", "sweep/plan", "sweep/protocol", "sweep/ledger", "sweep/report",
			"sweep/table", "sweep/track", "sweep/similarity", "sweep/observe", "sweep/scaling", "sweep/figures", "sweep/page",
			"workflows", "activities", "activities/hostmem", "deploy/local",
			"trainer", "trainer/cpu", "trainer/cuda", "trainer/data",
			"storage", "storage/dir", "storage/disk", "storage/minio",
			"go.temporal.io/api/...", "go.temporal.io/sdk/...", "google.golang.org/grpc/...",
			"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term",
		},
		reason: "the command line is flags, environment and exit status; whatever else it needs is a package's work",
	},
}

// alone says what only one folder, or one file, may import, whatever its row and
// those of others allow.
var alone = []struct {
	imported string
	only     string // the beginning of a file's path
	reason   string
}{
	{
		imported: "github.com/goccy/go-yaml/...",
		only:     "sweep/grid/",
		reason:   "nobody but sweep/grid reads YAML: everybody else gets a grid",
	},
	{
		imported: "gonum.org/v1/plot/...",
		only:     "sweep/figures/",
		reason:   "nobody but sweep/figures draws: everybody else gets files",
	},
	{
		imported: "activities",
		only:     "cmd/sweep/worker.go",
		reason:   "activities only run in a worker: what others need of a stored sweep is in sweep/ledger",
	},
	{
		imported: "workflows",
		only:     "cmd/sweep/worker.go",
		reason:   "workflows only run in a worker: what others need to know of them is in sweep/protocol",
	},
	{
		imported: "go.temporal.io/server/...",
		only:     "deploy/local/",
		reason:   "the embedded server is in deploy/local alone, so that a build with the tag noserver leaves it out",
	},
	{
		imported: "trainer/cpu",
		only:     "cmd/sweep/wire.go",
		reason:   "wire.go alone names concrete backends and stores",
	},
	{
		imported: "trainer/cuda",
		only:     "cmd/sweep/wire.go",
		reason:   "wire.go alone names concrete backends and stores",
	},
	{
		imported: "storage/dir",
		only:     "cmd/sweep/wire.go",
		reason:   "wire.go alone names concrete backends and stores",
	},
	{
		imported: "storage/minio",
		only:     "cmd/sweep/wire.go",
		reason:   "wire.go alone names concrete backends and stores",
	},
}

// unreachable says which packages no chain of imports may lead to.
var unreachable = []struct {
	from, to string
	reason   string
}{
	{
		from:   "workflows",
		to:     "storage/...",
		reason: "a workflow that reads a store does not replay: it asks an activity",
	},
	{
		from:   "workflows",
		to:     "sweep/ledger",
		reason: "a workflow that reads a stored sweep does not replay: it asks an activity",
	},
	{
		from:   "sweep/plan",
		to:     "storage/...",
		reason: "workflows compute with plans, and must reach no store by them",
	},
	{
		from:   "sweep/protocol",
		to:     "storage/...",
		reason: "workflows speak the protocol, and must reach no store by it",
	},
	{
		from:   "trainer/...",
		to:     "storage/...",
		reason: "whoever trains with the trainer alone has no store",
	},
}

func TestImports(t *testing.T) {
	used := map[string]bool{}           // rows
	packages := map[string]bool{}       // of this module
	importedBy := map[string][]string{} // the packages of this module that import one
	eachGoFile(t, parser.ImportsOnly, func(file string, f *ast.File) {
		pkg := path.Dir(file)
		packages[pkg] = true
		r, ok := rowOf(pkg)
		if !ok {
			t.Errorf("%s: package %s has no row in the table of imports", file, pkg)
			return
		}
		used[r.pkg] = true
		for _, spec := range f.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			short := strings.TrimPrefix(imported, module+"/")
			importedBy[short] = append(importedBy[short], pkg)
			if !r.allows(imported) {
				t.Errorf("%s imports %s: %s", file, short, r.reason)
			}
			for _, a := range alone {
				if matches(a.imported, short) && !strings.HasPrefix(file, a.only) {
					t.Errorf("%s imports %s: %s", file, short, a.reason)
				}
			}
		}
	})
	for _, r := range layout {
		if !used[r.pkg] {
			t.Errorf("the table of imports has a row for %s, where there is no code", r.pkg)
		}
	}
	for _, u := range unreachable {
		for to := range packages {
			if !matches(u.to, to) {
				continue
			}
			for pkg, chain := range reach(to, importedBy) {
				if matches(u.from, pkg) {
					t.Errorf("%s: %s", chain, u.reason)
				}
			}
		}
	}
}

// reach returns the packages that import a package, by whatever chain. It gives the
// shortest chain of each, as "workflows imports sweep/plan imports storage".
func reach(to string, importedBy map[string][]string) map[string]string {
	chains := map[string]string{to: to}
	for todo := []string{to}; len(todo) > 0; todo = todo[1:] {
		for _, pkg := range importedBy[todo[0]] {
			if chains[pkg] == "" {
				chains[pkg] = pkg + " imports " + chains[todo[0]]
				todo = append(todo, pkg)
			}
		}
	}
	delete(chains, to)
	return chains
}

// rowOf returns the longest row that a package lies in.
func rowOf(pkg string) (longest row, ok bool) {
	for _, r := range layout {
		if matches(r.pkg+"/...", pkg) && len(r.pkg) > len(longest.pkg) {
			longest, ok = r, true
		}
	}
	return longest, ok
}

// allows says that a row allows an import, which is given as Go files write it.
func (r row) allows(imported string) bool {
	folder, isOurs := strings.CutPrefix(imported, module+"/")
	first, _, _ := strings.Cut(imported, "/")
	isStd := !strings.Contains(first, ".")
	return isStd || slices.ContainsFunc(r.allow, func(pattern string) bool {
		return matches(pattern, imported) || isOurs && matches(pattern, folder)
	})
}

// matches says that a pattern is a package or, with /... behind it, a tree that the
// package lies in.
func matches(pattern, pkg string) bool {
	tree, isTree := strings.CutSuffix(pattern, "/...")
	return pkg == tree || isTree && strings.HasPrefix(pkg, tree+"/")
}

// The table refuses what it is there to refuse.
func TestLayoutRefuses(t *testing.T) {
	const ours = module + "/"
	for _, c := range []struct {
		pkg, imported string
		want          bool
	}{
		{"workflows", ours + "storage", false},
		{"workflows", ours + "trainer", false},
		{"workflows", ours + "sweep/ledger", false},
		{"workflows", ours + "activities", false},
		{"workflows", "go.temporal.io/sdk/client", false},
		{"sweep/plan", ours + "storage", false},
		{"sweep/plan", ours + "storage/dir", false},
		{"sweep/plan", "github.com/goccy/go-yaml", false},
		{"sweep/protocol", ours + "storage", false},
		{"sweep/ledger", ours + "activities", false},
		{"sweep/ledger", ours + "sweep/report", false},
		{"activities", ours + "storage/minio", false},
		{"activities", ours + "trainer/cpu", false},
		{"cmd/sweep", "github.com/goccy/go-yaml/ast", false},
		{"storage/minio/miniotest", ours + "sweep/ledger", false},

		{"workflows", ours + "sweep/plan", true},
		{"storage", "encoding/json", true},
		{"sweep/grid", "github.com/goccy/go-yaml/ast", true},
		{"cmd/sweep", ours + "activities", true},
	} {
		if r, ok := rowOf(c.pkg); !ok || r.allows(c.imported) != c.want {
			t.Errorf("%s may import %s: %v, want %v", c.pkg, c.imported, !c.want, c.want)
		}
	}
	importedBy := map[string][]string{"storage": {"b", "c"}, "b": {"a"}, "c": {"b"}}
	if got, want := reach("storage", importedBy)["a"], "a imports b imports storage"; got != want {
		t.Errorf("the chain is %q, want %q", got, want)
	}
}

// eachGoFile calls visit for the Go files of this module that are no tests, with
// their paths from the root.
func eachGoFile(t *testing.T, mode parser.Mode, visit func(file string, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			isLeftOut := name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
			if file != "." && (isLeftOut || nestedModule(file)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, mode)
		if err == nil {
			visit(filepath.ToSlash(file), f)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// nestedModule reports whether a folder is a Go module of its own, such as a
// code generator with dependencies that the program must not have.
func nestedModule(dir string) bool {
	found, _ := filepath.Glob(filepath.Join(dir, "go.mod"))
	return len(found) > 0
}
