// Package grid reads a grid.yaml and expands it into cells. A cell is one setting of all hyperparameters: what one
// run trains. docs/grid.md describes the file.
//
//	g, err := grid.Parse("grid.yaml", src, grid.ParseOptions{}) // err holds every error, with line and column
//	cells, err := g.Cells(info)                                 // info describes the opened data
//
// The package is pure: it opens no file and uses no network, no clock and no Temporal. Of this project it imports
// only trainer, for the fields of trainer.Config, their bounds, and the description of the data. No other package
// reads YAML.
//
// # From a file to a Grid
//
// Parse takes these steps:
//
//  1. The YAML library reads the text into a syntax tree (yaml.go). Files that are too deep or too wide for it are
//     refused before (yaml_limits.go).
//  2. The syntax tree becomes a tree of nodes (yaml_nodes.go, node.go). Aliases and merge keys are resolved, and each
//     node knows its line and column.
//  3. Each section of the file is read from its node: name (parse.go), data (data.go), run (run.go), train and
//     parameters (axes.go), zip (zip.go), exclude (exclude.go), include (include.go). A key that does not exist is
//     reported with the key that the author probably wanted (unknown_key.go, synonyms.go).
//  4. All settings of the grid are checked against the rules of trainer.Config.Validate (check.go).
//
// An error never ends a step early, where the rest of the file can still be read: all errors are reported at once.
//
// # From a Grid to Cells
//
// Cells takes these steps:
//
//  1. It enumerates the settings: every combination of the axes' values without what exclude drops, then the entries
//     of include (settings.go). A setting has one value for each field, as the file gives it.
//  2. It resolves each setting into a trainer.Config: fractions become steps, auto becomes a number (schema.go).
//  3. It hashes the Config, the data and the version of the training semantics into the cell's ID (cell.go). Settings
//     with the same ID are one cell.
//
// # Example
//
//	name: tiny
//	data: {source: activations}
//	train: {steps: 100}
//	parameters: {k: [16, 32], decay_start: [0.5, 0.8, 50]}
//	exclude: [{k: 32, decay_start: 0.8}]
//
// has two axes, k and decay_start, and 2 × 3 combinations. One of them is excluded, which leaves five settings. The
// fraction 0.5 of 100 steps is step 50, so that two pairs of settings are equal. The grid has three cells:
//
//	k 16, decay_start 0.5     decay_start = 50, Duplicates = 1: the setting with 50 is equal
//	k 16, decay_start 0.8     decay_start = 80
//	k 32, decay_start 0.5     decay_start = 50, Duplicates = 1
package grid
