// Package workflows says when: the deterministic Temporal workflows of a sweep.
// They start activities (by the names in package sweep) and count what came of
// them; they hold no cell, no result and no file, only indices into the stored
// plan, so that a history stays small whatever the grid.
package workflows
