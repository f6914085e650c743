package grid

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParseOptions bounds what Parse takes on. A zero field is its default.
type ParseOptions struct {
	MaxCells int   // size limit of a grid; default MaxCells
	MaxBytes int64 // size limit of a file; default MaxBytes
}

// Defaults of ParseOptions.
const (
	MaxCells = 1_000_000
	MaxBytes = 1 << 20
)

// Parse reads a grid.yaml; filename is for messages only. What is wrong with it
// is an Errors: all of it at once, in the order of the file.
func Parse(filename string, src []byte, opts ParseOptions) (*Grid, error) {
	if opts.MaxCells <= 0 {
		opts.MaxCells = MaxCells
	}
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = MaxBytes
	}
	p := &parse{
		opts: opts, lines: newLines(src), schema: newSchema(),
		grid: &Grid{file: filename, Run: DefaultRunOptions()},
	}
	p.grid.schema = p.schema
	if int64(len(src)) > opts.MaxBytes {
		p.errorf(position{1, 1}, "", "the file has %d bytes: more than the limit of %d", len(src), opts.MaxBytes)
	} else if root := p.readYAML(src); root != nil {
		p.document(root)
	}
	if len(p.errs) > 0 {
		return nil, p.errs.sorted()
	}
	return p.grid, nil
}

// A parse is one file on its way to a Grid.
type parse struct {
	opts   ParseOptions
	lines  lines
	schema *schema
	grid   *Grid
	errs   Errors
	broken []string          // axes without a value that could be read
	places []place           // of every key, once one is unknown
	rivals map[string]advice // likewise
	hints  map[string]string // for the unknown keys so far
}

func (p *parse) errorf(at position, path, format string, args ...any) {
	at = p.lines.clamp(at)
	p.errs = append(p.errs, Error{p.grid.file, at.line, at.column, clip(path, 100), clip(fmt.Sprintf(format, args...), 400)})
}

// clip makes s fit for a line of a terminal: without control characters, and cut
// after n bytes or a little more. What a file holds may be anything.
func clip(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n++
	}
	return s[:n] + "…"
}

// wrong reports a node of the wrong kind, unless it has an error already.
func (p *parse) wrong(n *node, path, want string) {
	if n.kind != unreadable {
		p.errorf(n.pos, path, "%s, not %s", want, n.kind)
	}
}

var nameRE = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// document reads the top level.
func (p *parse) document(root *node) {
	if root.kind != dict {
		p.wrong(root, "", "a grid is a map with the keys name, data, parameters, …")
		return
	}
	known := []string{"name", "data", "parameters", "train", "include", "exclude", "zip", "run"}
	for _, e := range root.entries {
		if !slices.Contains(known, e.key) {
			p.unknown(e, "", known)
		}
	}
	p.name(root)
	p.data(root)
	p.run(root)
	p.cells(root)
}

func (p *parse) name(root *node) {
	e := root.get("name")
	if e == nil {
		p.errorf(root.pos, "name", "missing: every sweep has a name, such as name: topk-layer8")
		return
	}
	if e.value.kind != scalar || !nameRE.MatchString(e.value.text) {
		shown := e.value.kind.String()
		if e.value.kind == scalar {
			shown = fmt.Sprintf("%q", e.value.text)
		}
		p.errorf(e.value.pos, "name", "%s is not a name: want at most 64 of a-z, 0-9 and -, not beginning with -", shown)
		return
	}
	p.grid.Name = e.value.text
}
