// Package activities does: the Temporal activities that a sweep is made of, and
// the only place where the trainer meets the store. They train one stage and
// checkpoint it, evaluate a run and keep its result, and collect a sweep's
// results. An activity may be tried any number of times, on any worker, also
// while an earlier attempt is still alive: each reads what is there, does what
// is missing, and writes nothing that another attempt would write otherwise.
package activities
