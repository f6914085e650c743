// Package trainer is the model: the configuration of a Top-K sparse autoencoder,
// the recipes of training semantics, the training state, the loop over steps, and
// evaluation. To see what a step computes, read package trainer/plain first: it is
// the step as one reads it in the paper.
//
// Here in this order:
//
//	config.go      the hyperparameters
//	recipe.go      what the programs of the field do differently
//	state.go       all that training changes
//	init.go        the state before the first step
//	backend.go     what a backend implements
//	batches.go     the data that it trains on
//	loop.go        training
//	heldout.go     measuring the model at a few steps of training
//	evaluate.go    measuring what was trained
//	checkpoint.go  a state as a file
//
// The package says what a backend (trainer/cpu, trainer/cuda) computes, and never
// computes a step itself.
//
// Shapes are written as suffixes: B batch, D activation_dim, F dict_size, K
// top-k. Weights are stored [F,D] for encoder and decoder alike: row f is
// latent f.
//
// The package uses the standard library and trainer/safetensors only. It knows nothing of files,
// networks or Temporal, and its clock only times steps.
package trainer
