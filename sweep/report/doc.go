// Package report writes the results of a sweep: a table for a terminal, CSV,
// JSON, Markdown. Columns are read from the tags of trainer's Config and
// Metrics, so that a new field is a new column everywhere. What it writes is a
// function of the results alone.
//
// A new format is one row in the table of Formats. Of ours the package imports
// sweep and trainer.
package report
