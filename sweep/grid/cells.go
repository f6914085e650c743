package grid

import (
	"fmt"
	"strconv"

	"github.com/topksweep/sweep/trainer"
)

// Cells returns the cells of the grid on the data that infos describe, one for each of Sets, in the order of the
// settings: the axes as in the file, the last one fastest, then include. Settings that resolve to the same cell are one
// cell, in the position of the first of them, and Cell.Duplicates counts the others. Errors of the grid on such data
// are of type Errors.
func (g *Grid) Cells(infos ...trainer.DataInfo) ([]Cell, error) {
	if len(infos) != len(g.Sets) {
		return nil, fmt.Errorf("cells of %s: %d data sets are described, of %d", g.Name, len(infos), len(g.Sets))
	}
	hashers := make([]*Hasher, len(infos))
	for i, info := range infos {
		if info.Dim < 1 {
			return nil, fmt.Errorf("cells of %s: the data has no width", g.Name)
		}
		hashers[i] = NewHasher(trainer.SemanticsVersion, info.Fingerprint)
	}
	if errs := g.checkSame(infos); len(errs) > 0 {
		return nil, errs.sorted()
	}
	if g.schema.inits == nil && len(g.Inits()) > 0 {
		return nil, fmt.Errorf("cells of %s: the models of init are not read", g.Name)
	}
	if errs := g.check(func(set int) dataSize { return sizeOf(infos[set]) }, false); len(errs) > 0 {
		return nil, errs.sorted()
	}
	n := int(g.product()) + len(g.include) // settings, but for exclude; no more than ParseOptions.MaxCells
	var (
		cells   = make([]Cell, 0, n)
		varying = g.varyingFields()
		length  = g.lengthKey()
		index   = make(map[string]int, n) // from a cell's ID to its index in cells
		texts   []string                  // free memory for Cell.Values
		written = writtenMaps{seen: map[string]map[string]string{}}
		setOf   = g.setOf()
	)
	g.settings(func(setting []value, _ []int) bool {
		set := setOf(setting)
		c := g.schema.config(setting, sizeOf(infos[set]))
		id := hashers[set].ID(&c)
		if i, ok := index[id]; ok {
			cells[i].Duplicates++
			return true
		}
		index[id] = len(cells)
		if len(texts) < len(varying) {
			texts = make([]string, 1024*len(varying)) // one allocation for 1024 cells
		}
		values := texts[:len(varying):len(varying)]
		texts = texts[len(varying):]
		for i, f := range varying {
			values[i] = g.schema.textOf(setting, f, c, length)
		}
		cells = append(cells, Cell{
			ID: id, Config: c, Values: values, Written: written.of(g.schema, setting), Data: g.Sets[set].Name,
		})
		return true
	})
	return cells, nil
}

// writtenMaps are those of Cell.Written. Cells with equal ones share a map.
type writtenMaps struct {
	seen map[string]map[string]string
	key  []byte // memory for a key of seen
}

// of returns the map of a setting.
func (w *writtenMaps) of(s *schema, setting []value) map[string]string {
	w.key = w.key[:0]
	for i, f := range s.fields {
		if setting[i].isWord(f) {
			w.key = append(strconv.AppendInt(w.key, int64(i), 10), ' ')
			w.key = append(strconv.AppendInt(w.key, int64(setting[i].kind), 10), ' ')
			w.key = append(append(w.key, setting[i].text...), '\n')
		}
	}
	if m, ok := w.seen[string(w.key)]; ok {
		return m
	}
	m := map[string]string{} // not nil: a cell without such a setting is not one of an earlier version
	for i, f := range s.fields {
		if setting[i].isWord(f) {
			m[keyOf(f, setting[i])] = setting[i].text
		}
	}
	w.seen[string(w.key)] = m
	return m
}

// isWord says that a value of a number is a fraction, a word, tokens or epochs.
func (v value) isWord(f trainer.Field) bool {
	return v.kind != given || f.Auto && v.text == "auto"
}
