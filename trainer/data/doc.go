// Package data serves activations to the trainer: shards of a dataset on disk
// (safetensors, .npy) or synthetic rows whose true directions are known.
//
// A [Set] hands out training batches as a pure function of (seed, step) and a
// held-out slice that no batch ever contains. Rows are visited in a
// pseudorandom order across and inside shards, by random access: there is no
// shuffle buffer to fill, to save or to restore, and memory does not grow with
// the dataset. Local shards are memory-mapped.
//
// The package uses the standard library, trainer and trainer/safetensors. It
// reads local files itself; any other store is reached through an [Opener] that
// is handed in. It never writes.
package data
