package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// Extend adds the cells of another plan that p does not have, and returns how many
// they are. The cells and trees of p keep their numbers, and p keeps its ID, name
// and run options. It is an error if the plans are on different data, or of different
// training semantics: their results would stand in one table and not be comparable.
func (p *Plan) Extend(add *Plan) (int, error) {
	if have, now := p.SemanticsVersion(), add.SemanticsVersion(); have != now {
		return 0, fmt.Errorf("extend %s: it was planned under version %d of the training semantics, and this program "+
			"has version %d, whose results are not comparable: submit a grid of all its cells as a sweep of its own",
			p.ID, have, now)
	}
	if add.Info.Fingerprint != p.Info.Fingerprint {
		return 0, fmt.Errorf("extend %s: its data has the fingerprint %s, that of the grid has %s",
			p.ID, p.Info.Fingerprint, add.Info.Fingerprint)
	}
	have := make(map[string]bool, len(p.Cells))
	for _, c := range p.Cells {
		have[c.ID] = true
	}
	var fresh []grid.Cell
	for _, c := range add.Cells {
		if !have[c.ID] {
			fresh = append(fresh, c)
		}
	}
	if len(fresh) == 0 {
		return 0, nil
	}
	if err := p.addInits(p.Cells, fresh); err != nil {
		return 0, err
	}
	axes := unionOfAxes(p, add)
	setAxes(p.Cells, p.Axes, axes)
	setAxes(fresh, add.Axes, axes)
	p.Axes = axes
	first := len(p.Cells)
	p.Cells = append(p.Cells, fresh...)
	trees := newTrees(&p.Header, fresh)
	for _, t := range trees {
		for i := range t.Cells {
			t.Cells[i].Cell += first
		}
	}
	p.added = append(p.added, trees...)
	p.TreeChunks += len(chunkTrees(trees))
	p.CellCount = len(p.Cells)
	for _, c := range fresh {
		p.StepsUnshared += int64(c.Config.Steps)
	}
	p.countStages(trees, make([]bool, len(p.Cells)), Estimates{})
	p.Duplicates += add.Duplicates
	p.Bytes, p.HostBytes = max(p.Bytes, add.Bytes), max(p.HostBytes, add.HostBytes)
	p.CheckpointBytes = max(p.CheckpointBytes, add.CheckpointBytes)
	return len(fresh), nil
}

// unionOfAxes lists the keys that vary within either plan, then those that are
// constant in each and differ between the two, then what else it takes to tell the
// cells apart. Example: lr is auto in the one plan and 0.001 in the other, and
// dict_size varies in both. Then lr is no constant of the first plan, and only lr
// tells two cells of one dict_size apart.
func unionOfAxes(p, add *Plan) []string {
	axes := slices.Clone(p.Axes)
	for _, key := range add.Axes {
		if !slices.Contains(axes, key) {
			axes = append(axes, key)
		}
	}
	for _, f := range trainer.Fields() {
		a, constant := constantOf(f, p.Cells)
		b, both := constantOf(f, add.Cells)
		if constant && both && a != b && !slices.Contains(axes, f.Key) {
			axes = append(axes, f.Key)
		}
	}
	axes = oneLength(axes, p.Cells, add.Cells)
	return append(axes, untold(axes, p, add)...)
}

// oneLength replaces the axes tokens and epochs by steps, unless the grid of each cell gives that one.
func oneLength(axes []string, plans ...[]grid.Cell) []string {
	for i, key := range axes {
		lacks := func(c grid.Cell) bool { _, ok := c.Written[key]; return !ok }
		if slices.Contains(Lengths(), key) &&
			slices.ContainsFunc(plans, func(cells []grid.Cell) bool { return slices.ContainsFunc(cells, lacks) }) {
			axes[i] = "steps"
		}
	}
	out := axes[:0]
	for _, key := range axes {
		if !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out
}

// untold lists the keys in which cells differ that have the same values of the axes.
func untold(axes []string, plans ...*Plan) (missing []string) {
	first := map[string]trainer.Config{} // by the values of the axes
	for _, part := range plans {
		for _, c := range part.Cells {
			label := strings.Join(valuesOf(c, part.Axes, axes), " ")
			like, seen := first[label]
			if !seen {
				first[label] = c.Config
				continue
			}
			for _, f := range trainer.Fields() {
				if f.Get(like) != f.Get(c.Config) && !slices.Contains(axes, f.Key) && !slices.Contains(missing, f.Key) {
					missing = append(missing, f.Key)
				}
			}
		}
	}
	return missing
}

// constantOf returns the value of a field in the first cell, and whether all cells
// have it.
func constantOf(f trainer.Field, cells []grid.Cell) (any, bool) {
	v := f.Get(cells[0].Config)
	return v, !slices.ContainsFunc(cells, func(c grid.Cell) bool { return f.Get(c.Config) != v })
}

// setAxes changes the cells' Values from those of the keys before to those of the
// keys after.
func setAxes(cells []grid.Cell, before, after []string) {
	for i := range cells {
		cells[i].Values = valuesOf(cells[i], before, after)
	}
}

// valuesOf returns the values that a cell, which has those of the keys before, has of
// the keys after. Of a key that is not among the keys before it is the resolved value; of a path, of tokens and of
// epochs what its grid has.
func valuesOf(c grid.Cell, before, after []string) []string {
	values := make([]string, len(after))
	for j, key := range after {
		if at := slices.Index(before, key); at >= 0 && at < len(c.Values) {
			values[j] = c.Values[at]
			continue
		}
		if slices.Contains(Lengths(), key) {
			values[j] = c.Written[key]
		}
		for _, f := range trainer.Fields() {
			if f.Key == key {
				values[j] = f.Text(c.Config)
				if path, ok := c.Written[key]; ok && f.Kind == trainer.File {
					values[j] = path
				}
			}
		}
	}
	return values
}
