package plan

import (
	"iter"

	"github.com/topksweep/sweep/trainer"
)

// A Cost is how many seconds the parts of a run take on a slot, while all slots are taken.
type Cost struct {
	Step  float64 // a training step
	Stage float64 // a stage beside its steps
	Fork  float64 // a checkpoint at which other stages begin: it is written, and read
	Run   float64 // a run when it is trained: its evaluation, and its model
}

// Work is what is to be trained, for Estimates.Costs.
type Work struct {
	Cells    int
	EvalRows int64                    // on which a run is evaluated, at most
	Models   iter.Seq[trainer.Config] // one of each tree
}

const (
	// StageOverhead is the seconds that a stage takes on a core beside steps, evaluation and bytes: the server's part,
	// opening data and model, and the small objects of the store. A thousand runs of two steps of a tiny model took 14 to
	// 18 s on a machine of two cores, which is 28 to 36 ms for each, one activity for several. A stage of a tree has an
	// activity of its own, and takes more.
	StageOverhead = 0.04

	// storeRate is the bytes a second that a store takes or gives, with their hashes: that of a local disk, about. It is
	// not measured on the machine.
	storeRate = 250e6
)

// Besides returns a cost with what the runs of a model take that is not computed: the overhead of its stages, and the
// bytes that its forks and its result come to.
func (c Cost) Besides(m trainer.Config) Cost {
	c.Stage += StageOverhead
	c.Fork += 2 * float64(m.StateBytes()) / storeRate
	c.Run += 4 * float64(m.Params()) / storeRate
	return c
}
