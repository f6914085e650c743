package protocol

// Search attributes of sweeps, by which they are found. A namespace may lack any of them. A server with SQL visibility
// has room for three of type Int, and as many of Double and KeywordList.
const (
	AttrName     = "SweepName"     // Keyword: the name in the grid
	AttrState    = "SweepState"    // Keyword: a plan.Status, or StateContinued
	AttrCells    = "SweepCells"    // Int: number of cells
	AttrDone     = "SweepDone"     // Int: cells with a result
	AttrFailed   = "SweepFailed"   // Int: cells that failed
	AttrBestNMSE = "SweepBestNMSE" // Double: the least nmse of its cells
	AttrData     = "SweepData"     // Keyword: the source of its data, or synthetic; of several sets with ", " between
	AttrAxes     = "SweepAxes"     // KeywordList: the keys that vary
	AttrOwner    = "SweepOwner"    // Keyword: who submitted it
)

// StateContinued is AttrState of a history that another one goes on from.
const StateContinued = "continued"
