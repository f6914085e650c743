// Package activities does the work of a sweep: its Temporal activities train one
// stage and checkpoint it, evaluate a run and keep its result, and collect a sweep's
// results. No other package saves a training state or goes on from a stored one.
// Reading it begins best with train.go.
//
// An activity may be tried any number of times, on any worker, also while an
// earlier attempt is still alive. Each attempt reads what is stored, does what is
// missing, and writes the same training states, models and metrics as any other attempt
// would. The table errorKinds says what Temporal is to do about each error.
package activities
