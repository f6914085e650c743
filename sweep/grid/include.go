package grid

import (
	"fmt"
	"strings"
)

// An inclusion is an entry of include: one more setting. It has the entry's values, and else those of Grid.base.
type inclusion struct {
	fields []int   // indices in schema.fields
	values []value // for each of fields
}

// apply sets the entry's values in a setting.
func (in inclusion) apply(setting []value) {
	for i, f := range in.fields {
		setting[f] = in.values[i]
	}
}

// readInclude reads the section include.
func (p *parser) readInclude(e *entry) {
	g := p.grid
	items := p.listItems(e, "include", "maps of training fields, as in include: [{k: 64, dict_size: 65536}]")
	for i, item := range items {
		path := fmt.Sprintf("include[%d]", i)
		if item.kind != mapNode || len(item.entries) == 0 {
			p.errorf(item.pos, path, "want a map of training fields, as in {k: 64, dict_size: 65536}")
			continue
		}
		in, ok := p.readInclusion(item, path)
		var missing []string
		for _, a := range g.Axes {
			if item.sameField(a.Key) == nil {
				missing = append(missing, a.Key)
			}
		}
		if len(missing) > 0 {
			p.errorf(item.pos, path,
				"has no value for the axis %s: an entry is one cell", strings.Join(missing, ", "))
			ok = false
		}
		if p.dataInInclude && item.get(DataKey) == nil {
			p.errorf(item.pos, path, "has no value for data, of which there are several sets: an entry is one cell")
			ok = false
		}
		if ok {
			g.include = append(g.include, in)
		}
	}
}

// readInclusion reads one entry. After an error ok is false.
func (p *parser) readInclusion(n *node, path string) (in inclusion, ok bool) {
	ok = true
	for _, e := range n.entries {
		f, known := p.fieldIndex(e, path)
		if !known || !p.oneLength(n, e, path) {
			ok = false
			continue
		}
		if e.value.kind == listNode {
			p.errorf(e.value.pos, join(path, e.key), "a list: write one entry for each value")
			ok = false
			continue
		}
		v, valid := p.fieldValue(f, e.key, e.value, join(path, e.key))
		in.fields = append(in.fields, f)
		in.values = append(in.values, v)
		ok = ok && valid
	}
	return in, ok
}
