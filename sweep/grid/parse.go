package grid

import (
	"fmt"
	"regexp"
	"slices"
)

// ParseOptions limits what Parse accepts. A field that is 0 means its default.
type ParseOptions struct {
	MaxCells int   // largest number of cells in a grid; default MaxCells
	MaxBytes int64 // largest size of a file; default MaxBytes
}

// The defaults of ParseOptions.
const (
	MaxCells = 1_000_000
	MaxBytes = 1 << 20
)

// Parse reads the text of a grid.yaml. filename is used in messages only. An error is of type Errors and holds
// everything that is wrong with the grid, in the order of the file.
func Parse(filename string, src []byte, opts ParseOptions) (*Grid, error) {
	if opts.MaxCells <= 0 {
		opts.MaxCells = MaxCells
	}
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = MaxBytes
	}
	p := &parser{
		opts: opts, lengths: newLineLengths(src), schema: newSchema(),
		grid: &Grid{file: filename, Run: DefaultRunOptions()},
	}
	p.grid.schema = p.schema
	if int64(len(src)) > opts.MaxBytes {
		p.errorf(position{1, 1}, "", "the file has %d bytes: more than the limit of %d", len(src), opts.MaxBytes)
	} else if root := p.readYAML(src); root != nil {
		p.readDocument(root)
	}
	if len(p.errs) > 0 {
		return nil, p.errs.sorted()
	}
	return p.grid, nil
}

// A parser reads one file into a Grid and collects its errors.
type parser struct {
	opts    ParseOptions
	lengths lineLengths
	schema  *schema
	grid    *Grid
	errs    Errors

	normalizeInit   position // of the value true of normalize_init
	normalizeInitAt string   // its path; "" without one
	unreadableAxes  []string // keys of axes of which no value could be read
	unreadableSets  bool     // data.sets could not be read
	dataInInclude   bool     // each entry of include names its data set

	// Used by unknown. They are nil until the first unknown key.
	keys        []knownKey            // every key of a grid
	foreignKeys map[string]suggestion // what to write instead of other tools' keys
	suggestions map[string]string     // for the unknown keys so far
}

// errorf adds an error about the key at path.
func (p *parser) errorf(at position, path, format string, args ...any) {
	at = p.lengths.clamp(at)
	msg := clip(fmt.Sprintf(format, args...), 400)
	p.errs = append(p.errs, Error{p.grid.file, at.line, at.column, clip(path, 100), msg})
}

// wrongKind reports a node that is not what is wanted, unless the node has an error already.
func (p *parser) wrongKind(n *node, path, want string) {
	if n.kind != unreadableNode {
		p.errorf(n.pos, path, "%s, not %s", want, n.kind)
	}
}

// join appends a key to a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// topLevelKeys lists the sections of a grid.
func topLevelKeys() []string {
	return []string{"name", "data", "preset", "parameters", "train", "include", "exclude", "zip", "run"}
}

// readDocument reads all sections.
func (p *parser) readDocument(root *node) {
	if root.kind != mapNode {
		p.wrongKind(root, "", "a grid is a map with the keys name, data, parameters, …")
		return
	}
	known := topLevelKeys()
	for _, e := range root.entries {
		if !slices.Contains(known, e.key) {
			p.unknown(e, "", known)
		}
	}
	p.readName(root)
	p.readData(root)
	p.readRun(root)
	p.readSettings(root)
}

var nameRE = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

func (p *parser) readName(root *node) {
	e := root.get("name")
	if e == nil {
		p.errorf(root.pos, "name", "missing: every sweep has a name, such as name: topk-layer8")
		return
	}
	if e.value.kind != scalarNode || !nameRE.MatchString(e.value.text) {
		shown := e.value.kind.String()
		if e.value.kind == scalarNode {
			shown = fmt.Sprintf("%q", e.value.text)
		}
		p.errorf(e.value.pos, "name",
			"%s is not a name: want at most 64 of a-z, 0-9 and -, not beginning with -", shown)
		return
	}
	p.grid.Name = e.value.text
}

// readSettings reads the sections that define the settings: preset, train, parameters, zip, exclude and include. Then
// it checks the settings.
func (p *parser) readSettings(root *node) {
	g := p.grid
	g.parameters = root.pos
	var err error
	if g.base, err = p.schema.defaults(); err != nil {
		p.errorf(root.pos, "", "%v", err)
		return
	}
	if !slices.ContainsFunc([]string{"parameters", "train", "include", "preset"},
		func(key string) bool { return root.get(key) != nil }) {
		p.errorf(root.pos, "parameters", "missing: it holds the axes, such as k: [16, 32, 64]")
		return
	}
	p.readPreset(root)
	before := len(p.errs)
	if n := p.fieldSection(root, "train"); n != nil {
		p.readTrain(n)
	}
	if n := p.fieldSection(root, "parameters"); n != nil {
		g.parameters = root.get("parameters").pos
		p.readParameters(n, root)
	}
	p.addDataAxis(root)
	fieldsOK := len(p.errs) == before &&
		!root.value("train").incomplete() && !root.value("parameters").incomplete()
	before = len(p.errs)
	p.readZip(root.get("zip"))
	p.checkRepeats()
	p.readExclude(root.get("exclude"))
	p.readInclude(root.get("include"))
	p.checkNormalizeInit()
	if len(p.errs) > before || root.value("zip").incomplete() ||
		root.value("exclude").incomplete() || root.value("include").incomplete() {
		return // which settings there are is not known
	}
	if n := g.product(); n+int64(len(g.include)) > int64(p.opts.MaxCells) {
		p.tooManyCells(n)
		return
	}
	g.keepUsedSets()
	size := func(set int) dataSize { return dataSize{dim: g.Sets[set].width()} } // 0 before files are opened
	// After an error in train or parameters, a field may have its default only because its value could not be read.
	// Then only conflicts between values that the file gives are reported.
	p.errs = append(p.errs, g.check(size, !fieldsOK)...)
}
