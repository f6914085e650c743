// Package sweep says what to run: it reads grid.yaml into a Grid, expands the
// Grid into Cells, and lays the Cells out as a Plan. It also names what a run
// comes to, a Result.
//
// The package is pure: no network, no clock, no Temporal. Of ours it imports
// trainer alone, for the fields, the metrics and the description of the data;
// YAML is read here and nowhere else.
package grid
