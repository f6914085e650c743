package grid

import (
	"slices"
	"strings"
)

// fieldSection returns the map of the section train or parameters, or nil.
func (p *parser) fieldSection(root *node, key string) *node {
	e := root.get(key)
	if e == nil || e.value.kind == nullNode {
		return nil
	}
	if e.value.kind != mapNode {
		p.wrongKind(e.value, key, "want a map of training fields")
		return nil
	}
	return e.value
}

// readTrain reads the section train: constants.
func (p *parser) readTrain(n *node) {
	for _, e := range n.entries {
		if p.readNormalizeInit(e, "train") {
			continue
		}
		i, ok := p.fieldIndex(e, "train")
		if !ok || !p.oneLength(n, e, "train") {
			continue
		}
		path := "train." + e.key
		if e.value.kind == listNode {
			p.errorf(e.value.pos, path, "a list is an axis: move it to parameters")
			continue
		}
		if v, ok := p.fieldValue(i, e.key, e.value, path); ok {
			p.grid.base[i] = v
		}
	}
}

// readParameters reads the section parameters: axes, and constants.
func (p *parser) readParameters(n *node, root *node) {
	train := &node{}
	if e := root.get("train"); e != nil {
		train = e.value
	}
	for _, e := range n.entries {
		path := "parameters." + e.key
		other := train.sameField(e.key)
		if other != nil && e.key == normalizeInit {
			p.errorf(e.pos, path, "is in train too, in line %d: want it in one of them", other.pos.line)
			continue
		}
		if p.readNormalizeInit(e, "parameters") {
			continue
		}
		i, ok := p.fieldIndex(e, "parameters")
		if !ok {
			continue
		}
		if !p.oneLength(n, e, "parameters") {
			continue
		}
		if other != nil && other.key != e.key {
			p.errorf(e.pos, path, "%s is in train, in line %d: want one of steps, tokens and epochs", other.key, other.pos.line)
			continue
		}
		if other != nil {
			p.errorf(e.pos, path, "is in train too, in line %d: want it in one of them", other.pos.line)
			continue
		}
		switch e.value.kind {
		case listNode:
			p.readAxis(i, e, path)
		case mapNode:
			p.mapAsAxis(e, path)
		default:
			if v, ok := p.fieldValue(i, e.key, e.value, path); ok {
				p.grid.base[i] = v
			}
		}
	}
}

// readAxis reads an axis of the field with index i.
func (p *parser) readAxis(i int, e entry, path string) {
	if len(e.value.items) == 0 {
		p.errorf(e.value.pos, path, "an empty list: an axis has at least one value")
		p.unreadableAxes = append(p.unreadableAxes, e.key)
		return
	}
	a := Axis{Key: e.key, field: i, indexOf: map[string]int{}}
	for _, item := range e.value.items {
		v, ok := p.fieldValue(i, e.key, item, path)
		if !ok {
			a.incomplete = true
			continue
		}
		if _, ok := a.indexOf[v.text]; !ok {
			a.indexOf[v.text] = len(a.values)
		}
		a.firstEqual = append(a.firstEqual, a.indexOf[v.text])
		a.values = append(a.values, v)
		a.Values = append(a.Values, v.text)
	}
	if len(a.values) == 0 {
		p.unreadableAxes = append(p.unreadableAxes, e.key)
		return
	}
	p.grid.Axes = append(p.grid.Axes, a)
}

// mapAsAxis reports an axis that is written as a map, as in k: {values: [16, 32]}, and shows the list to write instead.
// W&B, Ray and others write axes so.
func (p *parser) mapAsAxis(e entry, path string) {
	for _, inner := range e.value.entries {
		if v := inner.value; v.kind == listNode && len(v.items) > 0 && len(v.items) <= 8 {
			var items []string
			for _, item := range v.items {
				items = append(items, item.text)
			}
			p.errorf(inner.pos, join(path, inner.key),
				"unknown key; write the list itself: %s: [%s]", e.key, strings.Join(items, ", "))
			return
		}
	}
	p.errorf(e.value.pos, path, "a map is not a value: write a list of values, as in %s: [%s]",
		e.key, p.schema.fields[p.schema.index[fieldOf(e.key)]].Default)
}

