package sweep

import (
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// A Level says what the cells of a stage have in common, and so which runs its
// checkpoints are good for.
type Level int

// The levels, from what most cells share to what one cell has alone.
const (
	// LevelTrunk trains with the constant learning rate, up to the first step in
	// which a latent is dead: neither decay_start, steps nor AuxK shows yet.
	LevelTrunk Level = iota
	// LevelAuxK trains with the constant learning rate and one setting of AuxK.
	LevelAuxK
	// LevelSchedule trains with one decay_start and steps, up to the first step
	// in which a latent is dead.
	LevelSchedule
	// LevelRun trains one cell.
	LevelRun
)

// String names a level as plans and logs do.
func (l Level) String() string {
	return [...]string{"trunk", "AuxK trunk", "schedule trunk", "branch"}[l]
}

// UntilDead says that stages of the level end before the first step in which a
// latent is dead.
func (l Level) UntilDead() bool { return l == LevelTrunk || l == LevelSchedule }

// anyAuxK stands for auxk_alpha where a stage serves every setting of it; no
// config has it.
const anyAuxK = -1

// Trajectory names what a cell is on at a level: the weights at a step of it are
// the same for every cell that has the ID. At LevelRun it is the cell's run.
func (h *PlanHeader) Trajectory(c Cell, l Level) string {
	if l == LevelRun {
		return h.RunID(c.ID)
	}
	cfg := c.Config
	if l != LevelSchedule {
		cfg.DecayStart, cfg.Steps = 0, 0
	}
	if l.UntilDead() {
		cfg.AuxKAlpha, cfg.KAux = anyAuxK, 0
	}
	return CellID(cfg, h.Info.Fingerprint)
}

// StageID names the folder in a store in which a sweep keeps the checkpoints of a
// cell's stages at a level. Each sweep writes trunks of its own, so that two that
// run at the same time never stand in each other's way; all read them all.
func (h *PlanHeader) StageID(c Cell, l Level) string {
	if l == LevelRun {
		return h.RunID(c.ID)
	}
	return h.Trajectory(c, l) + h.suffix()
}

// suffix tells the sweep apart in names of the store.
func (h *PlanHeader) suffix() string { return h.ID[len(h.Name):] }

// TrajectoryOf returns the trajectory that a folder of checkpoints is of.
func TrajectoryOf(stage string) string {
	t, _, _ := strings.Cut(stage, "-")
	return t
}

// An Origin is where a stage may begin: checkpoints of up to AtMost steps are
// states of its run.
type Origin struct {
	Stage  string // folder
	AtMost int64
	Any    string // trajectory whose other folders, of other sweeps, do as well; empty for none
}

// Origins lists where a stage of a cell that ends at step to may begin, the
// stage's own folder first.
func (h *PlanHeader) Origins(c Cell, l Level, to int) []Origin {
	constant := int64(min(to, Peel(c.Config)))
	origin := func(l Level, atMost int64) Origin {
		o := Origin{Stage: h.StageID(c, l), AtMost: atMost}
		if l != LevelRun && h.Run.ReuseResults {
			o.Any = h.Trajectory(c, l)
		}
		return o
	}
	out := []Origin{origin(l, int64(to))}
	if !h.Run.SharePrefixes {
		return out
	}
	if l == LevelRun {
		out = append(out, origin(LevelSchedule, int64(to)), origin(LevelAuxK, constant))
	}
	if l != LevelTrunk {
		out = append(out, origin(LevelTrunk, constant))
	}
	return out
}

// Trajectories lists what the run of a cell passes through, its own first: the
// folders of them (TrajectoryOf) are what an unfinished cell may begin at.
func (h *PlanHeader) Trajectories(c Cell) []string {
	out := []string{h.Trajectory(c, LevelRun)}
	if h.Run.SharePrefixes {
		for l := range LevelRun {
			out = append(out, h.Trajectory(c, l))
		}
	}
	return out
}

// Peel returns the number of steps for which a run trains as all runs do that
// differ from it in decay_start and steps alone: the learning rate is constant
// up to and including step decay_start. The last step is never shared, because a
// run's loss curve has a point there.
func Peel(c trainer.Config) int { return min(c.DecayStart+1, c.Steps-1) }
