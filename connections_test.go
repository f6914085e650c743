package sweep_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every connection of the program to a Temporal server is made by connect in cmd/sweep, which makes it one on which a
// server that is silent for a moment stops no training. One that is made elsewhere would not be.

// dialers are the functions that make a connection, by the package that they are of.
func dialers() map[string][]string {
	return map[string][]string{
		"go.temporal.io/sdk/client": {
			"Dial", "DialContext", "NewClient", "NewLazyClient", "NewClientFromExisting", "NewClientFromExistingWithContext",
			"NewNamespaceClient",
		},
		"google.golang.org/grpc": {"Dial", "DialContext", "NewClient"},
	}
}

// dialing are the functions that may make a connection, by file.
func dialing() map[string]string {
	return map[string]string{
		"cmd/sweep/connection.go":  "connect",
		"deploy/local/temporal.go": "awaitReady",   // it ends before anything trains
		"deploy/local/webui.go":    "dialFrontend", // nothing that trains uses it
	}
}

func TestConnectionsAreMadeInOnePlace(t *testing.T) {
	met := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, call := range dialsIn(parsed) {
			if in := dialing()[filepath.ToSlash(file)]; in != call.function {
				t.Errorf("%s: %s calls %s: connect in cmd/sweep/connection.go makes every connection", file, call.function,
					call.dials)
			}
			met[filepath.ToSlash(file)] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for file := range dialing() {
		if !met[file] {
			t.Errorf("%s makes no connection: this test finds none, or the table is out of date", file)
		}
	}
}

// A dial is a use of a function that makes a connection.
type dial struct{ function, dials string }

// dialsIn lists where a file names functions that make connections.
func dialsIn(f *ast.File) (found []dial) {
	names := map[string]string{} // of packages as the file has them
	for _, spec := range f.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if dialers()[path] == nil {
			continue
		}
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
		if name == "." {
			found = append(found, dial{"an import with a dot", path})
		}
	}
	for _, decl := range f.Decls {
		function := "a declaration"
		if fn, ok := decl.(*ast.FuncDecl); ok {
			function = fn.Name.Name
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if of, ok := selector.X.(*ast.Ident); ok && slices.Contains(dialers()[names[of.Name]], selector.Sel.Name) {
				found = append(found, dial{function, of.Name + "." + selector.Sel.Name})
			}
			return true
		})
	}
	return found
}

// TestConnectionsAreMadeInOnePlace finds what it is there to find.
func TestDialsIn(t *testing.T) {
	const src = `package p
import ("google.golang.org/grpc"; temporal "go.temporal.io/sdk/client"; "net")
var lazy = temporal.NewLazyClient
func f() { temporal.DialContext(nil); grpc.NewClient(""); net.Dial("", ""); temporal.Options{}.x() }
`
	parsed, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	want := []dial{{"a declaration", "temporal.NewLazyClient"}, {"f", "temporal.DialContext"}, {"f", "grpc.NewClient"}}
	if got := dialsIn(parsed); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
