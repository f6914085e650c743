package sweep_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// keySections are what the keys of a store begin with, and the files that may spell
// it out.
var keySections = []struct {
	section string
	in      []string // beginnings of paths
}{
	{"sweeps/", []string{"sweep/ledger/keys.go"}},
	{"results/", []string{"sweep/ledger/keys.go"}},
	{"models/", []string{"sweep/ledger/keys.go"}},
	{"inits/", []string{"sweep/ledger/keys.go"}},
	{"stages/", []string{"sweep/ledger/keys.go", "storage/"}},
}

// suite runs against any store, under keys of its own.
const suite = "storage/storagetest/"

// Nobody makes keys of a store by hand: then whoever changes where something lies,
// or asks who writes it, has one place to look at.
func TestKeysAreSpeltInOnePlace(t *testing.T) {
	spelt := map[string]bool{}
	eachGoFile(t, parser.SkipObjectResolution, func(file string, f *ast.File) {
		for _, text := range literals(f) {
			section, ok := badKey(file, text)
			if ok {
				t.Errorf("%s spells the key %q: keys that begin with %s are made by the functions of "+
					"sweep/ledger/keys.go or by package storage, so that each is written and read in one place",
					file, text, section)
			}
			spelt[file+" "+text] = true
		}
	})
	for _, k := range keySections {
		if !spelt[k.in[0]+" "+k.section] {
			t.Errorf("%s does not spell %s: the test looks for the wrong thing", k.in[0], k.section)
		}
	}
}

// badKey says that a text begins a key that the file must not spell, and with which
// section.
func badKey(file, text string) (section string, bad bool) {
	if strings.HasPrefix(file, suite) {
		return "", false
	}
	for _, k := range keySections {
		if !strings.HasPrefix(text, k.section) {
			continue
		}
		for _, prefix := range k.in {
			if strings.HasPrefix(file, prefix) {
				return "", false
			}
		}
		return k.section, true
	}
	return "", false
}

// literals returns the texts that a file has in quotes, without those of imports.
func literals(f *ast.File) (texts []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				texts = append(texts, text)
			}
		}
		return true
	})
	return texts
}

// TestKeysAreSpeltInOnePlace finds what it is there to find.
func TestBadKey(t *testing.T) {
	src := "package p\nimport \"results/x\"\nvar a = `sweeps/%s/plan.json` + \"stages/\"\n"
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if got := literals(f); len(got) != 2 || got[0] != "sweeps/%s/plan.json" || got[1] != "stages/" {
		t.Errorf("literals %q", got)
	}
	for _, c := range []struct {
		file, text string
		bad        bool
	}{
		{"sweep/ledger/keys.go", "sweeps/", false},
		{"sweep/ledger/plan.go", "sweeps/%s/plan.json", true},
		{"cmd/sweep/cmd_list.go", "results/ab12.json", true},
		{"activities/export.go", "models/", true},
		{"activities/train.go", "stages/x", true},
		{"storage/layout.go", "stages/", false},
		{"storage/layout.go", "results/", true},
		{"storage/storagetest/conformance.go", "results/ab12.json", false},
		{"cmd/sweep/cmd_list.go", "a text about results/ and stages/", false},
	} {
		if _, bad := badKey(c.file, c.text); bad != c.bad {
			t.Errorf("%s may not spell %q: %v, want %v", c.file, c.text, bad, c.bad)
		}
	}
}
