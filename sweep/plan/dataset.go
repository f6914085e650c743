package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// DataKey is grid.DataKey: among Header.Axes, the data set.
const DataKey = grid.DataKey

// A DataSet is what cells of a plan train on.
type DataSet struct {
	Name string           `json:"name"` // as grid.Cell.Data has it; "" for the one set of a plan without names
	Data trainer.DataSpec `json:"data"`
	Info trainer.DataInfo `json:"data_info"`
}

// DataSets lists the data sets of the plan: Header.Sets, or the one without a name.
func (h *Header) DataSets() []DataSet {
	if len(h.Sets) > 0 {
		return h.Sets
	}
	return []DataSet{{Data: h.Data, Info: h.Info}}
}

// DataOf returns what a cell trains on. A cell that names no set has the first one: it was planned before the plan had
// names. Of a name that the plan does not have, the fingerprint is empty.
func (h *Header) DataOf(c grid.Cell) DataSet {
	switch {
	case len(h.Sets) == 0 && c.Data == "":
		return DataSet{Data: h.Data, Info: h.Info}
	case c.Data == "":
		return h.Sets[0]
	}
	for _, s := range h.Sets {
		if s.Name == c.Data {
			return s
		}
	}
	return DataSet{Name: c.Data}
}

// dataOf returns a function that is DataOf, quicker for many cells.
func (h *Header) dataOf() func(grid.Cell) DataSet {
	sets := h.DataSets()
	index := make(map[string]int, len(sets))
	for i, s := range sets {
		index[s.Name] = i
	}
	return func(c grid.Cell) DataSet {
		if c.Data == "" {
			return sets[0]
		}
		if i, ok := index[c.Data]; ok {
			return sets[i]
		}
		return DataSet{Name: c.Data}
	}
}

// setData gives a new plan its data sets: those of a grid that cells have, with what is known of them.
func (h *Header) setData(sets []grid.Set, infos []trainer.DataInfo, cells []grid.Cell) {
	used := map[string]bool{}
	for _, c := range cells {
		used[c.Data] = true
	}
	for i, s := range sets {
		switch {
		case s.Name == "":
			h.Data, h.Info = *s.Data, infos[i]
		case used[s.Name]:
			h.Sets = append(h.Sets, DataSet{s.Name, *s.Data, infos[i]})
		}
	}
}

// WithPlaces returns the header with what another one says of the same data: where they lie now, and the names of their
// activations.
func (h *Header) WithPlaces(of *Header) *Header {
	specs := map[string]trainer.DataSpec{}
	for _, s := range of.DataSets() {
		specs[s.Info.Fingerprint] = s.Data
	}
	out := *h
	if d, ok := specs[h.Info.Fingerprint]; ok && len(h.Sets) == 0 {
		out.Data = d
	}
	out.Sets = slices.Clone(h.Sets)
	for i, s := range out.Sets {
		if d, ok := specs[s.Info.Fingerprint]; ok {
			out.Sets[i].Data = d
		}
	}
	return &out
}

// NamedHere returns cells of another plan, whose values are those of its axes, with the names that h has for their
// data. Data that h does not have keep their name, or have their fingerprint where they have none.
func (h *Header) NamedHere(of *Header, cells []grid.Cell) []grid.Cell {
	if len(h.Sets) == 0 {
		return cells
	}
	names := map[string]string{} // by fingerprint
	for _, s := range h.Sets {
		names[s.Info.Fingerprint] = s.Name
	}
	out, dataOf := slices.Clone(cells), of.dataOf()
	for i, c := range out {
		fingerprint := dataOf(c).Info.Fingerprint
		out[i].Data = cmp.Or(names[fingerprint], c.Data, fingerprint)
		if axis := slices.Index(of.Axes, DataKey); axis >= 0 && axis < len(c.Values) {
			out[i].Values = slices.Clone(c.Values)
			out[i].Values[axis] = out[i].Data
		}
	}
	return out
}

// addSets adds the data sets that cells of another plan have, and returns these cells with the names that p has
// for their sets. The sets of p stay. If p names none and a cell has other data, p gets the name that the other plan
// has for its data. The error says what keeps the results from standing in one table.
func (p *Plan) addSets(add *Plan, cells []grid.Cell) ([]grid.Cell, error) {
	cells = slices.Clone(cells)
	of := add.dataOf()
	names := map[string]string{} // those of p, by fingerprint
	for _, s := range p.DataSets() {
		names[s.Info.Fingerprint] = s.Name
	}
	isNew := func(c grid.Cell) bool { _, ok := names[of(c).Info.Fingerprint]; return !ok }
	if first := slices.IndexFunc(cells, isNew); first >= 0 && len(p.Sets) == 0 {
		i := slices.IndexFunc(add.Sets, func(s DataSet) bool { return s.Info.Fingerprint == p.Info.Fingerprint })
		if i < 0 {
			hint := ""
			if len(add.Sets) > 0 {
				hint = ": name that of the sweep in data.sets too"
			}
			return nil, fmt.Errorf("extend %s: its data has the fingerprint %s, that of the grid has %s%s",
				p.ID, p.Info.Fingerprint, of(cells[first]).Info.Fingerprint, hint)
		}
		names[p.Info.Fingerprint] = add.Sets[i].Name
		p.Sets = []DataSet{{add.Sets[i].Name, p.Data, p.Info}}
		p.Data, p.Info = trainer.DataSpec{}, trainer.DataInfo{}
	}
	for i, c := range cells {
		s := of(c)
		name, known := names[s.Info.Fingerprint]
		if !known {
			if err := p.checkNewSet(s); err != nil {
				return nil, err
			}
			name = s.Name
			names[s.Info.Fingerprint] = name
			p.Sets = append(p.Sets, s)
		}
		cells[i].Data = name
	}
	p.Version = VersionOf(&p.Header)
	return cells, nil
}

// checkNewSet returns an error if a data set cannot be added to those that the plan names.
func (p *Plan) checkNewSet(s DataSet) error {
	if s.Name == "" {
		return fmt.Errorf("extend %s: none of its data sets has the fingerprint %s, that of the grid: "+
			"give the data a name, in data.sets", p.ID, s.Info.Fingerprint)
	}
	for _, have := range p.Sets {
		if have.Name == s.Name {
			return fmt.Errorf("extend %s: its data set %s has the fingerprint %s, that of the grid has %s: "+
				"give it another name", p.ID, s.Name, have.Info.Fingerprint, s.Info.Fingerprint)
		}
	}
	return nil
}
