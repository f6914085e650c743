// Package activities does the work of a sweep: its Temporal activities train one
// stage and checkpoint it, evaluate a run and keep its result, and collect a sweep's
// results. It is the only place where the trainer meets the store.
//
// An activity may be tried any number of times, on any worker, also while an
// earlier attempt is still alive. Each attempt reads what is stored, does what is
// missing, and writes nothing that another attempt would write otherwise. What
// Temporal is to do about an error is said in one place, errorClasses.
package activities
