// Package plan lays the cells of a grid out as the work of a sweep: cells that
// train alike at first become families, each family a stage tree, and the trees
// with their totals a Plan. The Frontier says which stage is to be trained next,
// and a forecast runs it to say how long a sweep will take.
//
// The package is pure: no network, no clock, no store, so that workflows may
// compute with it.
//
// # A worked example
//
// Four cells agree on everything but decay_start and auxk_alpha; each trains for
// 100 steps:
//
//	cell 0: decay_start 50, auxk_alpha 0       cell 2: decay_start 80, auxk_alpha 0
//	cell 1: decay_start 50, auxk_alpha 1/32    cell 3: decay_start 80, auxk_alpha 1/32
//
// The learning rate of cells 0 and 1 is constant up to and including step 50, so
// all four train alike for 51 steps (PrefixSteps), unless a latent dies: from that
// step on AuxK acts, and cells of another auxk_alpha part. Without a death the
// tree of the family is
//
//	trunk 0 → 51, cells 0 1 2 3
//	    schedule trunk 51 → 100, cells 0 1      decay_start 50; without a death one run
//	    schedule trunk 51 → 100, cells 2 3      decay_start 80
//
// and 51 + 49 + 49 = 149 steps are trained instead of 400. If the first latent of
// cells 0 and 1 is dead in step 60, their schedule trunk ends at step 60, and two
// branches 60 → 100 follow, one for each auxk_alpha. If a latent is dead in step 20
// already, the trunk ends there and two AuxK trunks 20 → 51 follow, each with a
// branch for each decay_start. Stage.Next says which stages follow where a stage
// has ended.
package plan
