// Package workflows decides when each stage of a sweep is trained. It holds the deterministic Temporal workflow, which
// starts activities and counts their outcomes. Package activities does the work; package protocol holds the names and
// structs that both use.
//
// A workflow holds no results or files, and of a cell only what a stage tree needs: its index in the stored plan, its
// label for people, decay_start, steps and the number of its AuxK setting (plan.TreeCell). All other settings stay in
// the store. So its history stays small, whatever the size of the grid.
//
// Where to read: sweep.go is the workflow from start to end. window.go decides which stage starts next, and when the
// history is full. order.go says which stage of which sweep goes first on the workers. stage.go trains and evaluates
// one stage. tree_reader.go reads the trees of the plan one after the other. state.go holds what the workflow
// remembers, and what it passes on when it continues as new; lost.go the cells that failed or were canceled; memory.go
// what people want to see of cells that are done with.
//
// People steer a sweep by updates: updates.go, and updates_cells.go for those of cells. They see it by what
// attributes.go, ids.go and details.go hand to the server. look.go asks what the workers do. view.go and view_*.go
// write Current Details, with the help of markdown.go.
//
// # Determinism
//
// Temporal replays a workflow against its recorded history: it must issue the same commands in the same order. So the
// code here ranges over no map, reads no clock, and starts no goroutine except by workflow.Go. testdata holds histories
// of older versions, which TestReplay replays. A change of the commands stands behind a version: version.go.
package workflows
