// Package ledger is a stored sweep: the objects under which a store keeps plans,
// grids, extensions, results, failures and reports, and the one reader and writer
// of each of them. A reader checks the version and the identity of what it reads,
// so that no other package has to.
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
