// Package ledger is a stored sweep: the keys under which a store keeps plans, grids,
// extensions, results, failures, reports and models, and the readers and writers of all
// but the last two. Reports and models are written by package activities and read by
// people and other tools.
//
// What a reader checks:
//
//	header of a plan   its version, that it is that of the sweep, and its counts
//	chunk of cells     that it parses and is no larger than a chunk
//	chunk of trees     the same, and that the trees can be walked
//	result             that it parses, is of the run's cell, and is completed
//	failure note       that it parses
//
// Of these only the header has a version: whoever changes the form of another object raises
// plan.VersionOf. That a cell's settings are those of its ID is for whoever uses them to
// check (plan.Header.Identifies): activities do before they train, and CollectGarbage
// before it removes.
//
//	sweeps/<sweep>/   the plan, its grid, its extensions, its failures, its reports
//	results/          what runs came to; shared by all sweeps of the store
//	models/           exported models; shared likewise
//	stages/           checkpoints: package storage reads and writes them
//
// The package needs a storage.Store and nothing else: neither Temporal nor a
// terminal. The example reads a stored sweep. CollectGarbage removes what nothing
// refers to any more.
package ledger
