package grid

import (
	"fmt"
	"slices"
	"strings"
)

// zip reads the section zip and forms the groups of axes that advance together.
// A group stands where its first axis does.
func (p *parse) zip(e *entry) {
	g := p.grid
	member := make([]int, len(g.Axes)) // the zip that an axis is in, from 1
	if e != nil && e.value.kind == list && len(e.value.items) > 0 && e.value.items[0].kind == scalar {
		p.errorf(e.value.pos, "zip", "want a list of groups of axes, as in zip: [[k, dict_size]]")
		e = nil
	}
	for i, item := range p.listOf(e, "zip", "groups of axes, as in zip: [[k, dict_size]]") {
		path := fmt.Sprintf("zip[%d]", i)
		if item.kind != list {
			p.wrong(item, path, "want a list of axes")
			continue
		}
		first := -1
		for _, n := range item.items {
			a := p.axisNamed(n, path)
			if a < 0 {
				continue
			}
			switch {
			case member[a] != 0:
				p.errorf(n.pos, path, "%s is zipped already", n.text)
				continue
			case first >= 0 && !g.Axes[a].broken && !g.Axes[first].broken && len(g.Axes[a].values) != len(g.Axes[first].values):
				p.errorf(n.pos, path, "%s has %d values and %s has %d: axes that advance together have equally many", n.text, len(g.Axes[a].values), g.Axes[first].Key, len(g.Axes[first].values))
			}
			if first < 0 {
				first = a
			}
			member[a] = i + 1
		}
		if len(item.items) < 2 {
			p.errorf(item.pos, path, "want at least two axes")
		}
	}
	at := map[int]int{} // zip → index of its group
	for a, axis := range g.Axes {
		if z, ok := at[member[a]]; ok && member[a] != 0 {
			g.groups[z].axes = append(g.groups[z].axes, a)
			g.groups[z].n = min(g.groups[z].n, len(axis.values)) // they differ only after an error
			continue
		}
		at[member[a]] = len(g.groups)
		g.groups = append(g.groups, group{[]int{a}, len(axis.values)})
	}
}

// listOf returns the items of a section that is a list.
func (p *parse) listOf(e *entry, path, of string) []*node {
	if e == nil || e.value.kind == null {
		return nil
	}
	if e.value.kind != list {
		p.wrong(e.value, path, "want a list of "+of)
		return nil
	}
	return e.value.items
}

// axisNamed returns the index of the axis that n names, or −1 with an error.
func (p *parse) axisNamed(n *node, path string) int {
	if n.kind != scalar {
		p.wrong(n, path, "want the name of an axis")
		return -1
	}
	i, ok := p.field(entry{key: n.text, pos: n.pos}, path)
	if !ok {
		return -1
	}
	a := p.grid.axisOf(i)
	if a < 0 && !p.brokenAxis(n.text) {
		p.errorf(n.pos, join(path, n.text), "not an axis: parameters has no list for it")
	}
	return a
}

// brokenAxis reports whether the key was meant to be an axis but no value of it
// could be read: that has its own error.
func (p *parse) brokenAxis(key string) bool { return slices.Contains(p.broken, key) }

// duplicates reports settings that a group gives twice.
func (p *parse) duplicates() {
	for _, gr := range p.grid.groups {
		seen := map[string]bool{}
		for i := range gr.n {
			var setting []string
			for _, a := range gr.axes {
				setting = append(setting, p.grid.Axes[a].Values[i])
			}
			key := strings.Join(setting, " ")
			if last := p.grid.Axes[gr.axes[len(gr.axes)-1]].values[i]; seen[key] {
				p.errorf(last.pos, last.path, "%s is given twice", strings.Join(setting, " with "))
			}
			seen[key] = true
		}
	}
}

// excludes reads the section exclude.
func (p *parse) excludes(e *entry) {
	g := p.grid
	for i, item := range p.listOf(e, "exclude", "maps of axis values, as in exclude: [{k: 64, dict_size: 4096}]") {
		path := fmt.Sprintf("exclude[%d]", i)
		if item.kind != dict || len(item.entries) == 0 {
			p.errorf(item.pos, path, "want a map of axis values, as in {k: 64, dict_size: 4096}")
			continue
		}
		x := exclusion{value: make([]int, len(g.Axes))}
		ok := true
		for j := range x.value {
			x.value[j] = -1
		}
		for _, e := range item.entries {
			a, v := p.axisValue(e, path)
			if a >= 0 && v >= 0 {
				x.value[a] = v
			} else {
				ok = false
			}
		}
		if !ok {
			continue
		}
		if !g.matches(x) {
			p.errorf(item.pos, path, "excludes nothing: zip never puts these values together")
			continue
		}
		x.pos = item.pos
		g.exclude = append(g.exclude, x)
	}
}

// axisValue returns the axis of an entry and the index of its value there, or
// −1 with an error.
func (p *parse) axisValue(e entry, path string) (axis, index int) {
	a := p.axisNamed(&node{kind: scalar, text: e.key, pos: e.pos}, path)
	if a < 0 {
		return -1, -1
	}
	if e.value.kind == list {
		p.errorf(e.value.pos, join(path, e.key), "a list: write one entry for each value")
		return a, -1
	}
	axisOf := p.grid.Axes[a]
	v, ok := p.scalar(axisOf.field, e.value, join(path, e.key))
	if !ok {
		return a, -1
	}
	i, ok := axisOf.index[v.text]
	if ok {
		return a, i
	}
	if !axisOf.broken {
		p.errorf(e.value.pos, join(path, e.key), "%s is not a value of the axis: %s", v.text, some(axisOf.Values))
	}
	return a, -1
}

// some prints the first of many values.
func some(values []string) string {
	const most = 8
	if len(values) > most {
		return strings.Join(values[:most], ", ") + ", …"
	}
	return strings.Join(values, ", ")
}

// includes reads the section include: each entry is one more setting.
func (p *parse) includes(e *entry) {
	g := p.grid
	for i, item := range p.listOf(e, "include", "maps of training fields, as in include: [{k: 64, dict_size: 65536}]") {
		path := fmt.Sprintf("include[%d]", i)
		if item.kind != dict || len(item.entries) == 0 {
			p.errorf(item.pos, path, "want a map of training fields, as in {k: 64, dict_size: 65536}")
			continue
		}
		var in inclusion
		ok := true
		for _, e := range item.entries {
			f, known := p.field(e, path)
			if !known {
				ok = false
				continue
			}
			if e.value.kind == list {
				p.errorf(e.value.pos, join(path, e.key), "a list: write one entry for each value")
				ok = false
				continue
			}
			v, sound := p.scalar(f, e.value, join(path, e.key))
			in.fields = append(in.fields, f)
			in.values = append(in.values, v)
			ok = ok && sound
		}
		var missing []string
		for _, a := range g.Axes {
			if item.get(a.Key) == nil {
				missing = append(missing, a.Key)
			}
		}
		if len(missing) > 0 {
			p.errorf(item.pos, path, "has no value for the axis %s: an entry is one cell", strings.Join(missing, ", "))
			ok = false
		}
		if ok {
			g.include = append(g.include, in)
		}
	}
}
