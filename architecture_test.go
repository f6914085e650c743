package sweep_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer/data"
)

// What the documents name in backquotes is there: files, as trainer/loop.go, and
// what packages export, as plan.Stage.Next.
func TestNames(t *testing.T) {
	files, err := filepath.Glob("docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	known := exported(t)
	for _, file := range append(files, "README.md", "CONTRIBUTING.md") {
		paths, names := quotedNames(read(t, file))
		for _, path := range paths {
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s names %s, which is not there", file, path)
			}
		}
		for _, name := range names {
			if !known[name] {
				t.Errorf("%s names %s, which no package here exports", file, name)
			}
		}
	}
}

var (
	backquoted = regexp.MustCompile("`([^`\n]+)`")
	pathRE     = regexp.MustCompile(`^(activities|cmd|deploy|docs|examples|storage|sweep|trainer|workflows)/[\w./-]+$`)
	nameRE     = regexp.MustCompile(`^[a-z]+(\.[A-Z]\w*)+$`)
)

// quotedNames returns what of a document's words in backquotes is a path of this
// repository, and what is a name as Go writes it. Quoted programs are left out.
func quotedNames(text string) (paths, names []string) {
	for i, part := range strings.Split(text, "```") {
		if i%2 == 1 {
			continue
		}
		for _, m := range backquoted.FindAllStringSubmatch(part, -1) {
			switch word := m[1]; {
			case pathRE.MatchString(word):
				paths = append(paths, word)
			case nameRE.MatchString(word):
				names = append(names, word)
			}
		}
	}
	return paths, names
}

// exported returns the names of the packages here and what they export:
// plan, plan.Stage, plan.Stage.Next, plan.Stage.From.
func exported(t *testing.T) map[string]bool {
	known := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (name == "testdata" || strings.HasPrefix(name, ".") || nestedModule(path)):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err == nil {
			known[f.Name.Name] = true
			declared(f, func(name string) { known[f.Name.Name+"."+name] = true })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}

// declared calls add with each name that a file declares at its top level, and
// with Type.Name for methods and fields.
func declared(f *ast.File, add func(name string)) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add(d.Name.Name)
				continue
			}
			of := d.Recv.List[0].Type
			if star, ok := of.(*ast.StarExpr); ok {
				of = star.X
			}
			if generic, ok := of.(*ast.IndexExpr); ok {
				of = generic.X
			}
			add(of.(*ast.Ident).Name + "." + d.Name.Name)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					for _, n := range s.Names {
						add(n.Name)
					}
				case *ast.TypeSpec:
					add(s.Name.Name)
					var members *ast.FieldList
					switch of := s.Type.(type) {
					case *ast.StructType:
						members = of.Fields
					case *ast.InterfaceType:
						members = of.Methods
					default:
						continue
					}
					for _, m := range members.List {
						for _, n := range m.Names {
							add(s.Name.Name + "." + n.Name)
						}
					}
				}
			}
		}
	}
}

// TestNames finds what it is there to find.
func TestQuotedNames(t *testing.T) {
	text := "`trainer/loop.go` and `trainer.Loop.Run`, `a b`, `stages/<folder>/`\n" +
		"```\n`trainer/no.go`\n```\n`storage/`, `data.Open`\n"
	paths, names := quotedNames(text)
	if want := []string{"trainer/loop.go"}; !slices.Equal(paths, want) {
		t.Errorf("paths %q, want %q", paths, want)
	}
	if want := []string{"trainer.Loop.Run", "data.Open"}; !slices.Equal(names, want) {
		t.Errorf("names %q, want %q", names, want)
	}
	known := exported(t)
	have := []string{"trainer.Loop.Run", "trainer.Config.Steps", "trainer.Backend.New", "data.Open", "storage.ErrExists"}
	for _, name := range have {
		if !known[name] {
			t.Errorf("%s is not among what the packages export", name)
		}
	}
	if known["trainer.Loop.Walk"] || known["loops.Run"] {
		t.Error("names that nothing has are among what the packages export")
	}
}

// The tree that docs/architecture.md follows is that of the grid it shows.
func TestArchitectureTree(t *testing.T) {
	const file = "docs/architecture.md"
	doc := read(t, file)
	_, src, _ := strings.Cut(doc, "```yaml\n")
	src, _, ok := strings.Cut(src, "```\n")
	if !ok {
		t.Fatalf("%s shows no grid", file)
	}
	g, err := grid.Parse("tree.yaml", []byte(src), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := data.Open(t.Context(), g.Data, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	p, err := plan.New(g, set.Info(), plan.Estimates{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(doc, p.ID) {
		t.Errorf("%s does not name the sweep %s", file, p.ID)
	}
	var text bytes.Buffer
	if err := p.WriteText(&text, false, 0); err != nil {
		t.Fatal(err)
	}
	shown := 0
	for line := range strings.Lines(text.String()) {
		if strings.Contains(line, " steps ") || strings.Contains(line, " → ") || strings.Contains(line, "first latent") {
			if shown++; !strings.Contains(doc, line) {
				t.Errorf("%s does not show this line of the plan: %s", file, line)
			}
		}
	}
	if shown != 7 {
		t.Errorf("looked for %d lines of the plan, want 7", shown)
	}
}
