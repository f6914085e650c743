package grid

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/topksweep/sweep/sweep/spelling"
	"github.com/topksweep/sweep/trainer"
)

// DataKey is the key of the axis of data sets, where data.sets names several.
const DataKey = "data"

// maxSets is the largest number of data sets in a grid: several places in each layer of a large model.
const maxSets = 256

var setNameRE = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// A Set is one data set of a grid.
type Set struct {
	Name string            // of data.sets; "" for the one set of a grid that names none
	Data *trainer.DataSpec // of the one set: Grid.Data

	path       string   // of the section: data, or data.sets.NAME
	at         position // of the set's name
	source     position // of the value of source or synthetic
	evalSource position // of the value of eval_source
}

// Label names the set at the beginning of a message, as in "data.sets.l3: ". It is "" for a set without a name.
func (s *Set) Label() string {
	if s.Name == "" {
		return ""
	}
	return s.path + ": "
}

// width is the number of columns of the set's rows as far as the grid says it, or 0.
func (s *Set) width() int {
	if s.Data.Synthetic != nil {
		return s.Data.Synthetic.ActivationDim
	}
	return 0
}

// DataErrors returns the errors that opening the set with index i of Sets met. They point to the line of the file that
// names the data: eval_source or, where ofEvalSource reports false, source.
func (g *Grid) DataErrors(i int, errs []error, ofEvalSource func(error) bool) Errors {
	s := &g.Sets[i]
	path := ""
	if s.Name != "" {
		path = s.path
	}
	var out Errors
	for _, err := range errs {
		at := s.source
		if s.Data.EvalSource != "" && ofEvalSource(err) {
			at = s.evalSource
		}
		out = append(out, Error{g.file, at.line, at.column, path, clipLines(err.Error())})
	}
	return out
}

// checkSame reports sets of one fingerprint: their cells would be the same runs, under two names.
func (g *Grid) checkSame(infos []trainer.DataInfo) (errs Errors) {
	first := map[string]int{}
	for i, info := range infos {
		j, seen := first[info.Fingerprint]
		if !seen {
			first[info.Fingerprint] = i
			continue
		}
		s := &g.Sets[i]
		errs = append(errs, Error{g.file, s.at.line, s.at.column, s.path,
			fmt.Sprintf("is the same data as %s, with the same rows held out: their cells would be the same runs",
				g.Sets[j].Name)})
	}
	return errs
}

// nameSets makes the names of data.sets a field of the grid's settings, so that parameters, zip, exclude and include
// know the key data.
func (p *parser) nameSets() {
	s, f := p.schema, trainer.Field{Key: DataKey, Kind: trainer.Word, Doc: "name of the data set"}
	for _, set := range p.grid.Sets {
		f.Words = append(f.Words, set.Name)
	}
	s.data = len(s.fields)
	s.index[DataKey] = s.data
	s.fields = append(s.fields, f)
}

// setValue reads the name of a data set. After an error ok is false.
func (p *parser) setValue(n *node, path string) (v value, ok bool) {
	if n.kind != scalarNode {
		p.wrongKind(n, path, "want the name of a set of data.sets")
		return value{}, false
	}
	names := p.schema.fields[p.schema.data].Words
	if !slices.Contains(names, n.text) {
		hint := "known here: " + firstFew(names)
		if near := spelling.Nearest(n.text, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		p.errorf(n.pos, path, "data.sets has no %q; %s", clip(n.text, 64), hint)
		return value{}, false
	}
	return value{v: n.text, text: n.text, pos: n.pos, path: path}, true
}

// addDataAxis adds the axis of the data sets, unless parameters or train say which there are: it is the slowest one. In
// a grid without axes the entries of include are the whole grid, and each names its data.
func (p *parser) addDataAxis(root *node) {
	s, g := p.schema, p.grid
	if s.data < 0 || g.base[s.data].path != "" || g.axisOf(s.data) >= 0 || slices.Contains(p.unreadableAxes, DataKey) {
		return
	}
	values := make([]value, len(g.Sets))
	for i, set := range g.Sets {
		values[i] = value{v: set.Name, text: set.Name, pos: set.at, path: set.path}
	}
	if len(values) == 1 {
		g.base[s.data] = values[0]
		return
	}
	if include := root.value("include"); len(g.Axes) == 0 && len(p.unreadableAxes) == 0 &&
		include != nil && include.kind == listNode && len(include.items) > 0 {
		p.dataInInclude = true
		return
	}
	a := Axis{Key: DataKey, field: s.data, indexOf: map[string]int{}}
	for i, v := range values {
		a.indexOf[v.text] = i
		a.firstEqual = append(a.firstEqual, i)
		a.values, a.Values = append(a.values, v), append(a.Values, v.text)
	}
	g.Axes = slices.Insert(g.Axes, 0, a)
}

// keepUsedSets leaves the sets that settings of the grid may have.
func (g *Grid) keepUsedSets() {
	f := g.schema.data
	if f < 0 {
		return
	}
	used := map[string]bool{g.base[f].text: true}
	if a := g.axisOf(f); a >= 0 {
		used = map[string]bool{}
		for _, v := range g.Axes[a].values {
			used[v.text] = true
		}
	}
	for _, in := range g.include {
		for i, field := range in.fields {
			if field == f {
				used[in.values[i].text] = true
			}
		}
	}
	g.Sets = slices.DeleteFunc(g.Sets, func(s Set) bool { return !used[s.Name] })
}

// setOf returns a function that gives the index in Sets of the data of a setting.
func (g *Grid) setOf() func(setting []value) int {
	f := g.schema.data
	if f < 0 {
		return func([]value) int { return 0 }
	}
	index := map[string]int{}
	for i, s := range g.Sets {
		index[s.Name] = i
	}
	return func(setting []value) int { return index[setting[f].text] }
}
