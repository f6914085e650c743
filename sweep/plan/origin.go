package plan

import "github.com/topksweep/sweep/sweep/grid"

// An Origin is a folder of checkpoints at which a stage may begin.
type Origin struct {
	Folder     string
	AtMost     int64  // a checkpoint after more steps is not a state of all cells of the stage
	Trajectory string // other folders of this trajectory, of other sweeps, do as well; empty for none
}

// Origins lists where a stage of a cell that ends at step to may begin, the
// stage's own folder first.
//
// Example: a branch of a cell with decay_start 50 that ends at step 100 may begin
// at a checkpoint of its own up to step 100, of its schedule trunk up to step 100,
// and of its AuxK trunk and its trunk up to step 51, where the learning rate of
// other cells goes on being constant.
func (h *Header) Origins(c grid.Cell, l Level, to int) []Origin {
	shared := int64(min(to, PrefixSteps(c.Config)))
	origin := func(l Level, atMost int64) Origin {
		o := Origin{Folder: h.CheckpointFolder(c, l), AtMost: atMost}
		if l != LevelRun && h.Run.ReuseResults {
			o.Trajectory = h.Trajectory(c, l)
		}
		return o
	}
	out := []Origin{origin(l, int64(to))}
	if !h.Run.SharePrefixes {
		return out
	}
	if l == LevelRun {
		out = append(out, origin(LevelSchedule, int64(to)), origin(LevelAuxK, shared))
	}
	if l != LevelTrunk {
		out = append(out, origin(LevelTrunk, shared))
	}
	return out
}
