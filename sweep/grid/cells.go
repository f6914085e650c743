package grid

import (
	"fmt"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// Cells returns the cells of the grid on the data that info describes, in the order of the settings: the axes as in the
// file, the last one fastest, then include. Settings that resolve to the same cell are one cell, in the position of the
// first of them, and Cell.Duplicates counts the others. Errors of the grid on data of this width are of type Errors.
func (g *Grid) Cells(info trainer.DataInfo) ([]Cell, error) {
	if info.Dim < 1 {
		return nil, fmt.Errorf("cells of %s: the data has no width", g.Name)
	}
	if g.schema.inits == nil && len(g.Inits()) > 0 {
		return nil, fmt.Errorf("cells of %s: the models of init are not read", g.Name)
	}
	if errs := g.check(info.Dim, false); len(errs) > 0 {
		return nil, errs.sorted()
	}
	var (
		cells   []Cell
		varying = g.varyingFields()
		index   = map[string]int{} // from a cell's ID to its index in cells
		texts   []string           // free memory for Cell.Values
		written = map[string]map[string]string{}
	)
	g.settings(func(setting []value, _ []int) bool {
		c := g.schema.config(setting, info.Dim)
		id := CellID(c, info.Fingerprint)
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
			values[i] = g.schema.textOf(setting, f, c)
		}
		cells = append(cells, Cell{ID: id, Config: c, Values: values, Written: g.schema.written(setting, written)})
		return true
	})
	return cells, nil
}

// written returns Cell.Written of a setting. Cells with equal ones share a map: seen has those returned before.
func (s *schema) written(setting []value, seen map[string]map[string]string) map[string]string {
	var key strings.Builder
	for i, f := range s.fields {
		if setting[i].isWord(f) {
			fmt.Fprintf(&key, "%d %s\n", i, setting[i].text)
		}
	}
	if m, ok := seen[key.String()]; ok {
		return m
	}
	m := map[string]string{} // not nil: a cell without such a setting is not one of an earlier version
	for i, f := range s.fields {
		if setting[i].isWord(f) {
			m[f.Key] = setting[i].text
		}
	}
	seen[key.String()] = m
	return m
}

// isWord says that a value of a number is a fraction or a word.
func (v value) isWord(f trainer.Field) bool {
	return v.kind != given || f.Auto && v.text == "auto"
}
