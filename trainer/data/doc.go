// Package data serves activations to the trainer: shards of a dataset on disk
// (safetensors, .npy) or synthetic rows whose true directions are known.
//
// A [Set] gives training batches, which are a pure function of (seed, step), and
// held-out rows that no batch ever contains. Training visits rows in a pseudorandom
// order across all shards and reads each where it lies. So there is no shuffle buffer
// to fill, to save or to restore, and memory does not grow with the dataset. Local
// shards are memory-mapped.
//
// The package uses the standard library, trainer and trainer/safetensors. It reads
// local files only, and writes nothing but what [Options] lets it keep for the next time.
package data
