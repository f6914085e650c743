package sweep_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Each row of the fault matrix names tests that are there.
func TestFaultMatrix(t *testing.T) {
	rows, faults := matrixFaults(read(t, "docs/faults.md"), namedTests(t))
	for _, fault := range faults {
		t.Error("docs/faults.md: " + fault)
	}
	if rows < 30 {
		t.Errorf("docs/faults.md has %d rows with tests, want at least 30: is its table still read?", rows)
	}
}

// matrixHead is the head of the tables of docs/faults.md whose rows are checked.
const matrixHead = "| fault | you see | then | test |"

// matrixFaults counts the rows of the fault matrix in a document, and says what is wrong with them. A row names its
// tests as `TestFailFast`, or with the package where several have one of this name: `cmd/sweep: TestFailFast`. tests
// has the packages of each test, by its name or by that of its subtest, as "TestStack/Chaos".
func matrixFaults(text string, tests map[string][]string) (rows int, faults []string) {
	inMatrix := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == matrixHead:
			inMatrix = true
			continue
		case !strings.HasPrefix(line, "|"):
			inMatrix = false
		}
		if !inMatrix || strings.Trim(line, "|-") == "" {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 4 || slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) == "" }) {
			faults = append(faults, "want four cells with text: "+line)
			continue
		}
		names := backquoted.FindAllStringSubmatch(cells[3], -1)
		if len(names) == 0 {
			faults = append(faults, "no test in "+line)
		}
		for _, m := range names {
			of, name, given := strings.Cut(m[1], ": ")
			if !given {
				name = m[1]
			}
			switch in := tests[name]; {
			case len(in) == 0, given && !slices.Contains(in, of):
				faults = append(faults, "there is no test "+m[1])
			case len(in) > 1 && !given:
				faults = append(faults, fmt.Sprintf("the test %s is in several packages: %s", name, strings.Join(in, ", ")))
			}
		}
	}
	return rows, faults
}

var testName = regexp.MustCompile(`^Test[^a-z]`)

// namedTests returns the packages of each test here: of top-level tests, and of subtests whose name stands in the call
// of Run in the body of a top-level test.
func namedTests(t *testing.T) map[string][]string {
	tests := map[string][]string{}
	add := func(name, in string) {
		if !slices.Contains(tests[name], in) {
			tests[name] = append(tests[name], in)
		}
	}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (name == "testdata" || strings.HasPrefix(name, ".") || nestedModule(path)):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		in := filepath.ToSlash(filepath.Dir(path))
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || fn.Body == nil || !testName.MatchString(fn.Name.Name) || fn.Name.Name == "TestMain" {
				continue
			}
			add(fn.Name.Name, in)
			for _, sub := range subtests(fn.Body) {
				add(fn.Name.Name+"/"+sub, in)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

// subtests returns the names that the calls of Run in a function have as literals.
func subtests(body ast.Node) (names []string) {
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		if of, ok := call.Fun.(*ast.SelectorExpr); !ok || of.Sel.Name != "Run" {
			return true
		}
		if lit, ok := call.Args[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if name, err := strconv.Unquote(lit.Value); err == nil {
				names = append(names, name)
			}
		}
		return true
	})
	return names
}

// The check of the matrix finds what it is there to find.
func TestFaultMatrixCheck(t *testing.T) {
	tests := map[string][]string{"TestA": {"a"}, "TestA/B": {"a"}, "TestC": {"a", "b"}}
	text := "| fault | you see | then | test |\n|---|---|---|---|\n" +
		"| good | it | goes on | `TestA/B`, `TestA` |\n" +
		"| no such test | it | goes on | `TestA`, `TestB` |\n" +
		"| no test | it | goes on | TestA |\n" +
		"| in two packages | it | goes on | `TestC` |\n" +
		"| in one of them | it | goes on | `b: TestC` |\n" +
		"| in another | it | goes on | `a/b: TestC` |\n" +
		"| empty | | goes on | `TestA` |\n" +
		"text\n| another | table | is | `TestD` |\n"
	want := []string{
		"there is no test TestB",
		"no test in | no test | it | goes on | TestA |",
		"the test TestC is in several packages: a, b",
		"there is no test a/b: TestC",
		"want four cells with text: | empty | | goes on | `TestA` |",
	}
	if rows, got := matrixFaults(text, tests); rows != 7 || !slices.Equal(got, want) {
		t.Errorf("%d rows, %q\nwant 7 rows, %q", rows, got, want)
	}
	known := namedTests(t)
	for _, name := range []string{"TestFaultMatrixCheck", "TestStack/Chaos"} {
		if len(known[name]) != 1 {
			t.Errorf("%s is found in %q, want one package", name, known[name])
		}
	}
}
