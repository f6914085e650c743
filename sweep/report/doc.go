// Package report writes the results of a sweep: as a table for a terminal, as CSV, JSON or Markdown. The output depends
// on the results alone. Equal results give equal bytes, except for the columns of the group groupTime, which no table
// shows.
//
// Of this project the package imports trainer, sweep/plan and sweep/ledger. It reads no store.
//
// # How to add a format
//
// Add one row to Formats, with a function that writes Rows. It becomes a value of the flag -o and a file of each
// sweep. Rows.columns gives all columns, for files that programs read. Rows.tableColumns gives those that fit a screen.
//
// # How to add a column
//
// A new field of trainer.Config is a column, and a new field of trainer.Metrics is one; name and meaning come from the
// tags of the field. tableMetrics lists the metrics that tables show. For any other column add one row to Columns.
//
// docs/results.md lists the formats and the columns. go test ./sweep/report -update writes its tables and the golden
// files.
package report