// fieldIndex returns the index of the field that a key names, in schema.fields. After an error ok is false.
func (p *parser) fieldIndex(e entry, path string) (i int, ok bool) {
	i, ok = p.schema.index[fieldOf(e.key)]
	switch {
	case ok:
	case e.key != DataKey:
		p.unknown(e, path, p.schema.keys())
		return 0, false
	default:
		if !p.unreadableSets {
			p.errorf(e.pos, join(path, e.key), "data is an axis where data.sets names several data sets")
		}
		return 0, false
	}
	if p.schema.fields[i].FromData {
		p.errorf(e.pos, join(path, e.key), "comes from the data: leave it out")
		return 0, false
	}
	return i, true
}

// fieldValue reads a value of the field with index i, which a key gives. After an error ok is false.
func (p *parser) fieldValue(i int, key string, n *node, path string) (v value, ok bool) {
	if n.kind == unreadableNode {
		return value{}, false
	}
	if n.kind == nullNode {
		p.errorf(n.pos, path, "has no value")
		return value{}, false
	}
	if i == p.schema.data { // no field of trainer.Config
		return p.setValue(n, path)
	}
	var err error
	if f := p.schema.fields[i]; key == f.Key {
		v, err = readValue(f, n)
	} else {
		v, err = readLength(key, n)
	}
	if err != nil {
		p.errorf(n.pos, path, "%v", err)
		return value{}, false
	}
	v.path = path
	return v, true
}

// axisIndex returns the index of the axis that n names, in Grid.Axes. After an error it returns -1.
func (p *parser) axisIndex(n *node, path string) int {
	if n.kind != scalarNode {
		p.wrongKind(n, path, "want the name of an axis")
		return -1
	}
	i, ok := p.fieldIndex(entry{key: n.text, pos: n.pos}, path)
	if !ok {
		return -1
	}
	a := p.grid.axisOf(i)
	if a >= 0 && p.grid.Axes[a].Key != n.text {
		p.errorf(n.pos, join(path, n.text), "not an axis: the axis is %s", p.grid.Axes[a].Key)
		return -1
	}
	if a < 0 && !slices.Contains(p.unreadableAxes, n.text) { // an unreadable axis has its own error
		p.errorf(n.pos, join(path, n.text), "not an axis: parameters has no list for it")
	}
	return a
}

// axisValue returns the index of the axis that an entry names, and the index of the entry's value in this axis. After
// an error one of them is -1.
func (p *parser) axisValue(e entry, path string) (axis, index int) {
	axis = p.axisIndex(&node{kind: scalarNode, text: e.key, pos: e.pos}, path)
	if axis < 0 {
		return -1, -1
	}
	if e.value.kind == listNode {
		p.errorf(e.value.pos, join(path, e.key), "a list: write one entry for each value")
		return axis, -1
	}
	a := p.grid.Axes[axis]
	v, ok := p.fieldValue(a.field, a.Key, e.value, join(path, e.key))
	if !ok {
		return axis, -1
	}
	index, ok = a.indexOf[v.text]
	if ok {
		return axis, index
	}
	if !a.incomplete { // else it may be one of the values that could not be read
		p.errorf(e.value.pos, join(path, e.key), "%s is not a value of the axis: %s", v.text, firstFew(a.Values))
	}
	return axis, -1
}

// firstFew prints the first of many values.
func firstFew(values []string) string {
	const n = 8
	if len(values) > n {
		return strings.Join(values[:n], ", ") + ", …"
	}
	return strings.Join(values, ", ")
}

// listItems returns the items of the section zip, exclude or include. of describes them.
func (p *parser) listItems(e *entry, path, of string) []*node {
	if e == nil || e.value.kind == nullNode {
		return nil
	}
	if e.value.kind != listNode {
		p.wrongKind(e.value, path, "want a list of "+of)
		return nil
	}
	return e.value.items
}
