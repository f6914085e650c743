package sweep_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Every link between documents leads to a file, and to a heading of it.
func TestLinks(t *testing.T) {
	headings := map[string][]string{}
	var files []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != "." && strings.HasPrefix(name, "."):
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ".md"):
			files = append(files, path)
			headings[path] = anchors(read(t, path))
		}
		return nil
	})
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	for _, file := range files {
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			to := file
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(file), m[1])
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			} else if m[2] != "" && !slices.Contains(headings[to], m[2]) {
				t.Errorf("%s links to %s of %s; it has %s", file, m[2], to, strings.Join(headings[to], ", "))
			}
		}
	}
}

// anchors returns the anchors of a document's headings, as GitHub makes them:
// "## How fast?" is #how-fast.
func anchors(text string) []string {
	var out []string
	quoted := false
	for line := range strings.Lines(text) {
		quoted = quoted != strings.HasPrefix(line, "```")
		title := strings.TrimLeft(line, "#")
		if quoted || title == line || !strings.HasPrefix(title, " ") {
			continue
		}
		out = append(out, "#"+strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(title)))
	}
	return out
}

// Widest lines of a document, in characters: prose is read in editors without
// wrapping, and a wide table breaks in them.
const (
	maxProse = 120
	maxTable = 100
)

func TestWidths(t *testing.T) {
	files, err := filepath.Glob("docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, "README.md", "CONTRIBUTING.md") {
		for _, fault := range tooWide(read(t, file)) {
			t.Errorf("%s:%s", file, fault)
		}
	}
}

// tooWide names the lines that are wider than they may be. Quoted programs and
// their output, between lines of ```, may have any width.
func tooWide(text string) []string {
	var out []string
	quoted, opened, n := false, 0, 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSuffix(line, "\n")
		what, most := "line", maxProse
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			quoted, opened = !quoted, n
			continue
		case quoted:
			continue
		case strings.HasPrefix(line, "|"):
			what, most = "table row", maxTable
		}
		if width := utf8.RuneCountInString(line); width > most {
			out = append(out, fmt.Sprintf("%d: a %s of %d characters, want at most %d", n, what, width, most))
		}
	}
	if quoted {
		out = append(out, fmt.Sprintf("%d: a quotation that does not end", opened))
	}
	return out
}

// The checks of this file find what they are there to find.
func TestDocumentChecks(t *testing.T) {
	wide := strings.Repeat("x", maxTable-1)
	text := wide + strings.Repeat("é", 22) + "\n" + // 1: one too many
		"| " + wide + "\n" + // 2: one too many
		"|" + wide + "\n" + wide + "x\n```sh\n" + wide + wide + "\n```\n```\n" // fits, fits, quoted, unended in line 8
	want := []string{
		"1: a line of 121 characters, want at most 120",
		"2: a table row of 101 characters, want at most 100",
		"8: a quotation that does not end",
	}
	if got := tooWide(text); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	text = "# How fast?\n```\n# quoted\n```\n#hash\n## `gc`, and A-b_c\n"
	if got, want := anchors(text), []string{"#how-fast", "#gc-and-a-b_c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// No line of Go is wider than a screen.
func TestGoWidth(t *testing.T) {
	const most = 120
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		files++
		for i, line := range strings.Split(read(t, path), "\n") {
			if n := utf8.RuneCountInString(line); n > most {
				t.Errorf("%s:%d: a line of %d characters, want at most %d", path, i+1, n, most)
			}
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Fatalf("%d files, %v", files, err)
	}
}
