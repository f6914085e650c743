package grid

import (
	"fmt"
	"strings"
)

// readZip reads the section zip and puts the axes into groups. Axes of one zip advance together and are one group;
// every other axis is a group of its own. A group stands where its first axis stands. The axes
//
//	parameters: {k: [16, 32], seed: [0, 1, 2], dict_size: [4096, 16384]}
//	zip: [[k, dict_size]]
//
// are two groups, (k, dict_size) of length 2 and (seed) of length 3.
func (p *parser) readZip(e *entry) {
	g := p.grid
	zipOf := make([]int, len(g.Axes)) // for each axis: the number of its zip, from 1, or 0
	if e != nil && e.value.kind == listNode && len(e.value.items) > 0 && e.value.items[0].kind == scalarNode {
		p.errorf(e.value.pos, "zip", "want a list of groups of axes, as in zip: [[k, dict_size]]")
		e = nil
	}
	for i, item := range p.listItems(e, "zip", "groups of axes, as in zip: [[k, dict_size]]") {
		path := fmt.Sprintf("zip[%d]", i)
		if item.kind != listNode {
			p.wrongKind(item, path, "want a list of axes")
			continue
		}
		first := -1
		for _, n := range item.items {
			a := p.axisIndex(n, path)
			if a < 0 {
				continue
			}
			if zipOf[a] != 0 {
				p.errorf(n.pos, path, "%s is zipped already", n.text)
				continue
			}
			zipOf[a] = i + 1
			if first < 0 {
				first = a
				continue
			}
			p.checkLengths(n, path, g.Axes[a], g.Axes[first])
		}
		if len(item.items) < 2 {
			p.errorf(item.pos, path, "want at least two axes")
		}
	}
	g.groups = groupsOf(g.Axes, zipOf)
}

// checkLengths reports two axes of a zip that have not equally many values. n names the axis a.
func (p *parser) checkLengths(n *node, path string, a, first Axis) {
	if !a.incomplete && !first.incomplete && len(a.values) != len(first.values) {
		p.errorf(n.pos, path, "%s has %d values and %s has %d: axes that advance together have equally many",
			n.text, len(a.values), first.Key, len(first.values))
	}
}

// groupsOf returns the groups of axes. zipOf holds the number of each axis' zip, or 0.
func groupsOf(axes []Axis, zipOf []int) []group {
	var groups []group
	groupOf := map[int]int{} // from the number of a zip to the index of its group
	for a, axis := range axes {
		zip := zipOf[a]
		if i, ok := groupOf[zip]; ok && zip != 0 {
			groups[i].axes = append(groups[i].axes, a)
			groups[i].length = min(groups[i].length, len(axis.values)) // the lengths differ only after an error
			continue
		}
		groupOf[zip] = len(groups)
		groups = append(groups, group{[]int{a}, len(axis.values)})
	}
	return groups
}

// checkRepeats reports values that a group has twice. An axis of a zip may repeat a value, as long as the combination
// of all values of the zip is not repeated.
func (p *parser) checkRepeats() {
	for _, gr := range p.grid.groups {
		seen := map[string]bool{}
		for i := range gr.length {
			var values []string
			for _, a := range gr.axes {
				values = append(values, p.grid.Axes[a].Values[i])
			}
			key := strings.Join(values, " ")
			if last := p.grid.Axes[gr.axes[len(gr.axes)-1]].values[i]; seen[key] {
				p.errorf(last.pos, last.path, "%s is given twice", strings.Join(values, " with "))
			}
			seen[key] = true
		}
	}
}
