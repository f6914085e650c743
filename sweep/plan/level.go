package plan

// A Level says what the cells of a stage have in common, and so for which runs
// its checkpoints are good.
type Level int

// The levels, from what most cells share to what one cell has alone.
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
