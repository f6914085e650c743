package plan

// A Level says what the cells of a stage have in common, and so for which runs
// its checkpoints are good.
type Level int

// The levels. The numbers are stored and must stay. Up to LevelAuxK the cells of a stage may have several decay_start
// and steps, and the stage ends where the first learning rate begins to fall (PrefixSteps). From LevelSchedule on all
// cells of a stage have one decay_start and steps, and the stage may go to the end of their runs. Neither of LevelAuxK
// and LevelSchedule is above the other: a tree has either after its trunk.
const (
	// LevelTrunk trains with the constant learning rate, up to the first step in
	// which a latent is dead: decay_start, steps and AuxK have no effect yet.
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
