// Package sweepbench measures what a sweep costs besides training: make bench-sweep prints its table. The processes are
// those of the program, and all is real but one thing: the steps of a run take as long as the benchmark says, asleep.
//
// A Probe sits in a process of the program, between it and its backend and store. A Bench starts such processes and
// makes the table of what the probes, the system and the server tell. Only tests use the package.
package sweepbench
