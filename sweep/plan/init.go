package plan

import (
	"fmt"
	"slices"

	"github.com/topksweep/sweep/sweep/grid"
)

// An Init is a model that cells begin from.
type Init struct {
	Hash string `json:"hash"` // trainer.Config.Init of the cells
	Path string `json:"path"` // as the grid has it: that of the first cell that begins from it
}

// initsOf lists the models that cells begin from, each once.
func initsOf(cells []grid.Cell) []Init {
	var out []Init
	seen := map[string]bool{}
	for _, c := range cells {
		if hash := c.Config.Init; hash != "" && !seen[hash] {
			seen[hash] = true
			out = append(out, Init{hash, c.Written["init"]})
		}
	}
	return out
}

// addInits adds the models that the cells of another plan begin from. It is an error if one path has been two models:
// the cells' labels and the tables would not tell them apart.
func (h *Header) addInits(cells []grid.Cell, added []grid.Cell) error {
	hashes := map[string]string{}
	for _, c := range slices.Concat(cells, added) {
		path, ok := c.Written["init"]
		if !ok {
			continue
		}
		if before, seen := hashes[path]; seen && before != c.Config.Init {
			return fmt.Errorf("extend %s: the model at %s has changed since the sweep was planned: "+
				"put the new one at another path, or submit the grid as a sweep of its own", h.ID, path)
		}
		hashes[path] = c.Config.Init
	}
	for _, in := range initsOf(added) {
		if !slices.ContainsFunc(h.Inits, func(have Init) bool { return have.Hash == in.Hash }) {
			h.Inits = append(h.Inits, in)
		}
	}
	h.Version = VersionOf(h)
	return nil
}
