package grid

import (
	"slices"
	"strings"
)

// cells reads the sections that say which cells there are, and checks them.
func (p *parse) cells(root *node) {
	g := p.grid
	g.params = root.pos
	var err error
	if g.base, err = p.schema.defaults(); err != nil {
		p.errorf(root.pos, "", "%v", err)
		return
	}
	if root.get("parameters") == nil && root.get("train") == nil && root.get("include") == nil {
		p.errorf(root.pos, "parameters", "missing: it holds the axes, such as k: [16, 32, 64]")
		return
	}
	before := len(p.errs)
	if n := p.section(root, "train"); n != nil {
		p.constants(n)
	}
	if n := p.section(root, "parameters"); n != nil {
		g.params = root.get("parameters").pos
		p.axes(n, root)
	}
	sound := len(p.errs) == before && !root.value("train").unclear() && !root.value("parameters").unclear()
	before = len(p.errs)
	p.zip(root.get("zip"))
	p.duplicates()
	p.excludes(root.get("exclude"))
	p.includes(root.get("include"))
	if len(p.errs) > before || root.value("zip").unclear() || root.value("exclude").unclear() || root.value("include").unclear() {
		return // which cells there are is not clear
	}
	if n := g.product(); n+int64(len(g.include)) > int64(p.opts.MaxCells) {
		p.tooMany(n)
		return
	}
	dim := 0
	if g.Data.Synthetic != nil {
		dim = g.Data.Synthetic.ActivationDim
	}
	// With an error in parameters or train, some field may not be what the
	// author means it to be: then only what is written counts.
	p.errs = append(p.errs, g.check(dim, !sound)...)
}

// section returns the map of a key at the top level, or nil.
func (p *parse) section(root *node, key string) *node {
	e := root.get(key)
	if e == nil || e.value.kind == null {
		return nil
	}
	if e.value.kind != dict {
		p.wrong(e.value, key, "want a map of training fields")
		return nil
	}
	return e.value
}

// field looks a key up among the fields that a grid may set.
func (p *parse) field(e entry, path string) (int, bool) {
	i, ok := p.schema.index[e.key]
	if !ok {
		p.unknown(e, path, p.schema.keys())
		return 0, false
	}
	if p.schema.fields[i].FromData {
		p.errorf(e.pos, join(path, e.key), "comes from the data: leave it out")
		return 0, false
	}
	return i, true
}

// scalar reads the value of a field; ok is false after an error.
func (p *parse) scalar(i int, n *node, path string) (value, bool) {
	if n.kind == unreadable {
		return value{}, false
	}
	if n.kind == null {
		p.errorf(n.pos, path, "has no value")
		return value{}, false
	}
	v, err := readValue(p.schema.fields[i], n)
	if err != nil {
		p.errorf(n.pos, path, "%v", err)
		return value{}, false
	}
	v.path = path
	return v, true
}

// constants reads the section train.
func (p *parse) constants(n *node) {
	for _, e := range n.entries {
		i, ok := p.field(e, "train")
		if !ok {
			continue
		}
		path := "train." + e.key
		if e.value.kind == list {
			p.errorf(e.value.pos, path, "a list is an axis: move it to parameters")
			continue
		}
		if v, ok := p.scalar(i, e.value, path); ok {
			p.grid.base[i] = v
		}
	}
}

// axes reads the section parameters.
func (p *parse) axes(n *node, root *node) {
	train := &node{}
	if e := root.get("train"); e != nil {
		train = e.value
	}
	for _, e := range n.entries {
		i, ok := p.field(e, "parameters")
		if !ok {
			continue
		}
		path := "parameters." + e.key
		if other := train.get(e.key); other != nil {
			p.errorf(e.pos, path, "is in train too, in line %d: want it in one of them", other.pos.line)
			continue
		}
		switch e.value.kind {
		case list:
			p.axis(i, e, path)
		case dict:
			p.notAList(e, path)
		default:
			if v, ok := p.scalar(i, e.value, path); ok {
				p.grid.base[i] = v
			}
		}
	}
}

func (p *parse) axis(i int, e entry, path string) {
	if len(e.value.items) == 0 {
		p.errorf(e.value.pos, path, "an empty list: an axis has at least one value")
		p.broken = append(p.broken, e.key)
		return
	}
	a := Axis{Key: e.key, field: i, pos: e.pos, index: map[string]int{}}
	for _, item := range e.value.items {
		v, ok := p.scalar(i, item, path)
		if !ok {
			a.broken = true
			continue
		}
		if _, ok := a.index[v.text]; !ok {
			a.index[v.text] = len(a.values)
		}
		a.class = append(a.class, a.index[v.text])
		a.values = append(a.values, v)
		a.Values = append(a.Values, v.text)
	}
	if len(a.values) == 0 {
		p.broken = append(p.broken, e.key)
		return
	}
	p.grid.Axes = append(p.grid.Axes, a)
}

// notAList reports an axis written as a map, as other tools do, and shows the
// list to write.
func (p *parse) notAList(e entry, path string) {
	for _, inner := range e.value.entries {
		if v := inner.value; v.kind == list && len(v.items) > 0 && len(v.items) <= 8 {
			var items []string
			for _, item := range v.items {
				items = append(items, item.text)
			}
			p.errorf(inner.pos, join(path, inner.key), "unknown key; write the list itself: %s: [%s]", e.key, strings.Join(items, ", "))
			return
		}
	}
	p.errorf(e.value.pos, path, "a map is not a value: write a list of values, as in %s: [%s]", e.key, p.schema.fields[p.schema.index[e.key]].Default)
}

func (s *schema) keys() []string {
	var out []string
	for _, f := range s.fields {
		if !f.FromData {
			out = append(out, f.Key)
		}
	}
	return out
}

// axisOf returns the index of the axis of a field, or -1.
func (g *Grid) axisOf(field int) int {
	return slices.IndexFunc(g.Axes, func(a Axis) bool { return a.field == field })
}
