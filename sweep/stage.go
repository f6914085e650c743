package sweep

import (
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

// StageID names the trajectory that a cell is on at a level: the weights at a
// step of it are the same for every cell that has the ID. It is the name of the
// stage's folder in a store. The ID at LevelRun is that of the cell's run.
func (h *PlanHeader) StageID(c Cell, l Level) string {
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
	return h.RunID(CellID(cfg, h.Info.Fingerprint))
}

// An Origin is a trajectory that a run passes through: its checkpoints of up to
// AtMost steps are states of the run.
type Origin struct {
	Stage  string
	AtMost int64
}

// Origins lists where a stage of a cell that ends at step to may begin, the
// stage's own trajectory first.
func (h *PlanHeader) Origins(c Cell, l Level, to int) []Origin {
	out := []Origin{{h.StageID(c, l), int64(to)}}
	if !h.Run.SharePrefixes {
		return out
	}
	constant := int64(min(to, Peel(c.Config)))
	if l == LevelRun {
		out = append(out, Origin{h.StageID(c, LevelSchedule), int64(to)}, Origin{h.StageID(c, LevelAuxK), constant})
	}
	if l != LevelTrunk {
		out = append(out, Origin{h.StageID(c, LevelTrunk), constant})
	}
	return out
}

// StageIDs lists every trajectory that the run of a cell passes through, its own
// first: what the checkpoints of an unfinished cell may lie under.
func (h *PlanHeader) StageIDs(c Cell) []string {
	var out []string
	for _, o := range h.Origins(c, LevelRun, c.Config.Steps) {
		out = append(out, o.Stage)
	}
	return out
}

// Peel returns the number of steps for which a run trains as all runs do that
// differ from it in decay_start and steps alone: the learning rate is constant
// up to and including step decay_start. The last step is never shared, because a
// run's loss curve has a point there.
func Peel(c trainer.Config) int { return min(c.DecayStart+1, c.Steps-1) }
