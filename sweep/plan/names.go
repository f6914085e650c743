package plan

import (
	"strings"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer"
)

// Label names a cell for people, by the keys that vary: "k=16 dict_size=4096".
func (h *Header) Label(c grid.Cell) string {
	parts := make([]string, 0, len(h.Axes))
	for i, key := range h.Axes {
		if i < len(c.Values) {
			parts = append(parts, key+"="+c.Values[i])
		}
	}
	if len(parts) == 0 {
		return h.Name
	}
	return strings.Join(parts, " ")
}

// Identifies says that the cell's ID is the one of its settings and the plan's
// data. If it is not, the cell is damaged or was stored by a build whose training
// semantics are others.
func (h *Header) Identifies(c grid.Cell) bool {
	return h.configID(c, c.Config) == c.ID
}

// SemanticsVersion returns the version of the training semantics under which the sweep
// was planned. Plans of before version 2 do not state it.
func (h *Header) SemanticsVersion() int { return max(1, h.Semantics) }

// configID is grid.CellID of settings under the semantics of the plan, on the data of a cell.
func (h *Header) configID(c grid.Cell, settings trainer.Config) string {
	return grid.CellIDAt(h.SemanticsVersion(), settings, h.DataOf(c).Info.Fingerprint)
}

// RunID names a cell's run in the store. With reuse_results: false a sweep keeps
// its runs apart from those of all other sweeps.
func (h *Header) RunID(cell string) string {
	if h.Run.ReuseResults {
		return cell
	}
	return cell + h.suffix()
}

// CellOf returns the ID of the cell that a run trains: the run's ID begins with it.
func CellOf(run string) string {
	cell, _, _ := strings.Cut(run, "-")
	return cell
}

// anyAuxK stands for auxk_alpha where a trajectory is good for every setting of
// it. No config has this value.
const anyAuxK = -1

// Trajectory names the sequence of states that a cell goes through at a level:
// the weights at a step of it are the same for every cell for which it has the
// same ID. At LevelRun it is the cell's run.
func (h *Header) Trajectory(c grid.Cell, l Level) string {
	if l == LevelRun {
		return h.RunID(c.ID)
	}
	return h.configID(c, sharedConfig(c.Config, l))
}

// sharedConfig is what a cell has in common with all others of its trajectory at a level below LevelRun.
func sharedConfig(c trainer.Config, l Level) trainer.Config {
	if l != LevelSchedule {
		c.DecayStart, c.Steps = 0, 0
	}
	if l.UntilDead() {
		c.AuxKAlpha, c.KAux = anyAuxK, 0
	}
	return c
}

// CheckpointFolder names the folder of the store in which this sweep keeps the
// checkpoints of a cell's trajectory at a level. Each sweep writes the trunks in
// folders of its own, so that two sweeps that run at the same time never wait for
// each other; every sweep reads them all.
func (h *Header) CheckpointFolder(c grid.Cell, l Level) string {
	if l == LevelRun {
		return h.RunID(c.ID)
	}
	return h.Trajectory(c, l) + h.suffix()
}

// suffix tells this sweep from others in names of the store: "-" and the hash
// that ends its ID.
func (h *Header) suffix() string { return h.ID[len(h.Name):] }

// TrajectoryOf returns the trajectory whose checkpoints a folder holds.
func TrajectoryOf(folder string) string {
	t, _, _ := strings.Cut(folder, "-")
	return t
}

// Trajectories lists the trajectories that the run of a cell goes through, its
// own first: an unfinished cell may begin at a checkpoint of any of them.
func (h *Header) Trajectories(c grid.Cell) []string {
	out := []string{h.Trajectory(c, LevelRun)}
	if h.Run.SharePrefixes {
		for l := range LevelRun {
			out = append(out, h.Trajectory(c, l))
		}
	}
	return out
}

// PrefixSteps returns the number of steps for which a run trains as all runs do
// that differ from it in decay_start and steps alone: the learning rate is
// constant up to and including step decay_start, or to the end if that is none (held
// as steps). The last step is never shared, because a run's loss curve has a point
// there.
func PrefixSteps(c trainer.Config) int { return min(c.DecayStart+1, c.Steps-1) }
