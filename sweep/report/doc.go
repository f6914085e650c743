// Package report makes tables of the results of sweeps and of their curves: which columns there are, what each means,
// which of them people look at, and what is said below a table. The output depends on the results alone. Equal results
// give equal bytes, except for the columns with Column.Varies, which no table for people shows.
//
// Of this project the package imports trainer, sweep/plan, sweep/ledger and sweep/table. It reads no store.
//
// # How to add a column
//
// A new field of trainer.Config is a column, and a new field of trainer.Metrics is one; name and meaning come from the
// tags of the field. tableMetrics lists the metrics that tables show. For any other column add one row to costColumns,
// dataColumns or endColumns, and its unit to unitOf. The formats are those of sweep/table.
//
// docs/results.md lists the formats, the columns and their units. go test ./sweep/report -update writes its tables and
// the golden files.
package report
