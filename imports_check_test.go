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
